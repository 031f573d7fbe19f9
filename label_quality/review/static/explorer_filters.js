// The filters of the Explorer: at the side with counts, and as chips that can be taken off. The state stands in the URL.
import { glyph, h, count, settled, words } from "./shell.js";

const REASONS = {
  poor_location: "poor location", wrong_class: "wrong class", duplicate: "duplicate", background: "background", both: "place and class", missed: "missed", shared: "shared",
};
const OUTCOMES = {
  prediction: { TP: "true positive", FP: "false positive", ignored: "ignored (crowd)" },
  annotation: { TP: "found", FN: "not found", ignored: "ignored (crowd)" },
};
const ERRORS = ["wrong_class", "inaccurate", "duplicate", "spurious"];
const AT_FIRST = 8;
const GONE = { image: "", like: "", near: "", map: "", cell: "", cell_batch: "", outlier: "", severity: "" };

export class Filters {
  /** `change(values)` is called with what a person changed. */
  constructor(element, state, known, change) {
    Object.assign(this, { element, state, known, change, facets: {}, unfolded: new Set(), sought: "" });
    this.chips = h("div", { class: "chips", role: "list", "aria-label": "Chosen filters" });
    this.sections = h("div", {});
    this.ranges = h("div", {});
    const reset = () => change({ batch: [], category: [], model: "", tag: [], image_tag: [], untagged: "", range: [], outcome: [], reason: [], error: [], ...GONE });
    element.replaceChildren(
      h("div", { class: "side-head" }, h("h2", {}, "Filters"), h("button", { type: "button", class: "quiet small", onclick: reset }, "Reset"),
        h("button", { type: "button", class: "quiet icon close", "aria-label": "Close the filters", onclick: () => element.classList.remove("open") }, glyph("close"))),
      this.sections, this.ranges);
  }

  focus() {
    this.element.querySelector("input")?.focus();
  }

  take(facets) {
    this.facets = facets;
    this.show();
  }

  show() {
    const { state, known, facets } = this;
    const outcomes = new Map(Object.keys(OUTCOMES[state.kind] ?? {}).map((outcome) => [outcome, (facets.outcome ?? []).filter((f) => f.outcome === outcome).reduce((sum, f) => sum + f.n, 0)]).filter(([, n]) => n));
    const reasons = (facets.outcome ?? []).filter((f) => f.reason);
    // Rebuilding takes the focus from a field that is typed into.
    const typing = this.sections.contains(document.activeElement) && document.activeElement.type === "search";
    const made = [
      known.models.length > 1 && state.kind !== "image" ? this.#model() : null,
      outcomes.size ? this.#checks("outcome", `By COCO at IoU .50${state.kind === "annotation" ? `, ${state.model || known.first_model}` : ""}`,
        [...outcomes].map(([value, n]) => ({ value, n })), (value) => OUTCOMES[state.kind][value]) : null,
      known.masks && outcomes.size ? this.#by() : null,
      reasons.length ? this.#checks("reason", "Why wrong", reasons.map(({ reason, n }) => ({ value: reason, n })), (value) => REASONS[value] ?? words(value)) : null,
      this.#checks("category", state.kind === "image" ? "Holds a label of" : "Category", facets.category, (v) => v, true),
      state.kind === "annotation" ? this.#checks("error", "Has a finding", ERRORS.map((value) => ({ value })), words) : null,
      this.#checks("tag", "Tag", facets.tag, (v) => v),
      facets.tag?.length ? h("label", { class: "choice untagged" }, h("input", { type: "checkbox", checked: state.untagged === "true", onchange: (e) => this.change({ untagged: e.target.checked ? "true" : "" }) }), h("span", {}, "without any tag")) : null,
      state.kind === "image" ? null : this.#checks("image_tag", "Tag of the image", facets.image_tag, (v) => v),
      known.batches.length > 1 ? this.#checks("batch", "Batch", facets.batch, (v) => v) : null,
    ].filter(Boolean);
    this.sections.replaceChildren(...made);
    if (typing) {
      const field = this.sections.querySelector("input[type=search]");
      field?.focus();
      field?.setSelectionRange(field.value.length, field.value.length);
    }
    if (!this.ranges.contains(document.activeElement)) this.ranges.replaceChildren(this.#ranges());
    this.#showChips();
  }

