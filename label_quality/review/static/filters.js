// The filters at the side: counts beside each value, chips for what is chosen. The state stands in the URL.
import { glyph, h, count, settled, words } from "./shell.js";

const SECTIONS = {
  type: "Type of error", status: "Status", category: "Category", size: "Size", outcome: "By COCO", model: "Model", batch: "Batch", tag: "Tag",
};
const NAMES = {
  FP: "false positive", TP: "true positive", accept: "accepted", reject: "rejected", relabel: "to relabelling",
  small: "small (to 32² px)", medium: "medium", large: "large (from 96² px)",
};
const nameOf = (field, value) => (["category", "model", "batch", "tag"].includes(field) ? value : NAMES[value] ?? words(value));
const ORDERS = { size: ["small", "medium", "large"], status: ["open", "accept", "reject", "unsure", "relabel", "disagreement"] };
const AT_FIRST = 8; // values of a section that are shown before "all"

export class FilterBar {
  /** `state`: the UrlState; onchange(): a filter was changed. */
  constructor(element, state, onchange) {
    Object.assign(this, { element, state, onchange, facets: {}, unfolded: new Set() });
    this.chips = h("div", { class: "chips", role: "list", "aria-label": "Chosen filters" });
    this.change = (values) => { state.change(values, true); this.show(); onchange(); };
    this.sliders = h("div", { class: "sliders" }, this.#range("p_min", "p_max", "Probability of an error"), this.#range("confidence_min", "confidence_max", "Model's confidence"));
    this.sections = h("div", {});
    element.replaceChildren(
      h("div", { class: "side-head" }, h("h2", {}, "Filters"), h("button", { type: "button", class: "quiet small", onclick: () => this.reset() }, "Reset"),
        h("button", { type: "button", class: "quiet icon close", "aria-label": "Close the filters", onclick: () => element.classList.remove("open") }, glyph("close"))),
      this.sliders, this.sections);
  }

  reset() {
    const { defaults } = this.state;
    this.change(Object.fromEntries([...Object.keys(SECTIONS), "p_min", "p_max", "confidence_min", "confidence_max"].map((n) => [n, defaults[n]])));
  }

  /** Takes counts from the server. */
  take(facets) {
    this.facets = facets;
    this.show();
  }

  show() {
    this.sections.replaceChildren(...Object.keys(SECTIONS).map((field) => this.#section(field)).filter(Boolean));
    for (const input of this.sliders.querySelectorAll("input")) {
      if (input !== document.activeElement) input.value = this.state[input.name];
    }
    this.#showChips();
  }

  #section(field) {
    const chosen = this.state[field];
    let found = this.facets[field] ?? [];
    // What is chosen stays to be taken back, also where nothing has it.
    found = [...found, ...chosen.filter((v) => !found.some((f) => f.value === v)).map((value) => ({ value, n: 0 }))];
    if (!found.length || (found.length < 2 && !chosen.length && field !== "status")) return null;
    if (ORDERS[field]) found = [...found].sort((a, b) => ORDERS[field].indexOf(a.value) - ORDERS[field].indexOf(b.value));
    const all = this.unfolded.has(field);
    const shown = all ? found : found.filter((f, k) => k < AT_FIRST || chosen.includes(f.value));
    const most = Math.max(...found.map((f) => f.n), 1);
    return h("fieldset", { class: "facet" }, h("legend", {}, SECTIONS[field]),
      shown.map(({ value, n }) => h("label", { class: `choice${n ? "" : " none"}` },
        h("input", { type: "checkbox", checked: chosen.includes(value), onchange: (e) => this.#toggle(field, value, e.target.checked) }),
        h("span", { class: "clip", title: value }, nameOf(field, value)),
        h("span", { class: "meter", style: { "--share": n / most } }),
        h("span", { class: "n numbers" }, count(n)))),
      found.length > shown.length || all && found.length > AT_FIRST
        ? h("button", { type: "button", class: "quiet small", onclick: () => { if (all) this.unfolded.delete(field); else this.unfolded.add(field); this.show(); } }, all ? "fewer" : `all ${found.length}`) : null);
  }

  #toggle(field, value, on) {
    const others = this.state[field].filter((v) => v !== value);
    this.change({ [field]: on ? [...others, value] : others });
  }

  #range(low, high, title) {
    const changed = settled(() => this.change({}), 250);
    const input = (name) => h("input", { type: "number", name, min: 0, max: 1, step: 0.05, value: this.state[name], "aria-label": `${title}, ${name.endsWith("min") ? "from" : "to"}`,
      oninput: (e) => {
        const value = Number(e.target.value);
        if (e.target.value === "" || !(value >= 0 && value <= 1)) return;
        this.state.change({ [name]: value });
        changed();
      } });
    return h("fieldset", { class: "range" }, h("legend", {}, title), h("div", {}, input(low), h("span", { class: "soft" }, "to"), input(high)));
  }

  #showChips() {
    const { state } = this;
    const chips = [];
    for (const field of Object.keys(SECTIONS)) {
      for (const value of state[field]) {
        chips.push(this.#chip(`${field === "status" ? "" : `${words(field)}: `}${nameOf(field, value)}`, () => this.#toggle(field, value, false)));
      }
    }
    for (const [low, high, name] of [["p_min", "p_max", "p"], ["confidence_min", "confidence_max", "confidence"]]) {
      if (state[low] > 0 || state[high] < 1) {
        const text = state[high] < 1 ? `${name} ${state[low]} to ${state[high]}` : `${name} ≥ ${state[low]}`;
        chips.push(this.#chip(text, () => this.change({ [low]: 0, [high]: 1 })));
      }
    }
    this.chips.replaceChildren(...chips);
  }

  #chip(text, remove) {
    return h("button", { type: "button", class: "chip", role: "listitem", title: "Take this filter off", onclick: remove }, text, h("span", { class: "soft", "aria-hidden": "true" }, "×"));
  }
}
