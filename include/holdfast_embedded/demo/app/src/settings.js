// The settings of a recovery environment: everything that could reach the world is off, or nothing is run.
import { Fault, demand } from "./report.js";

const OFF = { PAYMENTS_ENABLED: "false", EMAIL_DELIVERY: "disabled" };

/** The settings of the check; throws a Fault where payments or e-mail may be on, or something is not set. */
export function recoverySettings(environment) {
  for (const [name, value] of Object.entries(OFF)) {
    if (environment[name] !== value) {
      throw new Fault(`settings: ${name} is ${environment[name] ?? "not set"}, the check runs only with ${value}`);
    }
  }
  for (const name of ["DATABASE_URL", "STORAGE_PATH", "SESSION_SECRET"]) {
    demand(environment[name], `settings: ${name} is not set`);
  }
  return { storage: environment.STORAGE_PATH, sessionSecret: environment.SESSION_SECRET };
}