  #model() {
    const { state, known } = this;
    const all = state.kind === "prediction" ? [["", "all models"]] : [];
    const select = h("select", { "aria-label": "Model", onchange: () => this.change({ model: select.value }) }, [...all, ...known.models.map((m) => [m, m])].map(([value, title]) => h("option", { value }, title)));
    select.value = state.model || (state.kind === "annotation" ? known.first_model : "");
    return h("fieldset", {}, h("legend", {}, state.kind === "annotation" ? "Judged by" : "Model"), select);
  }

  #by() {
    return h("div", { class: "segmented by", role: "group", "aria-label": "Compared by" }, [["bbox", "boxes"], ["segm", "masks"]].map(([value, title]) =>
      h("button", { type: "button", "aria-pressed": String(this.state.by === value), onclick: () => this.change({ by: value }) }, title)));
  }

  #checks(field, title, found = [], nameOf = (v) => v, search = false) {
    const chosen = this.state[field];
    const all = [...found, ...chosen.filter((v) => !found.some((f) => f.value === v)).map((value) => ({ value, n: 0 }))];
    if (!all.length) return null;
    const sought = search ? this.sought.toLowerCase() : "";
    const fitting = all.filter((f) => !sought || f.value.toLowerCase().includes(sought));
    const open = this.unfolded.has(field) || sought;
    const shown = open ? fitting : fitting.filter((f, k) => k < AT_FIRST || chosen.includes(f.value));
    const most = Math.max(...all.map((f) => f.n ?? 0), 1);
    return h("fieldset", { class: "facet", data: { field } }, h("legend", {}, title),
      search && all.length > AT_FIRST ? h("input", { type: "search", placeholder: `Find one of ${all.length}`, value: this.sought, "aria-label": `Find: ${title}`, oninput: (e) => { this.sought = e.target.value; this.show(); } }) : null,
      shown.map(({ value, n }) => h("label", { class: `choice${n === 0 ? " none" : ""}` },
        h("input", { type: "checkbox", checked: chosen.includes(value), onchange: (e) => this.#toggle(field, value, e.target.checked) }),
        h("span", { class: "clip", title: value }, nameOf(value)),
        n === undefined ? null : h("span", { class: "meter", style: { "--share": n / most } }),
        n === undefined ? null : h("span", { class: "n numbers" }, count(n)))),
      !sought && fitting.length > AT_FIRST
        ? h("button", { type: "button", class: "quiet small", onclick: () => { if (open) this.unfolded.delete(field); else this.unfolded.add(field); this.show(); } }, open ? "fewer" : `all ${fitting.length}`) : null);
  }

  #toggle(field, value, on) {
    const others = this.state[field].filter((v) => v !== value);
    this.change({ [field]: on ? [...others, value] : others });
  }

  /** Ranges of metrics: those that are chosen, and one more to begin. */
  #ranges() {
    const { state, known } = this;
    const rows = [...state.range.map((r) => r.split(":")), ["", "", ""]];
    const names = known.metrics[state.kind];
    return h("fieldset", { class: "ranges" }, h("legend", {}, "Ranges of metrics"), rows.map(([name, low, high], k) => {
      const apply = settled(() => {
        const others = state.range.filter((_, j) => j !== k);
        const mine = metric.value && (from.value !== "" || to.value !== "") ? [`${metric.value}:${from.value}:${to.value}`] : [];
        document.activeElement?.blur();
        this.change({ range: [...others.slice(0, k), ...mine, ...others.slice(k)] });
      }, 500);
      const edited = () => (metric.value && (k < state.range.length || from.value !== "" || to.value !== "") ? apply() : undefined);
      const metric = h("select", { "aria-label": "Metric", onchange: edited }, [h("option", { value: "" }, "metric …"), ...names.map((m) => h("option", { value: m.name }, words(m.name)))]);
      const end = (value, said) => h("input", { type: "number", step: "any", value: short(value), placeholder: said, "aria-label": said, oninput: edited });
      const [from, to] = [end(low, "from"), end(high, "to")];
      metric.value = name;
      return h("div", { class: "range-row" }, metric, from, to);
    }));
  }

  #showChips() {
    const { state } = this;
    const chips = [];
    for (const [field, nameOf] of [["batch", (v) => v], ["category", (v) => v], ["tag", (v) => `tag: ${v}`], ["image_tag", (v) => `image tag: ${v}`],
      ["outcome", (v) => OUTCOMES[state.kind]?.[v] ?? v], ["reason", (v) => REASONS[v] ?? words(v)], ["error", (v) => `finding: ${words(v)}`]]) {
      for (const value of state[field]) chips.push(this.#chip(nameOf(value), () => this.#toggle(field, value, false)));
    }
    state.range.forEach((range, k) => {
      const [name, low, high] = range.split(":");
      const ends = low === "" ? `≤ ${short(high)}` : high === "" ? `≥ ${short(low)}` : `${short(low)} to ${short(high)}`;
      chips.push(this.#chip(`${words(name)} ${ends}`, () => this.change({ range: state.range.filter((_, j) => j !== k) })));
    });
    const off = (...names) => () => this.change(Object.fromEntries(names.map((n) => [n, ""])));
    if (state.model && state.kind !== "image") chips.push(this.#chip(state.model, off("model")));
    if (state.untagged) chips.push(this.#chip("without any tag", off("untagged")));
    if (state.outlier) chips.push(this.#chip(`${state.severity ? `${state.severity} ` : ""}outlier${state.outlier === "any" ? "" : ` by ${words(state.outlier)}`}`, off("outlier", "severity")));
    if (state.image) chips.push(this.#chip(`image ${state.image}`, off("image")));
    if (state.like) chips.push(this.#chip(`looks like ${state.like}`, off("like")));
    if (state.near) chips.push(this.#chip(`looks like label ${state.near.split("/").at(-1)}`, off("near")));
    if (state.map) chips.push(this.#chip("part of the map", off("map")));
    if (state.cell) chips.push(this.#chip(cellInWords(state.cell) + (state.cell_batch ? ` in ${state.cell_batch}` : ""), off("cell", "cell_batch")));
    this.chips.replaceChildren(...chips);
  }

  #chip(text, remove) {
    return h("button", { type: "button", class: "chip", role: "listitem", title: "Take this filter off", onclick: remove }, text, h("span", { class: "soft", "aria-hidden": "true" }, "×"));
  }
}

const short = (value) => (value === "" || !Number.isFinite(Number(value)) ? "" : String(+Number(value).toPrecision(6)));

function cellInWords(cell) {
  try {
    const [label, predicted] = JSON.parse(cell);
    return `label ${label ?? "background"} → prediction ${predicted ?? "background"}`;
  } catch {
    return "cell";
  }
}
