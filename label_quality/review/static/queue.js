// The queue page: puts filters, list, stage, panel, strip and grid together, and says what each key does.
import { glyph, h, get, post, UrlState, toast, author, count, settled } from "./shell.js";
import { List, nameOf } from "./list.js";
import { Decisions } from "./decisions.js";
import { Stage } from "./stage.js";
import { Panel, VERDICTS } from "./panel.js";
import { FilterBar } from "./filters.js";
import { Grid, Strip } from "./cards.js";
import { ProgressBar } from "./progress.js";
import { actionOf, showHelp } from "./keys.js";
import { draftForLabel, draftOf, fixOf, forgetDraft } from "./drafts.js";
import { labelOf } from "./shapes.js";
import { forgetScenes, prefetch } from "./scenes.js";
import { chooseClass, chooseTag, askNote } from "./questions.js";

const CUT = Number(document.getElementById("main").dataset.cut); // of the calibration
const FILTERS = { type: [], status: ["open"], category: [], size: [], outcome: [], model: [], batch: [], tag: [], p_min: CUT, p_max: 1, confidence_min: 0, confidence_max: 1 };
const state = new UrlState({ ...FILTERS, sort: "p_error", order: "desc", group: "image", view: "focus", sample: "mixed", at: "" });
const filters = () => Object.fromEntries(Object.keys(FILTERS).map((name) => [name, state[name]]));
const asked = () => ({ ...filters(), sort: state.sort, order: state.order, group: state.group,
  // Who looks for something is not asked about something else in between.
  sample: state.sample === "mixed" && (state.sort !== "p_error" || state.order !== "desc" || String(state.status) !== "open") ? "none" : state.sample });

let scene = null;
let selected = null; // a label aside: {label, draft}

// The parts ------------------------------------------------------------------------------------------------------

const list = new List({ onchange: () => show(), onpublished: () => publishedAnew() });
const decisions = new Decisions({
  onchange: () => showMarks(),
  onwritten: () => countSoon(),
  onrefused: (finding, error) => refused(finding, error),
  onpending: (n) => { document.body.classList.toggle("saving", n > 0); place.textContent = n ? "saving …" : ""; },
});
const stage = new Stage({
  onselect: (label) => select(label),
  onbox: (box) => changeDraft({ box, mask: null }, { editing: true }),
  ondrawn: (box) => drawn(box),
  onfull: (on) => document.body.classList.toggle("full", on),
});
const panel = new Panel({ run: (action) => run(action) });
const strip = new Strip({ ongo: (name) => go(list.find(name)) });
const grid = new Grid({ onopen: (name) => open(name), onselect: () => showBulk(), onend: () => list.loadMore() });
const progress = new ProgressBar();
const side = document.getElementById("filters");
const filterBar = new FilterBar(side, state, () => load());

const sort = h("select", { "aria-label": "Sort", onchange: () => { const [by, order] = sort.value.split(" "); change({ sort: by, order }); } },
  [["p_error desc", "Surest first"], ["p_error asc", "Least sure first"], ["confidence desc", "Confidence, highest first"], ["confidence asc", "Confidence, lowest first"],
    ["area desc", "Largest first"], ["area asc", "Smallest first"], ["iou asc", "IoU, lowest first"], ["iou desc", "IoU, highest first"]].map(([value, title]) => h("option", { value }, title)));
const grouped = h("input", { type: "checkbox", onchange: () => change({ group: grouped.checked ? "image" : "none" }) });
const sampling = h("select", { "aria-label": "Random sample", title: "Cards that were drawn at random, whose answers measure the error rate", onchange: () => change({ sample: sampling.value }) },
  [["mixed", "With the sample"], ["none", "Without the sample"], ["only", "Sample only"]].map(([value, title]) => h("option", { value }, title)));
const views = Object.fromEntries([["focus", "One by one"], ["grid", "Many"]].map(([name, title]) => [name, h("button", { type: "button", title: `${title} (g)`, onclick: () => setView(name) }, title)]));
const bulk = h("div", { class: "bulk card", hidden: true });
const place = h("div", { class: "place numbers soft small" });
const focus = h("div", { class: "focus" }, h("div", { class: "focus-main" }, stage.element, strip.element), panel.element);
const nothing = h("div", { class: "nothing", hidden: true });

