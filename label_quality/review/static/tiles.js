// The tiles of the Explorer: one picture for each image, label or prediction, with its value; selecting many of them.
import { h, words } from "./shell.js";
import { Crop, around } from "./crop.js";

const nameOf = (item) => item.key;

/** What a tile shows over its picture: labels blue, predictions orange. */
export function shapesOfItem(item, kind) {
  if (kind === "image") return item.labels.map((label) => ({ kind: "label", box: label.box, crowd: label.iscrowd, title: label.category }));
  if (kind === "annotation") {
    return [
      item.other_box ? { kind: "label", box: item.other_box, aside: true, caption: item.other_category } : null,
      { kind: "label", box: item.box, crowd: item.iscrowd, caption: item.category },
      item.predicted_box ? { kind: "prediction", box: item.predicted_box, caption: `${item.predicted_category} ${item.score.toFixed(2)}` } : null,
    ].filter(Boolean);
  }
  return [
    item.label_box ? { kind: "label", box: item.label_box, caption: item.label_category } : null,
    { kind: "prediction", box: item.box, caption: `${item.category} ${item.score.toFixed(2)}` },
  ].filter(Boolean);
}

export const imageOf = (item) => ({ batch: item.batch, image_id: item.image_id, width: item.image_width, height: item.image_height });

/** A value in a few characters. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return size >= 100 ? Math.round(value).toLocaleString("en-US") : String(+value.toPrecision(3));
}

export class Tiles {
  /** onopen(index), onselect(): the selection changed. */
  constructor({ onopen, onselect }) {
    Object.assign(this, { onopen, onselect, items: [], made: new Map(), selected: new Set(), last: null });
    this.element = h("div", { class: "tiles-grid", role: "list" });
    this.watch = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && this.#draw(one.target)), { rootMargin: "400px" });
  }

  show(items, kind, { sort, metric } = {}) {
    Object.assign(this, { items, kind, sort, metric, last: null });
    this.selected.clear();
    this.watch.disconnect();
    this.made = new Map(items.map((item, index) => [nameOf(item), this.#make(item, index)]));
    this.element.replaceChildren(...[...this.made.values()].map((made) => made.tile));
    for (const { tile } of this.made.values()) this.watch.observe(tile);
  }

  resize(side) {
    this.element.style.setProperty("--side", `${side}px`);
    this.element.classList.toggle("tiny", side < 150);
  }

  get chosen() {
    return this.items.filter((item) => this.selected.has(nameOf(item)));
  }

  selectAll(on = this.selected.size < this.items.length) {
    this.selected = new Set(on ? this.items.map(nameOf) : []);
    this.#mark();
  }

  clear() {
    this.selected.clear();
    this.#mark();
  }

  /** Shows the tags of items anew. */
  refresh(items) {
    for (const item of items) {
      const made = this.made.get(nameOf(item));
      made?.tags.replaceChildren(...item.tags.map((tag) => h("span", { class: "badge tag" }, tag)));
    }
  }

  #toggle(index, event) {
    const name = nameOf(this.items[index]);
    const on = !this.selected.has(name);
    const [from, to] = event.shiftKey && this.last !== null ? [this.last, index].sort((a, b) => a - b) : [index, index];
    for (const item of this.items.slice(from, to + 1)) {
      if (on) this.selected.add(nameOf(item));
      else this.selected.delete(nameOf(item));
    }
    this.last = index;
    this.#mark();
  }

  #mark() {
    for (const [name, { tile, check }] of this.made) {
      const on = this.selected.has(name);
      tile.classList.toggle("chosen", on);
      check.checked = on;
    }
    this.element.classList.toggle("selecting", this.selected.size > 0);
    this.onselect();
  }

  #make(item, index) {
    const check = h("input", { type: "checkbox", "aria-label": "Select", onclick: (e) => this.#toggle(index, e) });
    const frame = h("div", { class: "frame" });
    const open = h("button", { type: "button", class: "picture", "aria-label": `Open ${titleOf(item, this.kind)}`,
      onclick: (e) => { if (e.shiftKey || e.ctrlKey || e.metaKey) this.#toggle(index, e); else this.onopen(index); } }, frame);
    const tags = h("span", { class: "tags" }, item.tags.map((tag) => h("span", { class: "badge tag" }, tag)));
    const unit = this.sort === "likeness" ? " bits" : this.sort === "nearness" ? "" : this.metric?.unit ? ` ${this.metric.unit}` : "";
    const tile = h("article", { class: "tile-card card", role: "listitem", data: { index } }, open, h("label", { class: "check" }, check),
      h("div", { class: "text" },
        h("div", { class: "line" }, h("strong", { class: "numbers", title: `${this.sort === "likeness" ? "likeness" : words(this.sort ?? "")} ${item.value}${unit}` }, short(item.value), h("span", { class: "soft unit" }, unit)), badge(item, this.kind)),
        h("div", { class: "line small soft clip" }, titleOf(item, this.kind)), tags));
    return { tile, check, frame, tags, item };
  }

  #draw(tile) {
    this.watch.unobserve(tile);
    const { item, frame } = this.made.get(nameOf(this.items[tile.dataset.index])) ?? {};
    if (!item) return;
    const crop = new Crop(imageOf(item), { title: titleOf(item, this.kind), small: true });
    frame.replaceChildren(crop.svg);
    const shapes = shapesOfItem(item, this.kind);
    if (this.kind === "image") crop.fitAll();
    else crop.fit(around(shapes.filter((shape) => !shape.aside || this.sort?.includes("class")).map((shape) => shape.box)), 1.6);
    crop.draw(shapes);
  }
}

const REASONS = { both: "place and class", poor_location: "poor location" };

/** The outcome of a label or prediction as a badge; how many labels an image has. */
export function badge(item, kind) {
  if (kind === "image") return h("span", { class: "badge" }, `${item.labels.length} ${item.labels.length === 1 ? "label" : "labels"}`);
  if (!item.outcome) return null;
  const wrong = item.outcome === "FP" || item.outcome === "FN";
  return h("span", { class: `badge ${wrong ? "reject" : item.outcome === "TP" ? "accept" : ""}` }, item.reason ? `${item.outcome} ${REASONS[item.reason] ?? words(item.reason)}` : item.outcome);
}

export function titleOf(item, kind) {
  if (kind === "image") return item.file_name;
  if (kind === "annotation") return `${item.category ?? "no category"} · label ${item.annotation_id}`;
  return `${item.category ?? "no category"} · ${item.model} ${item.prediction_id}`;
}
