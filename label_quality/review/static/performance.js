// Model performance: the slider and what follows it, then curves, the confusion matrix, reasons and metrics. One subject or two.
import { h, get, guarded, UrlState, toast, count, words, queryOf, settled } from "./shell.js";
import { Chart } from "./charts.js";
import { ClassTable, reasonRows, tilesOf } from "./performance_parts.js";

const state = new UrlState({ model: "", batch: "", compare: "", with_model: "", with_batch: "", by: "bbox", iou: 0.5, score: 0, category: [], most: 12, target: "prediction", metric: "prediction:confidence", view: "importance" });
const known = await get("/api/performance/models").catch((error) => refuse(error.message));
if (known && !known.models.length) refuse("No model was judged: that needs predictions.");

function refuse(message) {
  document.getElementById("main").append(h("div", { class: "nothing" }, h("h2", {}, "No performance to show"), h("p", {}, message)));
  return null;
}

const models = () => known.by[state.by];
const pick = (name, k = 0) => (models().includes(name) ? name : models()[k] ?? models()[0] ?? "");
const inBatches = (name) => (known.batches.includes(name) ? name : "");

/** The one or two subjects, [model, batch]. */
function subjects() {
  const first = [pick(state.model), inBatches(state.batch)];
  return state.compare ? [first, [pick(state.with_model, 1), inBatches(state.with_batch)]] : [first];
}
const titleOf = ([model, batch]) => (batch ? `${model} in ${batch}` : model);
const asked = () => ({ subject: subjects().map((s) => JSON.stringify(s)), by: state.by });
const simulated = (model) => known.models.some((m) => m.model === model && m.simulated);

// The parts ------------------------------------------------------------------------------------------------------

const options = (list) => list.map(([value, title]) => h("option", { value }, title));
const chooser = (label, run) => { const element = h("select", { "aria-label": label, onchange: () => run(element.value) }); return element; };
const model = chooser("Model", (value) => change({ model: value }));
const batch = chooser("Batch", (value) => change({ batch: value }));
const withModel = chooser("Compared model", (value) => change({ with_model: value }));
const withBatch = chooser("Compared batch", (value) => change({ with_batch: value }));
const compare = h("button", { type: "button", onclick: () => change({ compare: state.compare ? "" : "yes" }) });
const by = h("div", { class: "segmented", role: "group", "aria-label": "Compared by" }, [["bbox", "Boxes"], ["segm", "Masks"]].map(([value, title]) =>
  h("button", { type: "button", data: { value }, onclick: () => change({ by: value }) }, title)));
const note = h("p", { class: "notice", hidden: true });
const iou = h("input", { type: "range", min: 0.1, max: 0.95, step: 0.01, "aria-label": "IoU that matches", oninput: () => slide() });
const iouText = h("output", { class: "numbers" });
const score = h("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Least confidence", oninput: () => slide() });
const scoreText = h("output", { class: "numbers" });
const category = chooser("Class", (value) => change({ category: value ? [value] : [] }, showLive));
const live = h("div", { class: "live", "aria-live": "polite" });
const coco = h("div", { class: "scroll" });
const curves = new Chart({ label: "Precision over recall", empty: "No label of this class." });
const table = new ClassTable({ onchoose: (name) => change({ category: state.category.includes(name) ? state.category.filter((c) => c !== name) : [...state.category, name].slice(-6) }, showLive) });
const matrices = h("div", { class: "sides" });
const most = chooser("How many categories", (value) => change({ most: +value }, showConfusion));
const reasons = h("div", { class: "sides" });
const gains = h("div", { class: "sides" });
const importance = h("div", { class: "sides" });
const target = h("div", { class: "segmented", role: "group", "aria-label": "Question" }, [["prediction", "Is a prediction right?"], ["annotation", "Is a label found?"]].map(([value, title]) =>
  h("button", { type: "button", data: { value }, onclick: () => change({ target: value }, showImportance) }, title)));
const view = h("div", { class: "segmented", role: "group", "aria-label": "Measure" }, [["importance", "Importance"], ["correlation", "Correlation"]].map(([value, title]) =>
  h("button", { type: "button", data: { value }, onclick: () => change({ view: value }, showImportance) }, title)));
const metric = chooser("Metric", (value) => change({ metric: value }, showByMetric));
const byMetric = h("div", { class: "sides" });

function part(title, controls, said, ...children) {
  return h("section", { class: "card part wide" }, h("header", {}, h("h3", {}, title), controls), said ? h("p", { class: "soft small" }, said) : null, ...children);
}