document.getElementById("main").append(
  h("div", { class: "queue-head" },
    progress.element,
    h("div", { class: "queue-tools" },
      h("button", { type: "button", class: "filters-button", onclick: () => side.classList.toggle("open") }, glyph("filter"), "Filters"),
      filterBar.chips, place,
      h("label", { class: "check" }, grouped, "By picture"), sampling, sort, h("div", { class: "segmented" }, Object.values(views)))),
  nothing, focus, grid.element, bulk);

// What is loaded and shown -----------------------------------------------------------------------------------------

let loads = 0;

async function load(at = "") {
  selected = null;
  sort.value = `${state.sort} ${state.order}`;
  sampling.value = state.sample;
  grouped.checked = state.group === "image";
  grid.clear();
  strip.clear();
  const turn = (loads += 1);
  document.body.classList.add("loading");
  try {
    await list.load(asked(), at);
  } catch (error) {
    say(error.message, "The queue could not be loaded.");
  }
  await countNow();
  if (turn === loads) document.body.classList.remove("loading");
}

function change(values) {
  state.change(values, true);
  load();
}

/** Shows the current finding; the picture only where it is another one. */
function show() {
  const finding = list.current;
  for (const [name, button] of Object.entries(views)) button.setAttribute("aria-pressed", String(state.view === name));
  nothing.hidden = Boolean(finding);
  focus.hidden = !finding || state.view !== "focus";
  grid.element.hidden = !finding || state.view !== "grid";
  if (!finding) return empty();
  state.change({ at: nameOf(finding) });
  if (state.view === "grid") {
    grid.show(list);
    showBulk();
    return null;
  }
  bulk.hidden = true;
  strip.show(list);
  if (shown !== finding) showPicture(finding);
  else showPanel();
  return null;
}

let shown = null;

async function showPicture(finding) {
  shown = finding;
  scene = null;
  selected = null;
  showPanel();
  try {
    scene = (await stage.show(finding, null, draftOf(finding))) ?? scene;
  } catch (error) {
    toast(error.message, { wrong: true });
    return;
  }
  if (shown !== finding) return;
  showPanel();
  scene?.outlines.then(() => shown === finding && showPanel(), () => {});
  prefetch(list.findings.slice(list.index + 1, list.index + 5));
  freshen(finding);
}

/** What others decided meanwhile. */
async function freshen(finding) {
  if (finding.finding_id === null) return;
  const begun = performance.now();
  try {
    const now = await get("/api/queue/finding", { batch: finding.batch, finding_id: finding.finding_id });
    // What this page has written meanwhile is newer than the answer.
    if (decisions.pending || finding.touched > begun) return;
    if (now.seq === finding.seq && now.status === finding.status && String(now.tags) === String(finding.tags)) return;
    list.update(now);
    showMarks();
  } catch (error) {
    if (error.status === 404) gone(finding);
  }
}

function showPanel() {
  const finding = list.current;
  if (!finding || state.view !== "focus") return;
  const label = selected?.label ?? (scene ? labelOf(finding, scene) : finding.annotation_id === null ? null : finding);
  panel.show({ finding, label, draft: draft(), scene, outlines: stage.outlines, selected: selected?.label ?? null });
}

/** Verdicts changed: their badges, without the picture. */
function showMarks() {
  if (!list.current) return;
  if (state.view === "grid") grid.show(list);
  else {
    strip.show(list);
    showPanel();
  }
}

function empty() {
  shown = null;
  stage.clear();
  const onlyOpen = state.status.length === 1 && state.status[0] === "open";
  nothing.replaceChildren(
    h("div", { class: "mark" }, "✓"), h("h2", {}, onlyOpen ? "Nothing is left here" : "No finding matches"),
    h("p", {}, onlyOpen ? "Everything that these filters show has been decided." : "Take a filter off, or lower the probability from which findings are shown."),
    h("div", { class: "row" },
      onlyOpen ? h("button", { type: "button", onclick: () => filterBar.change({ status: [] }) }, "Show what was decided") : null,
      state.p_min > 0 ? h("button", { type: "button", onclick: () => filterBar.change({ p_min: Math.max(0, Math.round((state.p_min - 0.2) * 100) / 100) }) }, "Show less sure ones") : null,
      h("button", { type: "button", onclick: () => filterBar.reset() }, "Reset the filters")));
  return null;
}

