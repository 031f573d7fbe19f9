// What every page needs: elements, JSON, the state in the URL, messages, who one is, light and dark.
// Text from the data goes into pages by `h` only, as text: there is no innerHTML anywhere.

/** An element: `h("a", {href, class, onclick, data: {…}}, child, "text", …)`. Attributes that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

/** The same in SVG's namespace. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

const GLYPHS = {
  out: "M5 12h14", in: "M12 5v14M5 12h14", target: "M12 3v4M12 17v4M3 12h4M17 12h4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8",
  whole: "M4 6h16v12H4zM8 14l3-3 2 2 3-3", full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5", close: "M6 6l12 12M18 6L6 18",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18", sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19",
  contrast: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16", filter: "M4 6h16M7 12h10M10 18h4",
  tag: "M4 4h7l9 9-7 7-9-9zM8 8v.01", up: "M12 20V5M6 11l6-6 6 6", down: "M12 4v15M6 13l6 6 6-6", left: "M15 5l-7 7 7 7", right: "M9 5l7 7-7 7",
  help: "M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8M12 17.5v.01",
};

/** A small drawn sign, in the colour of the text. */
export const glyph = (name) => s("svg", { class: "glyph", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: GLYPHS[name] }));

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "style") for (const [property, v] of Object.entries(value)) element.style.setProperty(property, v);
    else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
}

/** What the server said no to; `message` is its sentence, `status` 0 where it was not reached. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server does not answer.", 0);
  }
  if (answer.ok) return answer.json();
  throw await refusalOf(answer);
}

/** What an answer that is not well says. */
export async function refusalOf(answer) {
  let said = `The server answered ${answer.status}.`;
  try {
    said = (await answer.json()).error ?? said;
  } catch {
    // not JSON: the status says enough
  }
  return new Refusal(said, answer.status);
}

/** JSON of a path below /api; parameters that are empty are left out, lists are repeated. */
export function get(path, parameters = {}, options = {}) {
  const query = queryOf(parameters).toString();
  return ask(query ? `${path}?${query}` : path, options);
}

export function post(path, body) {
  const headers = { "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export function queryOf(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined) query.append(name, one);
    }
  }
  return query;
}

/** The state of a page as it stands in the URL. `defaults` gives names and types; what equals its default is left out. */
export class UrlState {
  constructor(defaults) {
    this.defaults = defaults;
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(defaults)) {
      if (Array.isArray(value)) this[name] = query.has(name) ? query.getAll(name).filter(Boolean) : [...value];
      else if (!query.has(name)) this[name] = value;
      else if (typeof value === "number") this[name] = Number.isFinite(+query.get(name)) ? +query.get(name) : value;
      else this[name] = query.get(name);
    }
  }

  values() {
    return Object.fromEntries(Object.keys(this.defaults).map((name) => [name, this[name]]));
  }

  isDefault(name) {
    return JSON.stringify(this[name]) === JSON.stringify(this.defaults[name]);
  }

  /** Changes values and writes them into the URL; `push` makes a step that Back undoes. */
  change(values, push = false) {
    Object.assign(this, values);
    const query = new URLSearchParams();
    for (const name of Object.keys(this.defaults)) {
      if (this.isDefault(name)) continue;
      const value = this[name];
      // A list that was emptied is not the same as one that is not mentioned.
      if (Array.isArray(value)) for (const one of value.length ? value : [""]) query.append(name, one);
      else query.append(name, value);
    }
    const url = location.pathname + (query.size ? `?${query}` : "");
    if (url === location.pathname + location.search) return;
    history[push ? "pushState" : "replaceState"](null, "", url);
  }
}

/** A message at the foot of the page. `action`: {label, run}. */
export function toast(message, { wrong = false, action = null, seconds = wrong ? 7 : 3.5 } = {}) {
  const element = h("div", { class: `toast${wrong ? " wrong" : ""}`, role: wrong ? "alert" : null }, message);
  if (action) {
    element.append(h("button", { type: "button", onclick: () => { element.remove(); action.run(); } }, action.label));
  }
  const all = document.getElementById("toasts");
  while (all.children.length >= 3) all.firstChild.remove();
  all.append(element);
  setTimeout(() => element.remove(), seconds * 1000);
}

/** Who decides; asks where nobody has said so yet. Null when the question was not answered. */
export async function author() {
  return localStorage.getItem("author") || document.body.dataset.author || (await askAuthor());
}

export function askAuthor() {
  const input = h("input", { type: "text", maxlength: 80, value: localStorage.getItem("author") ?? document.body.dataset.author, "aria-label": "Your name" });
  const box = h("dialog", {},
    h("form", { class: "dialog", method: "dialog" },
      h("h2", {}, "Who are you?"),
      h("p", { class: "soft" }, "Your name stands beside each of your decisions, so that others can see who made them."),
      input,
      h("footer", {}, h("button", { value: "no", formnovalidate: true }, "Cancel"), h("button", { class: "primary", value: "yes" }, "Use this name"))));
  document.body.append(box);
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      const name = box.returnValue === "yes" ? input.value.trim() : "";
      if (name) localStorage.setItem("author", name);
      showWho();
      box.remove();
      resolve(name || null);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); box.close("yes"); }
    });
    box.showModal();
    input.select();
  });
}

function showWho() {
  const name = localStorage.getItem("author") || document.body.dataset.author;
  document.getElementById("who").textContent = name ? `● ${name}` : "Who are you?";
}

function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  window.dispatchEvent(new Event("themechange"));
}

document.getElementById("theme").append(glyph("theme"));
document.getElementById("help").append(glyph("help"));
document.getElementById("who").addEventListener("click", askAuthor);
document.getElementById("theme").addEventListener("click", toggleTheme);
showWho();

/** `0.1234` as `12 %`. */
export const percent = (value, digits = 0) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(digits)} %`);
/** A whole number with thin spaces between thousands. */
export const count = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"));
/** `wrong_class` as `wrong class`. */
export const words = (name) => String(name).replaceAll("_", " ");

/** `run`, whose failure is told; that something newer was asked meanwhile is none. */
export const guarded = (run) => async () => {
  try {
    await run();
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { wrong: true });
  }
};

/** Calls `run` once nothing has asked for it for `milliseconds`. */
export function settled(run, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
}
