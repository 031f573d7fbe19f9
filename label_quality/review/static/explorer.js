// The Explorer: any image, label or prediction by any metric. Puts filters, histogram, tiles, viewer and tags together.
import { glyph, h, get, post, author, UrlState, toast, count, settled, words } from "./shell.js";
import { Chart } from "./charts.js";
import { KEYS, KINDS, ORDER, VIEWS } from "./explorer_views.js";
import { Filters } from "./explorer_filters.js";
import { Tiles } from "./tiles.js";
import { Viewer } from "./viewer.js";
import { chooseTag } from "./questions.js";
import { showHelp } from "./keys.js";

const FILTERS = { batch: [], category: [], model: "", tag: [], image_tag: [], untagged: "", range: [], by: "bbox", outcome: [], reason: [], outlier: "", severity: "", error: [], cell: "", cell_batch: "", image: "", like: "", near: "", map: "" };
const state = new UrlState({ kind: "annotation", ...FILTERS, sort: "", order: "", limit: 48, after: "", before: "", size: 190, hide: [] });

const known = await get("/api/explorer/known").catch((error) => {
  document.getElementById("main").append(h("div", { class: "nothing" }, h("h2", {}, "Nothing to explore"), h("p", {}, error.message)));
  throw error;
});

const sortOf = () => state.sort || known.sorted_by[state.kind];
const orderOf = () => state.order || ORDER[state.kind];
const filters = () => ({ kind: state.kind, ...Object.fromEntries(Object.keys(FILTERS).map((name) => [name, state[name]])) });
const asked = () => ({ ...filters(), sort: sortOf(), order: fixed() ? "asc" : orderOf() });
const fixed = () => Boolean(state.like || state.near); // the order follows from what is shown

// The parts ------------------------------------------------------------------------------------------------------

const kinds = h("div", { class: "segmented", role: "group", "aria-label": "What" }, Object.entries(KINDS).map(([kind, title]) =>
  h("button", { type: "button", data: { kind }, onclick: () => change({ kind, ...FILTERS, batch: state.batch, sort: "", order: "" }) }, title)));
const views = h("div", { class: "views", role: "group", "aria-label": "Views" });
const sort = h("select", { "aria-label": "Sort by", onchange: () => change({ sort: sort.value, like: "", near: "" }) });
const order = h("button", { type: "button", class: "icon order", onclick: () => change({ order: orderOf() === "asc" ? "desc" : "asc" }) });
const about = h("p", { class: "soft small about clip" });
const total = h("span", { class: "numbers total" });
const chart = new Chart({ label: "How the values lie that are sorted by: draw over it to choose a range", empty: "No value to draw.", onselect: (range) => range && brush(range.x) });
const side = document.getElementById("filters");
const filterBar = new Filters(side, state, known, (values) => change(values));
const bulk = h("div", { class: "bulk card", role: "region", "aria-label": "Selected", hidden: true });
const tiles = new Tiles({ onopen: (index) => viewer.open(tiles.items, index, state.kind), onselect: () => showBulk() });
const viewer = new Viewer({
  metrics: (kind) => known.metrics[kind],
  onlike: (item) => change({ ...FILTERS, kind: "image", batch: [], like: `${item.batch}/${item.image_id}`, sort: "", order: "" }),
  near: Boolean(known.looking_model),
  onnear: (item) => change({ ...FILTERS, near: `${item.batch}/${item.annotation_id}`, sort: "", order: "" }),
  onimage: (item, kind) => change({ ...FILTERS, kind, image: `${item.batch}/${item.image_id}`, sort: "", order: "" }),
  ontag: (item, remove, tag) => tagThings([item], remove, tag),
  onend: (step) => (step > 0 ? turnPage("after") : turnPage("before")),
});
const map = new Chart({ label: "Map of labels: those that look alike lie near each other", onclick: (label) => change({ ...FILTERS, near: label, sort: "", order: "" }),
  onselect: (range) => range && change({ map: [...range.x, ...range.y].map((v) => +v.toPrecision(6)).join(":") }) });
