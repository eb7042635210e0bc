// pnpm db:reconcile: after a restore, bring derived values up to date and name what does not agree.
import { row, rows } from "./database.js";
import { known, pending } from "./migrations.js";
import { refuse, runSteps } from "./report.js";

async function schemaVersion(client) {
  refuse(await pending(client), "migrations that this release needs were not applied");
  return `at ${(await known()).at(-1)}`;
}

/** Sequences that would hand out a number that is taken already are moved past it. */
async function sequences(client) {
  const columns = await rows(
    client,
    `SELECT table_name, column_name,
       pg_get_serial_sequence(quote_ident(table_schema) || '.' || quote_ident(table_name), column_name) AS sequence
     FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES' ORDER BY table_name`,
  );
  const moved = [];
  for (const { table_name: table, column_name: column, sequence } of columns) {
    const highest = `(SELECT max(${client.escapeIdentifier(column)}) FROM public.${client.escapeIdentifier(table)})`;
    if (await movePast(client, sequence, highest)) {
      moved.push(sequence);
    }
  }
  const highestNumber = "(SELECT max(substr(number, 4)::bigint) FROM orders)";
  if (await movePast(client, "public.order_number_seq", highestNumber)) {
    moved.push("public.order_number_seq");
  }
  return moved.length > 0 ? `moved ${moved.join(", ")}` : `${columns.length + 1} are past every number in use`;
}

async function movePast(client, sequence, highest) {
  const { is_behind: isBehind } = await row(
    client,
    `SELECT coalesce(${highest} >= last_value + is_called::integer, false) AS is_behind FROM ${sequence}`,
  );
  if (isBehind) {
    await client.query(`SELECT setval('${sequence}', ${highest})`);
  }
  return isBehind;
}

async function payments(client) {
  const wrong = await rows(
    client,
    `SELECT o.number FROM orders AS o LEFT JOIN (
       SELECT order_id,
         coalesce(sum(amount_cents) FILTER (WHERE status = 'captured'), 0) AS captured,
         coalesce(sum(amount_cents) FILTER (WHERE status = 'refunded'), 0) AS refunded
       FROM payments GROUP BY order_id
     ) AS p ON p.order_id = o.id
     WHERE (coalesce(p.captured, 0), coalesce(p.refunded, 0)) IS DISTINCT FROM (
       CASE WHEN o.status IN ('paid', 'refunded') THEN o.total_cents ELSE 0 END,
       CASE WHEN o.status = 'refunded' THEN o.total_cents ELSE 0 END)
     ORDER BY o.id`,
  );
  refuse(
    wrong.map((each) => each.number),
    "orders do not agree with their payments",
  );
  const strays = await rows(
    client,
    "SELECT p.id FROM payments AS p LEFT JOIN orders AS o ON o.id = p.order_id WHERE o.id IS NULL ORDER BY p.id",
  );
  refuse(
    strays.map((each) => each.id),
    "payments belong to no order",
  );
  const sum = await row(
    client,
    `SELECT count(*)::integer AS orders, coalesce(sum(total_cents) FILTER (WHERE status = 'paid'), 0) / 100.0 AS paid
     FROM orders`,
  );
  return `${sum.orders} orders agree with their payments, ${Number(sum.paid).toFixed(2)} EUR are paid`;
}

/** Codes are printed on paper: one that is missing cannot be made up. */
async function certificates(client) {
  const missing = await rows(
    client,
    `SELECT e.id FROM enrollments AS e LEFT JOIN certificates AS c ON c.enrollment_id = e.id
     WHERE e.status = 'completed' AND c.id IS NULL ORDER BY e.id`,
  );
  refuse(
    missing.map((each) => each.id),
    "completed enrollments have no certificate",
  );
  const unearned = await rows(
    client,
    `SELECT c.code FROM certificates AS c LEFT JOIN enrollments AS e ON e.id = c.enrollment_id
     WHERE e.status IS DISTINCT FROM 'completed' ORDER BY c.id`,
  );
  refuse(
    unearned.map((each) => each.code),
    "certificates without a completed enrollment",
  );
  const { count } = await row(client, "SELECT count(*)::integer AS count FROM certificates");
  return `${count}, one for each completed enrollment`;
}

/** What can be computed is computed anew, from what cannot. */
async function courseTotals(client) {
  const changed = await client.query(
    `INSERT INTO course_totals AS t (course_id, enrolled, completed, revenue_cents)
     SELECT c.id,
       (SELECT count(*) FROM enrollments AS e WHERE e.course_id = c.id AND e.status <> 'cancelled'),
       (SELECT count(*) FROM enrollments AS e WHERE e.course_id = c.id AND e.status = 'completed'),
       (SELECT coalesce(sum(total_cents), 0) FROM orders AS o WHERE o.course_id = c.id AND o.status = 'paid')
     FROM courses AS c
     ON CONFLICT (course_id) DO UPDATE SET
       enrolled = excluded.enrolled, completed = excluded.completed, revenue_cents = excluded.revenue_cents
     WHERE (t.enrolled, t.completed, t.revenue_cents)
       IS DISTINCT FROM (excluded.enrolled, excluded.completed, excluded.revenue_cents)`,
  );
  return `${changed.rowCount} courses had other totals and were brought up to date`;
}

await runSteps("READ WRITE", {
  "schema version": schemaVersion,
  sequences,
  payments,
  certificates,
  "course totals": courseTotals,
});
