// The page works without this: a form and links. Here answers come as the question changes.
const form = document.getElementById("question");
const results = document.getElementById("results");
const status = document.getElementById("status");
const PAUSE = {slide: 20, type: 250, grow: 150};
let asking = new AbortController();
let growing = new AbortController();
const LONGEST = 8000;
const hints = new Map();
let waiting = 0;
const sliders = [...form.querySelectorAll("[type=range]")];
document.documentElement.classList.add("live");

// What the form says, as the page's own links say it.
function question() {
  const found = new Map();
  for (const [name, value] of new FormData(form)) {
    const text = name === "config" ? compact(value) : value.trim();
    if (text) found.set(name, found.has(name) ? `${found.get(name)},${text}` : text);
  }
  return new URLSearchParams([...found]).toString();
}

// A config without its white space; one that is no JSON goes as it is, and the answer says so.
function compact(text) {
  try { return text.trim() && JSON.stringify(JSON.parse(text)); } catch { return text.trim(); }
}

async function html(address, signal) {
  const answer = await fetch(address, {signal, headers: {Accept: "text/html"}});
  const text = await answer.text();
  const kind = answer.headers.get("Content-Type") ?? "";
  if (!kind.startsWith("text/html")) throw new Error(`the service answered ${answer.status}`);
  return text;
}

function soon(pause) {
  clearTimeout(waiting);
  waiting = setTimeout(ask, pause);
}

// A failure of the way, not an answer: said above the last answer, and aloud.
function fail(text) {
  results.querySelector(".failure")?.remove();
  const said = document.createElement("p");
  said.className = "failure trouble";
  said.textContent = text;
  results.prepend(said);
  status.textContent = text;
}

async function ask() {
  asking.abort();
  if (question().length > LONGEST) {
    fail("The question is too long for a link. POST the config to /v1/plans instead.");
    return;
  }
  asking = new AbortController();
  results.setAttribute("aria-busy", "true");
  try {
    show(await html(`/page/results?${question()}`, asking.signal));
  } catch (error) {
    if (error.name === "AbortError") return;
    fail(`No answer: ${error.message}. The last one still stands.`);
  }
  results.removeAttribute("aria-busy");
}

// The new results, with what was open, focused and scrolled left as it was.
function show(text) {
  const open = new Set([...results.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  const focused = results.contains(document.activeElement) ? document.activeElement.id : "";
  const grown = document.getElementById("growth-table")?.innerHTML;
  results.innerHTML = text;
  for (const one of results.querySelectorAll("details")) one.open = open.has(one.dataset.key);
  if (focused) document.getElementById(focused)?.focus();
  const table = document.getElementById("growth-table");
  if (table && grown) table.innerHTML = grown;
  const said = results.querySelector("[data-spoken]");
  status.textContent = said.dataset.spoken;
  if (said.dataset.query !== undefined) history.replaceState(null, "", `/?${said.dataset.query}`);
  else history.replaceState(null, "", `/?${question()}`);
  document.title = `${results.querySelector("h2").textContent} · GPU memory planner`;
  mark();
  assume();
  grow(PAUSE.grow);
}

// What was assumed for fields that are left empty stands in them, and their sliders follow.
function assume() {
  for (const slider of sliders) document.getElementById(slider.dataset.for).placeholder = "default";
  for (const row of results.querySelectorAll("[data-assumed]")) {
    const field = document.getElementById(row.dataset.assumed);
    if (field?.matches("input[type=text]")) field.placeholder = row.cells[1].textContent;
  }
  sliders.forEach(follow);
}

// Fields that the answer names as wrong.
function mark() {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    if (hints.has(field)) field.setAttribute("aria-describedby", hints.get(field));
    else field.removeAttribute("aria-describedby");
  }
  for (const wrong of results.querySelectorAll("[data-field]")) {
    const name = wrong.dataset.field === "parameters" ? "model" : wrong.dataset.field;
    const field = document.getElementById(name);
    if (!field || !form.contains(field)) continue;
    wrong.id = `wrong-${name}`;
    field.setAttribute("aria-invalid", "true");
    const hint = field.getAttribute("aria-describedby");
    if (hint && !hints.has(field)) hints.set(field, hint);
    field.setAttribute("aria-describedby", `${hints.get(field) ?? ""} ${wrong.id}`.trim());
    field.closest("details")?.setAttribute("open", "");
  }
}

// The table of users and context takes longer, so it comes after the answer.
function grow(pause) {
  growing.abort();
  growing = new AbortController();
  const {signal} = growing;
  const table = document.getElementById("growth-table");
  if (!table) return;
  setTimeout(async () => {
    if (signal.aborted) return;
    try {
      const whole = await html(`/page/growth?${table.dataset.growth}`, signal);
      const page = new DOMParser().parseFromString(whole, "text/html");
      table.innerHTML = page.getElementById("growth-table").innerHTML;
    } catch (error) {
      if (error.name !== "AbortError") table.textContent = `No answer: ${error.message}.`;
    }
  }, pause);
}

// Sliders run over 1, 1.5, 2, 3, 4, 6, 8 …: as many steps for each doubling.
const valueAt = (step) => Math.round(2 ** Math.floor(step / 2) * (step % 2 ? 1.5 : 1));
function stepOf(value) {
  const whole = Math.floor(Math.log2(Math.max(1, value)));
  return 2 * whole + (value >= 1.5 * 2 ** whole ? 1 : 0);
}
function number(text) {
  const found = /^(\d+)([kKmM]?)$/.exec(text.trim());
  return found ? Number(found[1]) * {"": 1, k: 1024, m: 1048576}[found[2].toLowerCase()] : NaN;
}
function follow(slider) {
  const field = document.getElementById(slider.dataset.for);
  const value = number(field.value || field.placeholder);
  if (!Number.isNaN(value)) slider.value = stepOf(value);
  slider.setAttribute("aria-valuetext", field.value || field.placeholder);
}

for (const slider of sliders) {
  const field = document.getElementById(slider.dataset.for);
  follow(slider);
  slider.addEventListener("input", (event) => {
    event.stopPropagation();
    field.value = valueAt(Number(slider.value));
    slider.setAttribute("aria-valuetext", field.value);
    soon(PAUSE.slide);
  });
  field.addEventListener("input", () => follow(slider));
}

form.addEventListener("input", (event) => {
  if (event.target.id === "filter") return narrow(event.target.value);
  soon(event.target.matches("select, [type=checkbox]") ? 0 : PAUSE.type);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  soon(0);
});

function narrow(text) {
  const words = text.toLowerCase().split(/[\s,]+/).filter(Boolean);
  for (const tick of form.querySelectorAll(".group .tick")) {
    const name = tick.textContent.toLowerCase();
    tick.hidden = words.length > 0 && !words.some((word) => name.includes(word));
  }
}

document.getElementById("model").addEventListener("focus", async () => {
  document.getElementById("models").innerHTML = await html("/page/models");
}, {once: true});

results.addEventListener("click", async (event) => {
  const {copy, pick, into} = event.target.closest("button")?.dataset ?? {};
  if (copy) {
    const text = document.getElementById(copy);
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      text.select();
      document.execCommand("copy");
    }
    status.textContent = "Copied.";
    event.target.closest("button").firstChild.textContent = "Copied";
  }
  if (pick) {
    document.getElementById(into).value = pick;
    soon(0);
  }
});

addEventListener("beforeprint", () => {
  for (const term of results.querySelectorAll("details")) term.open = true;
});
addEventListener("pageshow", (event) => {
  if (event.persisted) soon(0);
});

mark();
if (!document.querySelector("#growth-table table")) grow(0);