const mapNote = h("p", { class: "soft small" });
const mapPart = h("details", { class: "card map-part", hidden: true, ontoggle: () => showMap() }, h("summary", {}, "Map of labels"), mapNote, map.element);
const previous = h("button", { type: "button", onclick: () => turnPage("before") }, "Previous");
const next = h("button", { type: "button", onclick: () => turnPage("after") }, "Next");
const limit = h("select", { "aria-label": "How many on a page", onchange: () => change({ limit: +limit.value }) }, [24, 48, 96, 192].map((n) => h("option", { value: n }, `${n} on a page`)));
const LAYERS = { labels: "Labels", predictions: "Predictions" };
const layers = h("div", { class: "layers", role: "group", "aria-label": "Over the pictures" }, Object.entries(LAYERS).map(([name, title], k) =>
  h("button", { type: "button", class: `layer ${name}`, data: { name }, title: `${title} on or off (${k + 1})`, onclick: () => toggleLayer(name) }, title)));
const size = h("input", { type: "range", min: 110, max: 380, step: 10, value: state.size, "aria-label": "Size of the pictures", oninput: () => { state.change({ size: +size.value }); tiles.resize(state.size); } });
const nothing = h("div", { class: "nothing", hidden: true });

document.getElementById("main").append(
  h("div", { class: "explorer-head" }, h("button", { type: "button", class: "filters-button", onclick: () => side.classList.toggle("open") }, glyph("filter"), "Filters"), kinds, views),
  h("section", { class: "card sorted", "aria-label": "Order and range" },
    h("div", { class: "sorted-by" }, h("div", { class: "row" }, h("span", { class: "soft small" }, "Sort by"), sort, order), about),
    chart.element),
  mapPart,
  h("div", { class: "explorer-tools" }, total, filterBar.chips,
    h("span", { class: "end" }), layers, h("label", { class: "inline soft" }, "Size", size), limit),
  tiles.element, nothing, h("nav", { class: "pager", "aria-label": "Pages of the list" }, previous, next), bulk);
tiles.resize(state.size);
showLayers();

// What is asked --------------------------------------------------------------------------------------------------

let turn = 0;
let cursor = { first: null, last: null, more: false };

function change(values) {
  state.change({ after: "", before: "", ...values }, true);
  load();
}

function turnPage(direction) {
  const place = direction === "after" ? cursor.last : cursor.first;
  if (!place || (direction === "after" ? next.disabled : previous.disabled)) return false;
  state.change({ after: "", before: "", [direction]: place }, true);
  load({ counts: false, top: true, open: viewer.isOpen ? direction : null });
  return true;
}

/** Shows what the URL says: the items, then counts. Asked for at once they would keep each other waiting. */
async function load({ counts = true, top = false, open = null } = {}) {
  const mine = ++turn;
  showControls();
  try {
    const found = await get("/api/explorer/items", { ...asked(), limit: state.limit, after: state.after, before: state.before });
    if (mine !== turn) return;
    const { items, more } = found;
    cursor = { first: items[0]?.key ?? null, last: items.at(-1)?.key ?? null };
    previous.disabled = state.before ? !more : !state.after;
    next.disabled = state.before ? false : !more;
    tiles.show(items, state.kind, { sort: state.like ? "likeness" : state.near ? "nearness" : sortOf(), metric: metricOf(sortOf()) });
    nothing.hidden = items.length > 0;
    if (!items.length) sayNothing();
    showBulk();
    if (top) window.scrollTo({ top: 0 });
    if (open && items.length) viewer.open(items, open === "after" ? 0 : items.length - 1, state.kind);
    if (counts) await showCounts(mine);
    document.body.dataset.ready = String(mine);
  } catch (error) {
    if (mine !== turn) return;
    tiles.show([], state.kind, {});
    nothing.hidden = false;
    nothing.replaceChildren(h("h2", {}, "This cannot be shown"), h("p", {}, error.message), clearButton());
  }
}

async function showCounts(mine) {
  try {
    const [overview, facets] = await Promise.all([get("/api/explorer/overview", asked()), get("/api/explorer/facets", asked())]);
    if (mine !== turn) return;
    const { total: n, without_value: without } = overview;
    total.textContent = `${count(n)} ${n === 1 ? { image: "image", annotation: "label", prediction: "prediction" }[state.kind] : KINDS[state.kind].toLowerCase()}`;
    total.title = without ? `${count(without)} more have no value of this metric` : "";
    if (without) total.append(h("span", { class: "soft small" }, ` · ${count(without)} without a value`));
    filterBar.take(facets);
    chart.element.hidden = fixed();
    await chart.show(withRange(overview.figure));
  } catch (error) {
    if (mine === turn && error.status !== 400) toast(error.message, { wrong: true });
  }
}

