// E-mails are rendered from rows of email_templates, whose {{names}} stand for values.
import { demand } from "./report.js";

const PLACEHOLDER = /\{\{\s*(\w+)\s*\}\}/g;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(text) {
  return String(text).replace(/[&<>"]/g, (character) => ESCAPES[character]);
}

/** The e-mail's body; throws a Fault where the template asks for what it does not declare, or is empty. */
export function render(template, values) {
  const name = `${template.key} (${template.locale})`;
  demand(template.subject.trim() && template.body_html.trim(), `${name} is empty`);
  const body = template.body_html.replace(PLACEHOLDER, (_, variable) => {
    demand(template.variables.includes(variable), `${name} uses {{${variable}}}, which it does not declare`);
    demand(variable in values, `${name} uses {{${variable}}}, for which there is no value`);
    return escape(values[variable]);
  });
  demand(!body.includes("{{") && !body.includes("}}"), `${name} has a placeholder that cannot be read`);
  return body;
}
