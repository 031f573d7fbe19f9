// The Summary: error rates, then images, labels or predictions: what is unusual, how values lie, two metrics together.
import { h, get, guarded, UrlState, count, percent, words, queryOf } from "./shell.js";
import { Chart } from "./charts.js";

const KINDS = { image: "Images", annotation: "Labels", prediction: "Predictions" };
const FIRST = { image: ["object_count", "object_density"], annotation: ["area", "aspect_ratio"], prediction: ["confidence", "iou"] };
const TYPES = ["any", "missing", "wrong_class", "inaccurate", "duplicate", "spurious"];
const state = new UrlState({ batch: "", type: "any", kind: "annotation", metric: "", x: "", y: "" });
const go = (page, values) => { location.href = `${page}?${queryOf(values)}`; };
const batches = () => (state.batch ? [state.batch] : []);

// The parts ------------------------------------------------------------------------------------------------------

const tiles = h("div", { class: "tiles" });
const note = h("p", { class: "notice", hidden: true });
const batch = h("select", { "aria-label": "Batch", onchange: () => change({ batch: batch.value }) });
const type = select("Type of error", TYPES.map((t) => [t, t === "any" ? "all types" : words(t)]), (value) => change({ type: value }, showErrors));
const rates = new Chart({ label: "Error rates by type", empty: "Nothing was judged: that needs predictions.",
  onclick: (link) => go("/", { ...link, batch: batches() }) });
const categories = new Chart({ label: "Error rates by category", empty: "No category has an expected error of this type.",
  onclick: (link) => go("/", { ...link, batch: batches() }) });
const ratesNote = h("p", { class: "soft small" });
const reviewed = h("div", { class: "scroll" });
const batchTable = h("section", { class: "card part wide", hidden: true });
const kinds = h("div", { class: "segmented", role: "group", "aria-label": "Of what" }, Object.entries(KINDS).map(([kind, title]) =>
  h("button", { type: "button", data: { kind }, onclick: () => change({ kind, metric: "", x: "", y: "" }, showKind) }, title)));
const outlierTiles = h("div", { class: "tiles small" });
const outliers = new Chart({ label: "Outliers by metric", empty: "No object is unusual by any metric that could be judged.",
  onclick: (link) => go("/explorer", { kind: state.kind, sort: link.outlier, order: "desc", batch: batches(), ...link }) });
const outliersNote = h("p", { class: "soft small" });
const farthest = h("div", { class: "scroll" });
const perCategory = new Chart({ label: "How many of each category", onclick: (link) => go("/explorer", { kind: state.kind, batch: batches(), ...link }) });
const perCategoryNote = h("p", { class: "soft small" });
const metric = select("Metric", [], (value) => change({ metric: value }, showDistribution));
const distribution = new Chart({ label: "How the values of the metric lie", empty: "No object has a value of this metric.",
  onclick: (_, point) => openBin(point.pointIndex) });
const distributionNote = h("p", { class: "soft small" });
const x = select("Horizontal", [], (value) => change({ x: value }, showScatter));
const y = select("Vertical", [], (value) => change({ y: value }, showScatter));
const scatter = new Chart({ label: "Two metrics", empty: "No object has values of both metrics.",
  onclick: (image) => go("/explorer", { kind: state.kind, image, sort: state.x }), onselect: (range) => showSelected(range) });
const scatterNote = h("p", { class: "soft small" });
const selected = h("button", { type: "button", class: "primary", hidden: true }, "Show these in the Explorer");

document.getElementById("main").append(
  h("div", { class: "page-head" }, h("h1", {}, "Summary"), h("label", { class: "inline" }, h("span", { class: "soft" }, "Batch"), batch)),
  tiles, note,
  h("div", { class: "parts" },
    part("Estimated label errors", null, rates.element, reviewed, ratesNote),
    part("By category", type, h("div", { class: "scroll tall" }, categories.element)),
    batchTable),
  h("div", { class: "page-head second" }, h("h2", {}, "Quality metrics"), kinds),
  h("div", { class: "parts" },
    h("div", { class: "stack" },
      part("Outliers", null, outlierTiles, outliers.element, outliersNote, farthest)),
    h("div", { class: "stack" },
      part("Categories", null, h("div", { class: "scroll" }, perCategory.element), perCategoryNote),
      part("Distribution", metric, distribution.element, distributionNote)),
    wide(part("Two metrics", h("span", { class: "pair" }, x, h("span", { class: "soft" }, "by"), y), scatter.element, h("div", { class: "spread" }, scatterNote, selected)))));

