// The one connection of a script: to the database that DATABASE_URL names, over TCP or a unix socket.
import pg from "pg";

/** Run `work` in one transaction: committed when it returns, rolled back when it throws. */
export async function inTransaction(mode, work) {
  const url = process.env.DATABASE_URL;
  if (!url) {
    throw new Error("DATABASE_URL is not set");
  }
  const client = new pg.Client({
    connectionString: url,
    application_name: "coursepedia",
    connectionTimeoutMillis: 10_000,
  });
  await client.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ ${mode}`);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } finally {
    // Ends an open transaction without its changes.
    await client.end();
  }
}

/** All rows of a query. */
export async function rows(client, sql, values = []) {
  return (await client.query(sql, values)).rows;
}

/** The only row of a query. */
export async function row(client, sql, values = []) {
  return (await rows(client, sql, values))[0];
}
