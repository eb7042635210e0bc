// The migrations that this release knows: those from before there were files, then the files in their order.
import { readFile, readdir } from "node:fs/promises";
import { rows } from "./database.js";
import { refuse } from "./report.js";

const FOLDER = new URL("../migrations/", import.meta.url);
const FIRST = [
  "0001_courses_and_orders",
  "0002_media_files",
  "0003_passwords",
  "0004_certificate_qr",
  "0005_course_totals",
];

/** Their versions, in the order in which they are applied. */
export async function known() {
  const found = await readdir(FOLDER).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const files = found.filter((name) => /^[0-9]{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return [...FIRST, ...files.map((name) => name.slice(0, -".sql".length))];
}

/** The SQL of one that has a file. */
export function script(version) {
  return readFile(new URL(`${version}.sql`, FOLDER), "utf8");
}

/** Those of this release that the database lacks; throws a Fault where it has others, which are newer. */
export async function pending(client) {
  const versions = await known();
  const applied = (await rows(client, "SELECT version FROM schema_migrations ORDER BY version")).map(
    (each) => each.version,
  );
  refuse(
    applied.filter((version) => !versions.includes(version)),
    "migrations are newer than this release",
  );
  return versions.filter((version) => !applied.includes(version));
}
