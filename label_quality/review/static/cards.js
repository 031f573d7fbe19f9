// Findings as small pictures: the strip below the stage, and the grid in which many are decided at once.
import { h, percent, words } from "./shell.js";
import { Crop, around } from "./crop.js";
import { boxesOf, shapesOf } from "./shapes.js";
import { sceneOf } from "./scenes.js";
import { nameOf } from "./list.js";
import { verdictBadge } from "./panel.js";

const AROUND = 9; // findings of the strip on each side

/** A crop that is drawn when it comes near the screen. */
function lazyCrop(finding, { captions }) {
  const frame = h("div", { class: "frame" });
  const watch = new IntersectionObserver(async ([seen]) => {
    if (!seen.isIntersecting) return;
    watch.disconnect();
    try {
      const scene = await sceneOf(finding.batch, finding.image_id);
      const crop = new Crop(scene.image, { title: finding.reason, small: true });
      frame.replaceChildren(crop.svg);
      crop.fit(around(boxesOf(finding)), captions ? 2 : 1.5);
      crop.draw(shapesOf(finding, scene, undefined, { confidence: 2 }).filter((s) => !s.aside).map((s) => (captions ? s : { ...s, caption: null })));
    } catch {
      frame.classList.add("broken");
    }
  }, { rootMargin: "300px" });
  watch.observe(frame);
  return frame;
}

export class Strip {
  constructor({ ongo }) {
    this.ongo = ongo;
    this.made = new Map(); // name → element, so that moving on draws one new picture only
    this.element = h("div", { class: "strip", role: "listbox", "aria-label": "Findings before and after" });
  }

  show(list) {
    const from = Math.max(list.index - AROUND, 0);
    const some = list.findings.slice(from, list.index + AROUND + 1);
    const shown = some.map((finding) => this.#item(finding));
    const names = new Set(some.map(nameOf));
    for (const name of this.made.keys()) if (!names.has(name)) this.made.delete(name);
    some.forEach((finding, k) => {
      shown[k].className = `strip-item ${finding.status}${finding.group.position ? " same-picture" : ""}`;
      shown[k].setAttribute("aria-selected", String(from + k === list.index));
    });
    this.element.replaceChildren(...shown);
    const current = shown[list.index - from];
    if (current) this.element.scrollLeft = current.offsetLeft - this.element.clientWidth / 2 + current.offsetWidth / 2;
  }

  clear() {
    this.made.clear();
  }

  #item(finding) {
    const name = nameOf(finding);
    if (!this.made.has(name)) {
      this.made.set(name, h("button", { type: "button", role: "option", tabindex: -1, title: finding.draw ? "random sample" : `${words(finding.error_type)}, ${percent(finding.p_error)}`, onclick: () => this.ongo(name) },
        lazyCrop(finding, { captions: false })));
    }
    return this.made.get(name);
  }
}

export class Grid {
  /** onopen(name), onselect(): the selection changed; onend(): the last card came into sight. */
  constructor({ onopen, onselect, onend }) {
    Object.assign(this, { onopen, onselect });
    this.selected = new Set();
    this.made = new Map();
    this.cards = h("div", { class: "grid" });
    this.end = h("div", { class: "grid-end" });
    this.element = h("div", {}, this.cards, this.end);
    new IntersectionObserver(([seen]) => seen.isIntersecting && onend(), { rootMargin: "800px" }).observe(this.end);
  }

  show(list) {
    const names = list.findings.map(nameOf);
    const have = new Set(names);
    for (const name of this.made.keys()) if (!have.has(name)) this.made.delete(name);
    for (const name of this.selected) if (!have.has(name)) this.selected.delete(name);
    list.findings.forEach((finding, k) => this.#update(finding, k === list.index));
    const cards = list.findings.map((f) => this.made.get(nameOf(f)).card);
    if (cards.length !== this.cards.children.length || cards.some((c, k) => c !== this.cards.children[k])) this.cards.replaceChildren(...cards);
    this.list = list;
  }

  /** Brings the current card into sight. */
  reveal() {
    this.made.get(nameOf(this.list.current ?? {}))?.card.scrollIntoView({ block: "nearest" });
  }

  get columns() {
    return getComputedStyle(this.cards).gridTemplateColumns.split(" ").length;
  }

  select(name, on = !this.selected.has(name)) {
    if (on) this.selected.add(name);
    else this.selected.delete(name);
    this.last = name;
    this.show(this.list);
    this.onselect();
  }

  /** All from the one that was selected last to this one. */
  selectTo(name) {
    const names = this.list.findings.map(nameOf);
    const [from, to] = [Math.max(names.indexOf(this.last), 0), names.indexOf(name)].sort((a, b) => a - b);
    for (const one of names.slice(from, to + 1)) this.selected.add(one);
    this.select(name, true);
  }

  selectAll() {
    const names = this.list.findings.map(nameOf);
    if (this.selected.size === names.length) this.selected.clear();
    else for (const name of names) this.selected.add(name);
    this.show(this.list);
    this.onselect();
  }

  clear() {
    this.selected.clear();
    this.made.clear();
  }

  #update(finding, isCurrent) {
    const name = nameOf(finding);
    if (!this.made.has(name)) this.made.set(name, this.#make(finding, name));
    const { card, check, state } = this.made.get(name);
    const on = this.selected.has(name);
    card.className = `card finding ${finding.status}${on ? " chosen" : ""}${isCurrent ? " current" : ""}`;
    check.checked = on;
    state.replaceChildren(...verdictBadge(finding).filter(Boolean));
  }

  #make(finding, name) {
    const check = h("input", { type: "checkbox", "aria-label": "Select", onclick: (e) => { if (e.shiftKey) this.selectTo(name); else this.select(name, e.target.checked); } });
    const state = h("span", { class: "state" });
    const card = h("article", { class: "card finding", data: { name } },
      h("button", { type: "button", class: "picture", tabindex: -1, "aria-label": `Open: ${finding.reason}`,
        onclick: (e) => { if (e.shiftKey) this.selectTo(name); else if (e.ctrlKey || e.metaKey) this.select(name); else this.onopen(name); } }, lazyCrop(finding, { captions: true })),
      h("div", { class: "text" },
        h("div", { class: "row" }, check, h("span", { class: `badge type ${finding.error_type}` }, finding.error_type === "sample" ? "label" : words(finding.error_type)),
          h("span", { class: "numbers soft" }, finding.draw ? "sample" : percent(finding.p_error)), state),
        h("p", { class: "small" }, finding.reason)));
    return { card, check, state };
  }
}