function say(message, title) {
  nothing.hidden = false;
  focus.hidden = grid.element.hidden = true;
  nothing.replaceChildren(h("h2", {}, title), h("p", {}, message), h("button", { type: "button", onclick: () => load() }, "Try again"));
}

async function countNow() {
  try {
    const found = await get("/api/queue/facets", filters());
    filterBar.take(found.facets);
    progress.show(found.progress);
    if (list.generation && found.generation !== list.generation && !list.loading) publishedAnew();
  } catch {
    // the queue itself says what is wrong
  }
}
const countSoon = settled(countNow, 500);

function publishedAnew() {
  toast("Something new was published: the queue was loaded again.");
  forgetScenes();
  shown = null;
  load(list.current ? nameOf(list.current) : "");
}

// Deciding ---------------------------------------------------------------------------------------------------------

const draft = () => selected?.draft ?? draftOf(list.current);

function decide(verdict) {
  if (state.view === "grid" && grid.selected.size) return decideMany(verdict);
  const finding = list.current;
  if (!finding) return null;
  if (selected) return verdict === "accept" ? applySelected() : toast("This is about the selected label: A applies, Esc goes back.");
  const mine = draftOf(finding);
  const fix = verdict === "accept" && mine.changed ? fixOf(mine, finding) : null;
  if (verdict === "accept" && !mine.changed && finding.finding_id === null) return toast("Say what is wrong first: class (C), box (E), mask (M) or Delete; L sends it to relabelling.", { wrong: true });
  if (verdict === "accept" && mine.changed && !fix) return toast("Nothing is changed by this fix: reject the finding instead.", { wrong: true });
  decisions.decide(finding, verdict, fix, finding.note);
  if (list.index + 1 < list.findings.length) go(list.index + 1);
  else if (!list.more) toast("This was the last one that is loaded.", { action: { label: "Load again", run: () => load() } });
  return null;
}

async function decideMany(verdict) {
  const chosen = list.findings.filter((f) => grid.selected.has(nameOf(f)));
  grid.selected.clear();
  await decisions.decideMany(chosen, verdict);
  showBulk();
  toast(`${count(chosen.length)} ${VERDICTS[verdict].done}`, { action: { label: "Undo", run: () => run("undo") } });
}

function refused(finding, error) {
  if (error.status === 409 && finding) {
    toast(error.message, { wrong: true, action: { label: "Show", run: () => go(list.find(nameOf(finding))) } });
    forgetScenes();
    freshen(finding);
  } else toast(`Not saved: ${error.message}`, { wrong: true, action: finding ? { label: "Show", run: () => go(list.find(nameOf(finding))) } : null });
  countSoon();
}

function gone(finding) {
  list.drop(finding);
  toast("A finding is no longer there and was taken out.");
}

async function undo() {
  try {
    const finding = await decisions.undo();
    const index = finding?.finding_id || finding?.draw ? list.find(nameOf(finding)) : -1;
    if (index >= 0) {
      if (state.view === "focus") go(index);
      freshen(list.findings[index]);
    } else if (finding?.finding_id) load(nameOf(finding));
    else showPanel();
    toast("Undone");
    countSoon();
  } catch (error) {
    toast(error.message, { wrong: true });
  }
}

// Changing the fix -------------------------------------------------------------------------------------------------

function changeDraft(values, { editing = false } = {}) {
  Object.assign(draft(), values, { changed: true });
  stage.draw(selected?.label ?? null, draft());
  if (editing) editedSoon();
  else showPanel();
}
const editedSoon = settled(() => showPanel(), 60);

function select(label) {
  selected = label ? { label, draft: draftForLabel(label) } : null;
  stage.editor?.stop();
  stage.draw(label, draft());
  showPanel();
}

async function applySelected() {
  const { label, draft: mine } = selected;
  const finding = list.current;
  const fix = mine.changed ? fixOf(mine, label) : null;
  if (!fix) return toast("Nothing is changed yet.");
  const of = scene;
  const before = { ...label };
  select(null);
  return decisions.add({ batch: finding.batch, image_id: finding.image_id, annotation_id: label.annotation_id, shown: label.content_hash, fix }, {
    apply: () => { label.decided = fix.action; toast(`Label ${label.annotation_id}: written`, { action: { label: "Undo", run: () => run("undo") } }); },
    revert: () => { Object.assign(label, before, { decided: undefined }); if (scene === of) stage.draw(null, draft()); },
  });
}