function lay() {
  document.getElementById("main").append(
    h("div", { class: "page-head" }, h("h1", {}, "Performance"), model, batch, compare, h("span", { class: "versus", hidden: true }, h("span", { class: "soft" }, "with"), withModel, withBatch), by),
    note,
    h("section", { class: "card control" },
      h("label", {}, h("span", {}, "IoU ", iouText), iou), h("label", {}, h("span", {}, "Confidence from ", scoreText), score), h("label", {}, h("span", {}, "Class"), category)),
    live,
    h("div", { class: "parts" },
      h("section", { class: "card part" }, h("header", {}, h("h3", {}, "Precision and recall")), curves.element, h("h3", {}, "As COCO counts"), coco),
      h("section", { class: "card part" }, h("header", {}, h("h3", {}, "By class"), h("span", { class: "soft small" }, "a click adds the class to the curves")), table.element)),
    h("div", { class: "parts" },
      part("What is taken for what", most, `Labels (rows) and predictions (columns) of confidence ${known.confusion.score} and more whose boxes or masks overlap by IoU ${known.confusion.iou} and more, whatever their classes. The stronger the colour, the larger the share of the row. A click opens the cases in the Explorer.`, matrices),
      part("Right, wrong, and why", null, "At IoU .50, as COCO matches; of the class that is chosen above, and of predictions from the confidence on. A click opens the cases.", reasons),
      part("What would be gained", null, "AP50 if all errors of one kind were fixed, or if the surest findings were accepted: the most that can be gained. Over all batches.", gains),
      part("Metrics and right or wrong", h("span", { class: "pair" }, target, view), "How much of the uncertainty about right or wrong each metric removes (Theil's U, with a 95 % interval), or how it goes with right (rank correlation). What lies within the interval of random, the control, tells nothing. Over all batches. A click shows the metric below.", importance),
      part("Performance by metric", metric, "Precision of predictions, and the rate of labels that are not found, in quantile bins with 95 % intervals. Over all batches.", byMetric)));
}

// What is asked --------------------------------------------------------------------------------------------------

function change(values, show = showAll) {
  state.change(values, true);
  showControls();
  guarded(show)();
}

async function showAll() {
  showControls();
  await guarded(showCounts)(); // first what people come for
  await Promise.all([showReasons, showScores, showConfusion, showGains, showImportance, showByMetric].map((show) => guarded(show)()));
  document.body.dataset.ready = "yes";
}

function showControls() {
  const all = known.batches.length === 1 ? known.batches[0] : `all ${known.batches.length} batches`;
  const places = [["", all], ...(known.batches.length > 1 ? known.batches.map((b) => [b, b]) : [])];
  for (const [element, list, value] of [[model, models(), pick(state.model)], [withModel, models(), pick(state.with_model, 1)]]) {
    element.replaceChildren(...options(list.map((m) => [m, simulated(m) ? `${m} (simulated)` : m])));
    element.value = value;
  }
  for (const [element, value] of [[batch, state.batch], [withBatch, state.with_batch]]) {
    element.replaceChildren(...options(places));
    element.value = inBatches(value);
  }
  const two = Boolean(state.compare);
  compare.textContent = two ? "One alone" : "Compare";
  compare.setAttribute("aria-pressed", String(two));
  withModel.parentElement.hidden = !two;
  press(by, state.by);
  for (const button of by.children) button.disabled = !known.by[button.dataset.value].length;
  press(target, state.target);
  press(view, state.view);
  iou.value = state.iou;
  score.value = state.score;
  showSlider();
  category.replaceChildren(...options([["", "all classes"], ...(state.category.length > 1 ? [["…", `${state.category.length} classes`]] : []), ...known.categories.map((c) => [c, c])]));
  category.value = state.category.length > 1 ? "…" : state.category[0] ?? "";
  most.replaceChildren(...options([[8, "8 most confused"], [12, "12 most confused"], [24, "24 most confused"], [400, "all categories"]]));
  most.value = String(state.most);
  metric.replaceChildren(...options(known.metrics.map((m) => [`${m.kind}:${m.metric}`, m.kind === "prediction" ? words(m.metric) : `${m.kind === "image" ? "image" : "label"}: ${words(m.metric)}`])));
  metric.value = state.metric;
  const made = [...new Set(subjects().map(([name]) => name))].filter(simulated);
  note.hidden = !made.length;
  note.textContent = `Simulated: no real model made the predictions of ${made.join(", ")}. The figures show how the program works, not how good a model is.`;
}

const press = (group, value) => { for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === value)); };

function showSlider() {
  iouText.textContent = (+iou.value).toFixed(2);
  scoreText.textContent = (+score.value).toFixed(2);
}

// The slider: one question is under way at a time, and the newest one waits. Whatever the pace, the last stop is answered.
let asking = null;
let waiting = false;
const settle = settled(() => guarded(showReasons)(), 250);

function slide() {
  showSlider();
  state.change({ iou: +iou.value, score: +score.value });
  guarded(showCounts)();
  settle();
}

async function showLive() {
  await Promise.all([showCounts(), showReasons()]);
}

