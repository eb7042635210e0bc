// pnpm db:migrate: apply what the database lacks, each migration in one transaction; with --status only say what that is.
import { inTransaction } from "./database.js";
import { known, pending, script } from "./migrations.js";
import { describe, refuse } from "./report.js";

async function status() {
  refuse(await inTransaction("READ ONLY", pending), "migrations were not applied");
  console.log(`ok     migrations: at ${(await known()).at(-1)}`);
}

async function migrate() {
  for (const version of await inTransaction("READ ONLY", pending)) {
    try {
      await inTransaction("READ WRITE", async (client) => {
        await client.query("LOCK TABLE schema_migrations IN EXCLUSIVE MODE");
        await client.query(await script(version));
        await client.query("INSERT INTO schema_migrations (version, applied_at) VALUES ($1, now())", [version]);
      });
    } catch (error) {
      throw new Error(`${version}: ${describe(error)}`, { cause: error });
    }
    console.log(`ok     ${version}: applied`);
  }
  await status();
}

try {
  await (process.argv.includes("--status") ? status() : migrate());
} catch (error) {
  console.error(`FAILED migrations: ${describe(error)}`);
  process.exitCode = 1;
}