async function drawn(box) {
  const finding = list.current;
  const of = scene;
  const chosen = await chooseClass(finding.batch, "What is it?", finding.category);
  if (!chosen) return stage.draw(null, draft());
  const made = { annotation_id: null, author: "", category: chosen.text, fix: { action: "add", box, category_id: chosen.category_id } };
  return decisions.add({ batch: finding.batch, image_id: finding.image_id, fix: made.fix }, {
    apply: (who) => {
      made.author = who;
      of.decided.push(made);
      if (scene === of) stage.draw(null, draft());
      toast(`${chosen.text} added`, { action: { label: "Undo", run: () => run("undo") } });
    },
    revert: () => {
      of.decided = of.decided.filter((d) => d !== made);
      if (scene === of) stage.draw(null, draft());
    },
  });
}

async function changeClass() {
  const mine = draft();
  if (mine.action === "remove") changeDraft({ action: "edit" });
  const chosen = await chooseClass(list.current.batch, "Which class?", mine.category);
  if (chosen) changeDraft({ category_id: chosen.category_id, category: chosen.text });
}

function toggleMask() {
  const mine = draft();
  if (mine.mask) return changeDraft({ mask: null });
  const p = predictionFor(mine.box);
  if (!p) return toast("No prediction with a mask lies here.");
  const action = mine.action === "remove" ? "edit" : mine.action;
  return changeDraft({ action, mask: { model: p.model, prediction_id: p.prediction_id }, box: ["x", "y", "width", "height"].map((side_) => p[side_]) });
}

/** The prediction with a mask whose box lies most like this one; for a finding its own, where it has a mask. */
function predictionFor(box) {
  const withMask = (scene?.predictions ?? []).filter((p) => p.has_mask);
  const own = selected ? null : withMask.find((p) => p.model === list.current.model && p.prediction_id === list.current.prediction_id);
  const iou = (p) => {
    const width = Math.max(0, Math.min(p.x + p.width, box[0] + box[2]) - Math.max(p.x, box[0]));
    const height = Math.max(0, Math.min(p.y + p.height, box[1] + box[3]) - Math.max(p.y, box[1]));
    return (width * height) / (p.width * p.height + box[2] * box[3] - width * height);
  };
  const best = withMask.map((p) => [iou(p), p]).sort((a, b) => b[0] - a[0])[0];
  return own ?? (best?.[0] >= 0.3 ? best[1] : null);
}

function toggleRemove() {
  const finding = list.current;
  if (!selected && finding.annotation_id === null) return toast("There is no label to delete: click one to select it.");
  const mine = draft();
  if (mine.action === "remove") {
    const label = selected?.label ?? labelOf(finding, scene);
    return changeDraft({ ...draftForLabel(label), action: "edit" });
  }
  return changeDraft({ action: "remove", mask: null });
}

function editBox() {
  if (!stage.editor) return;
  if (stage.editor.active) {
    stage.editor.stop();
    stage.draw(selected?.label ?? null, draft());
    return;
  }
  if (draft().action === "remove") changeDraft({ action: "edit" });
  stage.editor.edit(draft().box);
  stage.draw(selected?.label ?? null, draft());
}

function resetDraft() {
  stage.editor?.stop();
  if (selected) selected.draft = draftForLabel(selected.label);
  else forgetDraft(list.current);
  stage.draw(selected?.label ?? null, draft());
  showPanel();
}

async function tag(kindOfPicture) {
  const { batch, image_id, annotation_id, model, prediction_id } = list.current;
  const who = await author();
  const chosen = who && (await chooseTag());
  if (!chosen) return;
  const thing = kindOfPicture ? { kind: "image" } : annotation_id !== null ? { kind: "annotation", annotation_id } : { kind: "prediction", model, prediction_id };
  try {
    await post("/api/tags", { author: who, tag: chosen.text, things: [{ ...thing, batch, image_id }] });
    toast(`Tagged “${chosen.text}”`);
    freshenTags();
  } catch (error) {
    toast(error.message, { wrong: true });
  }
}

async function freshenTags() {
  const finding = list.current;
  finding.touched = performance.now();
  if (finding.finding_id === null) return countSoon();
  const now = await get("/api/queue/finding", { batch: finding.batch, finding_id: finding.finding_id });
  finding.tags = now.tags;
  showMarks();
  countSoon();
}