function part(title, control, ...children) {
  return h("section", { class: "card part" }, h("header", {}, h("h3", {}, title), control), ...children);
}

function wide(section) {
  section.classList.add("wide");
  return section;
}

function select(label, options, run) {
  const element = h("select", { "aria-label": label, onchange: () => run(element.value) });
  fill(element, options);
  return element;
}

function fill(element, options) {
  element.replaceChildren(...options.map(([value, title]) => h("option", { value }, title)));
}

function tile(number, title, { detail = "", href = null, wrong = false } = {}) {
  const inner = [h("span", { class: "number numbers" }, number), h("span", { class: "soft small" }, title), detail ? h("span", { class: "soft small detail" }, detail) : null];
  return href ? h("a", { class: `tile card${wrong ? " wrong" : ""}`, href }, inner) : h("div", { class: "tile card" }, inner);
}

// What is asked --------------------------------------------------------------------------------------------------

let turn = 0;

function change(values, show = showAll) {
  state.change(values, true);
  guarded(show)();
}

async function showAll() {
  await Promise.all([showErrors(), showKind()]);
}

async function showErrors() {
  const { batch: of, type: error } = state;
  const found = await get("/api/summary/errors", { batch: of, type: error });
  if (of !== state.batch || error !== state.type) return;
  const { totals } = found;
  const all = found.rates.find((r) => r.error_type === "any");
  const only = queryOf({ batch: batches() });
  const explore = (kind) => `/explorer?${queryOf({ kind, batch: batches() })}`;
  fill(batch, [["", found.batches.length === 1 ? found.batches[0].batch : `all ${found.batches.length}`], ...(found.batches.length > 1 ? found.batches.map((b) => [b.batch, b.batch]) : [])]);
  batch.value = found.batches.length > 1 ? of : "";
  type.value = error;
  tiles.replaceChildren(
    (all?.reviewed_rate ?? null) !== null
      ? tile(percent(all.reviewed_rate, 1), "errors, by the random sample", { detail: `${percent(all.reviewed_low, 1)} to ${percent(all.reviewed_high, 1)} of labels, ${count(all.n_sampled)} answers`, href: `/?${queryOf({ batch: batches(), sample: "only" })}` })
      : tile(all?.rate === null || !all?.judged ? "not judged" : percent(all.rate, 1), "estimated errors", { detail: all?.judged && all.rate !== null ? `${percent(all.rate_low, 1)} to ${percent(all.rate_high, 1)} of labels` : "needs predictions", href: `/?${only}` }),
    tile(count(totals.findings), "findings", { detail: `${count(all?.reviewed ?? 0)} reviewed, ${count(all?.accepted ?? 0)} errors`, href: `/?${queryOf({ batch: batches(), p_min: 0 })}` }),
    tile(count(totals.images), "images", { detail: totals.median_width ? `median ${totals.median_width} × ${totals.median_height} px` : "", href: explore("image") }),
    tile(count(totals.labels), "labels", { detail: `${count(totals.categories)} categories`, href: explore("annotation") }),
    tile(count(totals.predictions), "predictions", { detail: `${totals.models} ${totals.models === 1 ? "model" : "models"}`, href: explore("prediction") }),
    tile(count(totals.quarantined), "records not taken", { detail: totals.quarantined ? "see table quarantine" : "all were taken" }));
  note.hidden = !found.simulated.length;
  note.textContent = `Simulated: no real model made the predictions of ${found.simulated.join(", ")}. They show how the program works, not how good a model is.`;
  const unjudged = found.rates.filter((r) => !r.judged && r.error_type !== "any").map((r) => words(r.error_type));
  ratesNote.textContent = `Rate = ${found.formula}, with the 95 % interval that follows if p_error is right. ${found.calibrated ? "" : "p_error is not calibrated: rates rank types, categories and batches, they do not measure. "}${unjudged.length ? `Not judged, for want of predictions: ${unjudged.join(", ")}. ` : ""}A click opens the queue.`;
  reviewed.replaceChildren(reviewedRows(found.rates));
  batchTable.hidden = found.batches.length < 2;
  if (found.batches.length > 1) batchTable.replaceChildren(h("header", {}, h("h3", {}, "Batches")), batchRows(found.batches));
  document.body.dataset.ready = "yes";
  await Promise.all([rates.show(found.rates_figure), categories.show(found.categories_figure)]);
}

