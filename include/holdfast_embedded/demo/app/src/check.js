// pnpm check: does the application work with what was restored? It changes nothing.
import { createHmac, timingSafeEqual } from "node:crypto";
import { auditLog, certificates } from "./records.js";
import { row, rows } from "./database.js";
import { isReadable, matches } from "./passwords.js";
import { demand, refuse, runSteps } from "./report.js";
import { recoverySettings } from "./settings.js";
import { render } from "./templates.js";

// The demo's own learner, whose password is no secret.
const LEARNER = { email: "user0014@example.org", password: "curiosity never expires" };

function sessionToken(userId, secret) {
  return `${userId}.${createHmac("sha256", secret).update(String(userId)).digest("base64url")}`;
}

async function login(client, { sessionSecret }) {
  const accounts = await rows(client, "SELECT email, password_hash FROM users WHERE deleted_at IS NULL ORDER BY id");
  refuse(
    accounts.filter((each) => !isReadable(each.password_hash)).map((each) => each.email),
    "accounts have no readable password",
  );
  const user = await row(
    client,
    "SELECT id, password_hash FROM users WHERE lower(email) = $1 AND deleted_at IS NULL",
    [LEARNER.email],
  );
  demand(user, `${LEARNER.email} does not exist`);
  demand(matches(LEARNER.password, user.password_hash), `${LEARNER.email} cannot log in with its password`);
  demand(!matches(`${LEARNER.password}!`, user.password_hash), `${LEARNER.email} can log in with another password`);
  const token = sessionToken(user.id, sessionSecret);
  const again = sessionToken(token.split(".")[0], sessionSecret);
  demand(timingSafeEqual(Buffer.from(token), Buffer.from(again)), "a session cannot be read back");
  return `${LEARNER.email} logs in; ${accounts.length} accounts have passwords`;
}

async function enrollment(client) {
  const courses = await rows(
    client,
    `SELECT c.title FROM enrollments AS e JOIN users AS u ON u.id = e.user_id JOIN courses AS c ON c.id = e.course_id
     WHERE u.email = $1 AND e.status <> 'cancelled' AND c.published_at IS NOT NULL ORDER BY e.id`,
    [LEARNER.email],
  );
  demand(courses.length > 0, `${LEARNER.email} is enrolled in nothing`);
  return `${LEARNER.email} sees ${courses.map((each) => each.title).join(", ")}`;
}

async function progress(client) {
  const strays = await rows(
    client,
    `SELECT DISTINCT p.enrollment_id FROM lesson_progress AS p LEFT JOIN enrollments AS e ON e.id = p.enrollment_id
     LEFT JOIN lessons AS l ON l.id = p.lesson_id AND l.course_id = e.course_id WHERE l.id IS NULL ORDER BY 1`,
  );
  refuse(
    strays.map((each) => each.enrollment_id),
    "enrollments have progress in lessons of no course of theirs",
  );
  const unfinished = await rows(
    client,
    `SELECT e.id FROM enrollments AS e JOIN lessons AS l USING (course_id)
     LEFT JOIN lesson_progress AS p ON p.enrollment_id = e.id AND p.lesson_id = l.id
     WHERE e.status = 'completed' GROUP BY e.id HAVING count(p.finished_at) < count(*) ORDER BY e.id`,
  );
  refuse(
    unfinished.map((each) => each.id),
    "completed enrollments lack finished lessons",
  );
  const { count } = await row(client, "SELECT count(*)::integer AS count FROM lesson_progress");
  demand(count > 0, "there is none");
  return `${count} lessons were watched; whoever completed a course has finished all of its lessons`;
}

async function emailTemplates(client) {
  const templates = await rows(client, "SELECT * FROM email_templates ORDER BY key, locale");
  demand(templates.length > 0, "there is none");
  const lacking = await rows(
    client,
    `SELECT k.key || ' ' || l.locale AS name FROM (SELECT DISTINCT key FROM email_templates) AS k
     CROSS JOIN (SELECT DISTINCT locale FROM users) AS l
     LEFT JOIN email_templates AS t ON t.key = k.key AND t.locale = l.locale WHERE t.key IS NULL ORDER BY 1`,
  );
  refuse(
    lacking.map((each) => each.name),
    "templates lack a language that users have",
  );
  for (const template of templates) {
    render(template, { name: "Learner 14", link: "https://coursepedia.example.org/" });
  }
  return `${templates.length} templates render; nothing was sent`;
}

let settings;
try {
  settings = recoverySettings(process.env);
} catch (error) {
  console.error(`FAILED ${error.message}`);
  process.exit(1);
}
await runSteps("READ ONLY", {
  login: (client) => login(client, settings),
  enrollment,
  "lesson progress": progress,
  "email templates": emailTemplates,
  certificates: (client) => certificates(client, settings.storage),
  "audit log": auditLog,
});