async function showCounts() {
  if (asking) {
    waiting = true;
    return asking;
  }
  asking = (async () => {
    const slow = setTimeout(() => live.classList.add("busy"), 400);
    try {
      do {
        waiting = false;
        const values = { ...asked(), iou: state.iou, score: state.score };
        const [found, curve] = await Promise.all([get("/api/performance/counts", values), get("/api/performance/curves", { ...values, category: state.category })]);
        const names = subjects().map(titleOf);
        live.replaceChildren(...tilesOf(found, names, state.category));
        live.dataset.iou = found.iou;
        table.show(found, names, state.category);
        curves.show(curve.figure);
      } while (waiting);
    } finally {
      clearTimeout(slow);
      live.classList.remove("busy");
      asking = null;
    }
  })();
  return asking;
}

const turns = new Map(); // of a path, how often it was asked

/** As `get`; what something newer was asked meanwhile is dropped, so that no answer stands below another subject's name. */
async function newest(path, values) {
  const turn = (turns.get(path) ?? 0) + 1;
  turns.set(path, turn);
  const found = await get(path, values);
  if (turn !== turns.get(path)) throw new DOMException("asked again meanwhile", "AbortError");
  return found;
}

async function showScores() {
  const { scores } = await newest("/api/performance/scores", asked());
  const names = subjects().map(titleOf);
  coco.replaceChildren(h("table", { class: "small" },
    h("thead", {}, h("tr", {}, h("th", {}, ""), known.scores.map((s) => h("th", {}, s)))),
    h("tbody", {}, scores.map((row, k) => h("tr", {}, h("td", { class: "clip", title: names[k] }, names[k]), row.map((v) => h("td", { class: "numbers" }, v === null ? "–" : v.toFixed(3))))))));
}

/** One column for each subject, with its name above where there are two. */
function fillSides(element, parts) {
  const names = subjects().map(titleOf);
  element.classList.toggle("two", parts.length > 1);
  element.replaceChildren(...parts.map((part, k) => h("div", { class: "one-side" }, parts.length > 1 ? h("h4", {}, names[k]) : null, part)));
}

const explorer = (kind, [name, where], values) => `/explorer?${queryOf({ kind, model: name, batch: where ? [where] : [], by: state.by === "bbox" ? "" : state.by, ...values })}`;

async function showConfusion() {
  const found = await newest("/api/performance/confusion", { ...asked(), most: state.most });
  const two = subjects();
  const charts = found.figures.map((_, k) => new Chart({ label: "Confusion matrix", empty: "No prediction is sure enough to be counted.",
    onclick: (names, point) => {
      if (!point.z) return;
      const [label, predicted] = names;
      location.href = explorer(label === null ? "prediction" : "annotation", two[k], { batch: [], cell: JSON.stringify([label, predicted]), cell_batch: two[k][1] });
    } }));
  fillSides(matrices, charts.map((chart) => h("div", { class: "scroll" }, chart.element)));
  charts.forEach((chart, k) => chart.show(found.figures[k]));
}

async function showReasons() {
  const only = state.category.length === 1 ? state.category[0] : "";
  const found = await newest("/api/performance/reasons", { ...asked(), category: only, score: state.score || "" });
  const two = subjects();
  fillSides(reasons, found.subjects.map((rows, k) => reasonRows(rows, (kind, outcome, reason) => explorer(kind, two[k], {
    outcome, reason: reason ?? "", category: only, sort: kind === "prediction" ? "confidence" : "area", order: "desc",
    range: kind === "prediction" && state.score ? `confidence:${state.score}:` : "" }))));
}

async function showGains() {
  const found = await newest("/api/performance/gains", asked());
  fillCharts(gains, found.subjects.map((figure) => [figure, "What would be gained", "Nothing was computed: that is done by the job refresh."]));
}

function fillCharts(element, parts, onclick = null) {
  const charts = parts.map(([, label, empty]) => new Chart({ label, empty, onclick }));
  fillSides(element, charts.map((chart) => chart.element));
  charts.forEach((chart, k) => chart.show(parts[k][0]));
}

async function showImportance() {
  const found = await newest("/api/performance/importance", asked());
  const of = found.subjects.map((questions) => questions.find((q) => q.target === state.target));
  fillCharts(importance, of.map((q) => [q?.[state.view] ?? null, state.view, "Nothing was computed: that is done by the job refresh, from predictions."]),
    ({ kind, metric: name }) => { change({ metric: `${kind}:${name}` }, showByMetric); byMetric.closest("section").scrollIntoView({ behavior: "smooth", block: "nearest" }); });
}

async function showByMetric() {
  const [kind, name] = state.metric.split(":");
  const found = await newest("/api/performance/by_metric", { ...asked(), kind, metric: name });
  const made = found.subjects.map((questions) => questions.map((q) => ({ q, chart: new Chart({ label: `${q.measure} by ${name}` }) })));
  fillSides(byMetric, made.map((charts) => (charts.length
    ? h("div", { class: "questions" }, charts.map(({ q, chart }) => h("div", {}, h("h4", { class: "soft" }, q.question), chart.element)))
    : h("p", { class: "soft small nothing-drawn" }, "This metric has no values, or was not related to this model."))));
  made.flat().forEach(({ q, chart }) => chart.show(q.figure));
}

if (known?.models.length) {
  lay();
  window.addEventListener("popstate", () => location.reload());
  showAll();
}
