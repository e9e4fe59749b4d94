/**
 * A cell of a CSV table as RFC 4180 has it. A text that begins as a formula does gets an apostrophe before it, which
 * spreadsheets hide: https://owasp.org/www-community/attacks/CSV_Injection
 *
 * @param {string | number | boolean | null | undefined} value
 * @returns {string}
 */
export function csvCell(value) {
  const isFormula = typeof value === "string" && /^[=+\-@\t\r]/.test(value);
  const text = isFormula ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
