// What others rely on for years: certificates with their files, and the audit log.
import { open } from "node:fs/promises";
import { join, normalize } from "node:path";
import { row, rows } from "./database.js";
import { demand, refuse } from "./report.js";

const CODE = /^CP-[0-9A-F]{4}-[0-9A-F]{4}$/;
const VERIFY = "https://coursepedia.example.org/verify/";
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Codes, links and, of the files below `storage`, those that were restored: it may be a sample. */
export async function certificates(client, storage) {
  const all = await rows(client, "SELECT code, qr_url, qr_path FROM certificates ORDER BY id");
  demand(all.length > 0, "there is none");
  refuse(
    all.filter((each) => !CODE.test(each.code) || each.qr_url !== VERIFY + each.code).map((each) => each.code),
    "certificates have a code or link that verifies nothing",
  );
  const unearned = await rows(
    client,
    `SELECT c.code FROM certificates AS c LEFT JOIN enrollments AS e ON e.id = c.enrollment_id
     WHERE c.issued_at < e.completed_at OR e.completed_at IS NULL ORDER BY c.id`,
  );
  refuse(
    unearned.map((each) => each.code),
    "certificates were issued before the course was completed",
  );
  const files = all.flatMap((each) => [`certificates/${each.code}.png`, each.qr_path]);
  const kinds = new Map();
  for (const path of files) {
    kinds.set(path, await kind(storage, path));
  }
  refuse(
    files.filter((path) => kinds.get(path) === "broken"),
    "files are no pictures",
  );
  const present = files.filter((path) => kinds.get(path) === "picture").length;
  return `${all.length} codes have their links; of ${files.length} pictures ${present} are here and whole`;
}

async function kind(storage, path) {
  const place = normalize(path);
  if (place.startsWith("..") || place.startsWith("/")) {
    return "broken";
  }
  let file;
  try {
    file = await open(join(storage, place));
  } catch (error) {
    return error.code === "ENOENT" ? "absent" : "broken";
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PNG.length), 0, PNG.length, 0);
    return bytesRead === PNG.length && PNG.equals(buffer) ? "picture" : "broken";
  } catch {
    return "broken";
  } finally {
    await file.close();
  }
}

/** Entries are only ever added: later ones have higher numbers and later times, and none is gone. */
export async function auditLog(client) {
  const disordered = await rows(
    client,
    `SELECT id FROM (SELECT id, at, lag(at) OVER (ORDER BY id) AS before FROM audit_log) AS entries
     WHERE at < before ORDER BY id`,
  );
  refuse(
    disordered.map((each) => each.id),
    "entries are older than the entry before them",
  );
  const unlogged = await rows(
    client,
    `SELECT c.code FROM certificates AS c LEFT JOIN audit_log AS a
       ON a.entity = 'certificates' AND a.action = 'certificate.issued' AND a.entity_id = c.id
       AND a.details ->> 'code' = c.code
     WHERE a.id IS NULL ORDER BY c.id`,
  );
  refuse(
    unlogged.map((each) => each.code),
    "certificates were issued without an entry",
  );
  const unloggedOrders = await rows(
    client,
    `SELECT o.number FROM orders AS o LEFT JOIN audit_log AS a ON a.entity = 'orders' AND a.entity_id = o.id
     WHERE a.id IS NULL ORDER BY o.id`,
  );
  refuse(
    unloggedOrders.map((each) => each.number),
    "orders were placed without an entry",
  );
  const { count } = await row(client, "SELECT count(*)::integer AS count FROM audit_log");
  return `${count} entries, in order, one for every order and certificate`;
}