// Moving and keys --------------------------------------------------------------------------------------------------

function go(index) {
  stage.editor?.stop();
  list.go(index);
  if (state.view === "grid") grid.reveal();
}

function open(name) {
  setView("focus", false);
  go(list.find(name));
}

function setView(view, redraw = true) {
  state.change({ view }, true);
  shown = null;
  if (redraw) show();
}

function showBulk() {
  const n = grid.selected.size;
  bulk.hidden = !n || state.view !== "grid";
  bulk.replaceChildren(h("strong", { class: "numbers" }, `${count(n)} selected`),
    ...Object.entries(VERDICTS).map(([verdict, { title, key }]) => h("button", { type: "button", class: `verdict ${verdict}`, onclick: () => decide(verdict) }, title, h("kbd", {}, key))),
    h("button", { type: "button", class: "quiet", onclick: () => { grid.clear(); show(); } }, "None"));
}

function escape() {
  if (stage.editor?.active) {
    stage.editor.stop();
    stage.draw(selected?.label ?? null, draft());
  } else if (selected) select(null);
  else if (side.classList.contains("open")) side.classList.remove("open");
  else if (stage.isFull) stage.full(false);
  else if (grid.selected.size) { grid.clear(); show(); }
}

const inGrid = () => state.view === "grid";
const actions = {
  ...Object.fromEntries(Object.keys(VERDICTS).map((verdict) => [verdict, () => decide(verdict)])),
  undo,
  note: async () => { const note = await askNote(list.current.note); if (note !== null) { list.current.note = note; showPanel(); } },
  tag: () => tag(false),
  tagPicture: () => tag(true),
  next: () => go(list.index + 1) ,
  previous: () => go(list.index - 1),
  open: () => go(list.findings.findIndex((f, k) => k > list.index && f.status === "open")),
  grid: () => setView(inGrid() ? "focus" : "grid"),
  select: () => inGrid() && grid.select(nameOf(list.current)),
  selectAll: () => inGrid() && grid.selectAll(),
  class: changeClass, box: editBox, mask: toggleMask, remove: toggleRemove, reset: resetDraft,
  draw: () => { stage.editor?.beginDrawing(); toast("Drag a box around the object; Esc stops."); },
  bare: () => stage.bare(),
  ...Object.fromEntries(["labels", "predictions", "masks", "aside"].map((layer) => [layer, () => stage.toggle(layer)])),
  zoomIn: () => stage.zoom(1.4), zoomOut: () => stage.zoom(1 / 1.4), fit: () => stage.fit(), whole: () => stage.crop?.fitAll(), full: () => stage.full(),
  darker: () => stage.lighten("brightness", stage.light.brightness - 0.1), brighter: () => stage.lighten("brightness", stage.light.brightness + 0.1),
  softer: () => stage.lighten("contrast", stage.light.contrast - 0.1), harder: () => stage.lighten("contrast", stage.light.contrast + 0.1),
  filters: () => { side.classList.add("open"); side.querySelector("input")?.focus(); },
  help: showHelp,
  escape,
};
const WITHOUT_FINDING = new Set(["undo", "filters", "help", "escape", "grid"]);
const ON_STAGE = new Set(["class", "box", "mask", "remove", "reset", "draw", "note", "tag", "tagPicture"]);

function run(action) {
  if (!list.current && !WITHOUT_FINDING.has(action)) return;
  if (inGrid() && ON_STAGE.has(action)) return;
  actions[action]();
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("input, select")) event.target.blur();
  if (event.key.startsWith("Arrow") && stage.editor?.box && !event.target.matches("input, select")) {
    event.preventDefault();
    stage.editor.nudge(event.key, event);
    return;
  }
  if (inGrid() && (event.key === "ArrowDown" || event.key === "ArrowUp") && !event.target.matches("input:not([type=checkbox]), select")) {
    event.preventDefault();
    go(Math.min(Math.max(list.index + (event.key === "ArrowDown" ? 1 : -1) * grid.columns, 0), list.findings.length - 1));
    return;
  }
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  run(action);
});
addEventListener("popstate", () => {
  Object.assign(state, new UrlState(state.defaults).values());
  filterBar.show();
  shown = null;
  load(state.at);
});
addEventListener("beforeunload", (event) => decisions.pending && event.preventDefault());
document.getElementById("help").addEventListener("click", showHelp);

filterBar.show();
load(state.at);
