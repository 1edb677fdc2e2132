/**
 * The smallest set of cards for each row of a range.
 *
 * The first row of the range names the columns as the query parameters of GET /v1/plans are named: model, ctx, users, gpu,
 * quant, kind … Columns with other names are left alone. The whole range is one request.
 *
 *   =GPUFIT(A1:E20)
 *   =GPUFIT(A1:E20; "cards,gpu,monthly_usd,power_watts")
 *
 * @param {Array<Array<string|number>>} range Column names, and a question on each row below them.
 * @param {string} fields What to show, separated by commas.
 * @return A row of names, and the answer of each row.
 * @customfunction
 */
function GPUFIT(range, fields) {
  const server = "{{SERVER}}";
  const wanted = (fields || "cards,gpu,quantization,required_gib,headroom_percent,monthly_usd").replace(/\s/g, "").split(",");
  const names = range[0].map(String);
  const questions = range.slice(1).map((row) => Object.fromEntries(
    row.map((value, i) => [names[i], value]).filter(([name, value]) => name !== "" && value !== "")));
  const asked = questions.filter((question) => Object.keys(question).length > 0);
  if (asked.length === 0) return [["status", ...wanted]];
  const response = UrlFetchApp.fetch(server + "/v1/plans/batch?fields=" + encodeURIComponent(wanted.join(",")), {
    method: "post",
    contentType: "application/json",
    headers: { Accept: "application/json" },
    payload: JSON.stringify(asked),
    muteHttpExceptions: true,
  });
  const answer = JSON.parse(response.getContentText());
  if (response.getResponseCode() !== 200) throw new Error(answer.detail);
  const own = names.map((name) => name.toLowerCase());
  const column = (name) => (own.includes(name) ? "plan_" + name : name);
  const cell = (value) => (value === null || value === undefined ? "" : value);
  const answers = answer.rows.map((row) => [
    row[column("error")] || row[column("status")],
    ...wanted.map((name) => cell(row[column(name)])),
  ]);
  const rows = questions.map((question) =>
    (Object.keys(question).length > 0 ? answers.shift() : ["", ...wanted.map(() => "")]));
  return [["status", ...wanted], ...rows];
}