function bySample(r) {
  if (r.reviewed_rate === null) return r.n_sampled ? `${count(r.n_sampled)} answers: too few` : "–";
  return h("span", { title: "Rate by answers to cards that were drawn at random, with its 95 % interval" },
    `${percent(r.reviewed_rate, 1)}, ${percent(r.reviewed_low, 1)} to ${percent(r.reviewed_high, 1)}`, h("br"), h("span", { class: "soft" }, `${count(r.n_sampled)} answers`));
}

/** Estimates beside what people have found. */
function reviewedRows(rows) {
  const known = rows.filter((r) => r.judged).sort((a, b) => (a.error_type === "any") - (b.error_type === "any") || b.expected_errors - a.expected_errors);
  return h("table", { class: "small" },
    h("thead", {}, h("tr", {}, ["Type", "Expected", "Findings", "Reviewed", "Errors", "By the sample"].map((t) => h("th", {}, t)))),
    h("tbody", {}, known.map((r) => h("tr", {},
      h("td", {}, h("a", { href: `/?${queryOf({ type: r.error_type === "any" ? "" : r.error_type, batch: batches() })}` }, r.error_type === "any" ? "all together" : words(r.error_type))),
      [r.expected_errors.toLocaleString("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 }), count(r.findings), count(r.reviewed), r.reviewed ? `${count(r.accepted)} (${percent(r.accepted / r.reviewed)})` : "–", bySample(r)].map((c) => h("td", { class: "numbers" }, c))))));
}

function batchRows(rows) {
  const cells = (b) => [count(b.images), count(b.labels), b.names ?? "none", count(b.predictions), count(b.quarantined), count(b.findings),
    b.judged && b.rate !== null ? `${percent(b.rate, 1)} (${percent(b.rate_low, 1)} to ${percent(b.rate_high, 1)})` : "not judged"];
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Batch", "Images", "Labels", "Models", "Predictions", "Not taken", "Findings", "Estimated errors"].map((t) => h("th", {}, t)))),
    h("tbody", {}, rows.map((b) => h("tr", {}, h("td", {}, h("button", { type: "button", class: "link", onclick: () => change({ batch: b.batch }) }, b.batch)), cells(b).map((c) => h("td", { class: "numbers" }, c)))))));
}

async function showKind() {
  const mine = ++turn;
  for (const button of kinds.children) button.setAttribute("aria-pressed", String(button.dataset.kind === state.kind));
  const found = await get("/api/summary/kind", { kind: state.kind, batch: state.batch });
  if (mine !== turn) return;
  const names = found.metrics.map((m) => m.name);
  const usable = names.filter((n) => !found.without.includes(n));
  const pick = (value, k) => (names.includes(value) ? value : usable.includes(FIRST[state.kind][k]) ? FIRST[state.kind][k] : usable[k] ?? names[k]);
  Object.assign(state, { metric: pick(state.metric, 0), x: pick(state.x, 0), y: pick(state.y, 1) });
  for (const element of [metric, x, y]) fill(element, found.metrics.map((m) => [m.name, m.control ? `${words(m.name)} (control)` : words(m.name)]));
  showOutliers(found);
  const { per_category: per } = found;
  perCategoryNote.textContent = `${per.drawn < per.all ? `The ${per.drawn} largest of ${count(per.all)} categories. ` : ""}Pale: half the median or less, few to learn from. A click opens the Explorer.`;
  await Promise.all([outliers.show(found.outliers_figure), perCategory.show(found.per_category_figure), showDistribution(), showScatter()]);
}

function showOutliers(found) {
  const { outliers: total, bounds } = found;
  const open = (severity) => `/explorer?${queryOf({ kind: state.kind, outlier: "any", severity, batch: batches() })}`;
  const share = (n) => `${percent(n / Math.max(total.objects, 1), 1)} of ${count(total.objects)}`;
  outlierTiles.replaceChildren(...(total ? [
    tile(count(total.severe), "severe", { detail: share(total.severe), href: open("severe"), wrong: total.severe > 0 }),
    tile(count(total.moderate), "moderate", { detail: share(total.moderate), href: open("moderate") })] : []));
  const said = total
    ? `More than ${bounds.moderate} (moderate) or ${bounds.severe} (severe) robust standard deviations from the median, on the metric's own scale and at its bad end${state.batch ? ", over all batches" : ""}. Unusual is not wrong. An object counts once in the totals. ${found.usual ? `Nothing unusual by ${found.usual} more metrics. ` : ""}`
    : state.kind === "prediction" ? "Outliers of predictions are not judged: what is unusual about a prediction says little about the labels." : "Outliers are computed by the job refresh, over all batches.";
  outliersNote.textContent = `${said}${found.without.length ? ` No value to judge: ${found.without.map(words).join(", ")}.` : ""}`;
  outliers.element.hidden = !total;
  farthest.replaceChildren(...(found.farthest.length ? [farthestRows(found.farthest)] : []));
}

const short = (value) => (value === null || value === undefined ? "" : Math.abs(value) >= 1000 ? count(value) : String(+value.toPrecision(3)));
const usual = (o) => (o.low === null ? `at most ${short(o.high)}` : o.high === null ? `at least ${short(o.low)}` : `${short(o.low)} to ${short(o.high)}`);

function farthestRows(rows) {
  return h("table", { class: "small" },
    h("thead", {}, h("tr", {}, ["Farthest out", "Value", "Usual", "Among"].map((t) => h("th", {}, t)))),
    h("tbody", {}, rows.slice(0, 8).map((o) => h("tr", {},
      h("td", {}, h("a", { href: `/explorer?${queryOf({ kind: o.kind, image: `${o.batch}/${o.image_id}`, sort: o.metric, outlier: o.metric })}` }, words(o.metric)), h("span", { class: "soft" }, ` ${o.annotation_id === null ? o.file_name ?? o.image_id : `label ${o.annotation_id}`}`)),
      h("td", { class: "numbers" }, short(o.value)), h("td", { class: "numbers soft" }, usual(o)), h("td", { class: "soft" }, o.group_name ?? "all")))));
}

let bins = null;

async function showDistribution() {
  const { kind, metric: name, batch: of } = state;
  metric.value = name;
  const found = await get("/api/summary/distribution", { kind, metric: name, batch: of });
  if (name !== state.metric || kind !== state.kind) return;
  bins = found.figure?.layout.meta.edges ?? null;
  const without = found.objects - found.valued;
  distributionNote.textContent = `${found.description}. ${found.quartiles.length ? `Quartiles ${found.quartiles.map(short).join(", ")}. ` : ""}${without ? `${count(without)} have no value. ` : ""}A click on a bar opens the Explorer.`;
  await distribution.show(found.figure);
}

function openBin(k) {
  if (!bins || k + 1 >= bins.length) return;
  go("/explorer", { kind: state.kind, sort: state.metric, batch: batches(), range: `${state.metric}:${k ? bins[k] : ""}:${k + 2 < bins.length ? bins[k + 1] : ""}` });
}

async function showScatter() {
  const { kind, x: across, y: up, batch: of } = state;
  x.value = across;
  y.value = up;
  selected.hidden = true;
  const found = await get("/api/summary/scatter", { kind, x: across, y: up, batch: of });
  if (across !== state.x || up !== state.y || kind !== state.kind) return;
  const sample = found.shown < found.objects ? `a sample of ${count(found.shown)} of ${count(found.objects)}` : `all ${count(found.objects)}`;
  scatterNote.textContent = found.shown ? `${sample}; rank correlation ${found.correlation === null ? "none" : found.correlation.toFixed(2)}. Draw a box to see what lies in it, or click a point.` : "";
  await scatter.show(found.shown ? found.figure : null);
}

function showSelected(range) {
  selected.hidden = !range;
  if (!range) return;
  selected.onclick = () => go("/explorer", { kind: state.kind, sort: state.x, batch: batches(), range: [`${state.x}:${range.x[0]}:${range.x[1]}`, `${state.y}:${range.y[0]}:${range.y[1]}`] });
}

window.addEventListener("popstate", () => location.reload());
guarded(showAll)();
