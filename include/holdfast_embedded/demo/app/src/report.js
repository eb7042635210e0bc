// What a script says: a line for each area, then how it ended; its exit status is 0 only when nothing was wrong.
import { inTransaction } from "./database.js";

const NAMED = 5;

/** Something that is wrong in the data or the settings, in words for a person. */
export class Fault extends Error {}

/** Throw a Fault that names the first few of `found`, where there are any. */
export function refuse(found, what) {
  if (found.length > 0) {
    const more = found.length > NAMED ? ", …" : "";
    throw new Fault(`${found.length} ${what}: ${found.slice(0, NAMED).join(", ")}${more}`);
  }
}

/** Throw a Fault unless `truth` holds. */
export function demand(truth, otherwise) {
  if (!truth) {
    throw new Fault(otherwise);
  }
}

/**
 * Run every step of `steps` (area → function of the connection that returns what it did) in one transaction, and tell
 * all faults, not only the first; any fault takes all changes back.
 */
export async function runSteps(mode, steps) {
  try {
    await inTransaction(mode, async (client) => {
      const failed = [];
      for (const [area, step] of Object.entries(steps)) {
        if (!(await runStep(client, area, step))) {
          failed.push(area);
        }
      }
      const all = Object.keys(steps).length;
      demand(failed.length === 0, `${failed.length} of ${all} areas are not in order: ${failed.join(", ")}`);
    });
  } catch (error) {
    console.error(`FAILED ${describe(error)}`);
    process.exitCode = 1;
  }
}

async function runStep(client, area, step) {
  await client.query("SAVEPOINT step");
  try {
    console.log(`ok     ${area}: ${await step(client)}`);
    return true;
  } catch (error) {
    await client.query("ROLLBACK TO SAVEPOINT step");
    console.error(`FAILED ${area}: ${describe(error)}`);
    return false;
  }
}

/** What went wrong, in words. */
export function describe(error) {
  // A refused connection may carry its reasons in a list and no message of its own.
  return error.message || error.errors?.map((each) => each.message).join("; ") || String(error);
}