const metricOf = (name) => known.metrics[state.kind].find((m) => m.name === name);

/** The chosen range of the metric, as it is drawn over the histogram. */
function withRange(figure) {
  if (!figure) return null;
  const { edges } = figure.layout.meta;
  const range = state.range.find((r) => r.split(":")[0] === sortOf());
  if (!range) return figure;
  const [, low, high] = range.split(":");
  const place = (value, otherwise) => (value === "" ? otherwise : placeOf(edges, Number(value)));
  const [from, to] = [place(low, 0), place(high, edges.length - 1)];
  const shade = (x0, x1) => ({ type: "rect", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1, fillcolor: "--card", opacity: 0.72, line: { width: 0 }, layer: "above" });
  return { ...figure, layout: { ...figure.layout, shapes: [shade(0, from), shade(to, edges.length - 1)] } };
}

function placeOf(edges, value) {
  const k = edges.findIndex((edge) => edge >= value);
  if (k === 0) return 0;
  if (k < 0) return edges.length - 1;
  return k - 1 + (value - edges[k - 1]) / (edges[k] - edges[k - 1] || 1);
}

/** A brush over the histogram: whole bins. */
function brush([from, to]) {
  const { edges } = chart.figure.layout.meta;
  const low = Math.max(Math.floor(from + 0.25), 0);
  const high = Math.min(Math.max(Math.ceil(to - 0.25), low + 1), edges.length - 1);
  const others = state.range.filter((r) => r.split(":")[0] !== sortOf());
  const ends = `${low > 0 ? edges[low] : ""}:${high < edges.length - 1 ? edges[high] : ""}`;
  change({ range: ends === ":" ? others : [...others, `${sortOf()}:${ends}`] });
}

function showControls() {
  for (const button of kinds.children) button.setAttribute("aria-pressed", String(button.dataset.kind === state.kind));
  sort.replaceChildren(...known.metrics[state.kind].map((m) => h("option", { value: m.name }, m.control ? `${words(m.name)} (control)` : words(m.name))));
  if (fixed()) sort.prepend(h("option", { value: "" }, "likeness"));
  sort.value = fixed() ? "" : sortOf();
  const up = (fixed() ? "asc" : orderOf()) === "asc";
  order.replaceChildren(glyph(up ? "up" : "down"));
  order.disabled = fixed();
  order.title = up ? "Smallest first" : "Largest first";
  order.setAttribute("aria-label", order.title);
  const metric = metricOf(sortOf());
  about.textContent = state.like ? "Bits of 64 in which the perceptual hashes differ: 0 looks the same." : state.near ? `Labels that look most like this one to ${known.looking_model}, the nearest first.` : metric ? `${metric.description}${metric.unit ? ` [${metric.unit}]` : ""}` : "";
  about.title = about.textContent;
  limit.value = String(state.limit);
  const there = new Set(known.metrics[state.kind].map((m) => m.name));
  views.replaceChildren(...VIEWS[state.kind].filter(([, v]) => (!v.sort || there.has(v.sort)) && (!v.outcome || known.models.length)).map(([title, values]) => {
    const on = Object.entries(values).every(([name, value]) => JSON.stringify(name === "sort" ? sortOf() : name === "order" ? orderOf() : state[name]) === JSON.stringify(value));
    return h("button", { type: "button", class: "chip", "aria-pressed": String(on), onclick: () => change({ ...FILTERS, batch: state.batch, category: state.category, sort: "", order: "", ...values }) }, title);
  }));
  mapPart.hidden = state.kind !== "annotation" || !known.looking_model;
  filterBar.show();
}

let mapped = false;

async function showMap() {
  if (!mapPart.open || mapped) return;
  mapped = true;
  const found = await get("/api/explorer/map");
  mapNote.textContent = `Labels that look alike to ${found.model} lie near each other${found.drawn < found.labels ? `: a sample of ${count(found.drawn)} of ${count(found.labels)}` : ""}. Draw a box to see what lies in it; a click shows what looks like that label.`;
  await map.show(found.figure);
}

const clearButton = () => h("button", { type: "button", onclick: () => change({ ...FILTERS }) }, "Take all filters off");

function sayNothing() {
  nothing.replaceChildren(h("h2", {}, "Nothing to show"), h("p", {}, `No ${KINDS[state.kind].toLowerCase().replace(/s$/, "")} with a value of ${words(sortOf())} fits these filters.`), clearButton());
}

/** Labels and predictions over the tiles, or not; "all" hides both, or shows them again. */
function toggleLayer(name) {
  const all = Object.keys(LAYERS);
  const hidden = name === "all" ? (state.hide.length ? [] : all) : all.filter((one) => state.hide.includes(one) !== (one === name));
  state.change({ hide: hidden });
  showLayers();
}

function showLayers() {
  for (const button of layers.children) {
    const hidden = state.hide.includes(button.dataset.name);
    button.setAttribute("aria-pressed", String(!hidden));
    tiles.element.classList.toggle(`no-${button.dataset.name}`, hidden);
  }
}

// Selecting and tagging ------------------------------------------------------------------------------------------

function showBulk() {
  const n = tiles.selected.size;
  bulk.hidden = n === 0;
  if (!n) return;
  bulk.replaceChildren(h("strong", { class: "numbers" }, `${count(n)} selected`),
    h("button", { type: "button", class: "primary", onclick: () => tagThings(tiles.chosen) }, glyph("tag"), "Tag"),
    h("button", { type: "button", onclick: () => tagThings(tiles.chosen, true) }, "Take a tag off"),
    h("button", { type: "button", onclick: () => tiles.selectAll() }, `All ${tiles.items.length} on this page`),
    h("button", { type: "button", class: "quiet", onclick: () => tiles.clear() }, "Clear"));
}

async function tagThings(items, remove = false, named = null) {
  const chosen = named ? { text: named } : await (remove ? chooseTag("Which tag is to go?", { allowNew: false }) : chooseTag());
  if (!chosen) return;
  const who = await author();
  if (!who) return;
  const { kind } = state;
  const things = items.map((item) => ({ kind, batch: item.batch, image_id: item.image_id,
    ...(kind === "annotation" ? { annotation_id: item.annotation_id } : {}), ...(kind === "prediction" ? { model: item.model, prediction_id: item.prediction_id } : {}) }));
  try {
    await post("/api/tags", { author: who, tag: chosen.text, things, remove });
  } catch (error) {
    toast(error.message, { wrong: true });
    return;
  }
  for (const item of items) item.tags = [...new Set([...item.tags.filter((t) => t !== chosen.text), ...(remove ? [] : [chosen.text])])].sort();
  tiles.refresh(items);
  viewer.refresh();
  const back = { label: "Undo", run: () => tagThings(items, !remove, chosen.text) };
  toast(`${remove ? "Taken off" : "Tagged"}: ${chosen.text}, ${count(items.length)} ${items.length === 1 ? "thing" : "things"}`, { action: named ? null : back });
  refreshFacets();
}

const refreshFacets = settled(async () => filterBar.take(await get("/api/explorer/facets", asked())), 100);

// Keys -----------------------------------------------------------------------------------------------------------

document.getElementById("help").addEventListener("click", () => showHelp(KEYS));

document.addEventListener("keydown", (event) => {
  if (event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, dialog")) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "a" && tiles.items.length) { event.preventDefault(); tiles.selectAll(true); }
    return;
  }
  if (event.key === "Escape" && tiles.selected.size) tiles.clear();
  else if (event.key === "t" && tiles.selected.size) { event.preventDefault(); tagThings(tiles.chosen); }
  else if (event.key === "h") toggleLayer("all");
  else if (event.key === "1" || event.key === "2") toggleLayer(Object.keys(LAYERS)[event.key - 1]);
  else if (event.key === "?") showHelp(KEYS);
  else if (event.key === "/") { event.preventDefault(); side.classList.toggle("open"); filterBar.focus(); }
});
window.addEventListener("popstate", () => location.reload());
load();
