// One image, label or prediction, large: zoom and pan, layers, all its metrics, tags, and the way on from here.
import { glyph, h, count, words } from "./shell.js";
import { Crop, around } from "./crop.js";
import { sceneOf, prefetch } from "./scenes.js";
import { shapesOf } from "./shapes.js";
import { badge, imageOf, shapesOfItem, short, titleOf } from "./tiles.js";

const LAYERS = { labels: "Labels", predictions: "Predictions", masks: "Masks", aside: "Others" };
const STILL = 4; // px that a pointer may move in a click

export class Viewer {
  /** `near`: whether similar labels are known. onlike(item), onnear(item), onimage(item, kind), ontag(item, remove, tag), onend(step): there is no next (1) or previous (-1) on this page. */
  constructor({ metrics, onlike, near, onnear, onimage, ontag, onend }) {
    Object.assign(this, { metrics, onlike, near, onnear, onimage, ontag, onend, hidden: new Set(), turn: 0 });
    this.frame = h("div", { class: "frame" });
    this.panel = h("aside", { class: "viewer-panel" });
    this.toggles = Object.fromEntries(Object.entries(LAYERS).map(([name, title], k) => [name,
      h("button", { type: "button", class: `layer ${name}`, "aria-pressed": "true", title: `${title} on or off (${k + 1})`, onclick: () => this.toggle(name) }, title)]));
    const button = (title, sign, run) => h("button", { type: "button", class: "quiet icon", title, "aria-label": title, onclick: run }, glyph(sign));
    this.dialog = h("dialog", { class: "viewer", "aria-label": "Large picture" },
      h("div", { class: "viewer-stage" }, this.frame,
        h("div", { class: "viewer-bar" }, h("div", { class: "layers" }, Object.values(this.toggles)),
          h("div", { class: "zooms" }, button("Zoom out (-)", "out", () => this.crop.zoom(1 / 1.4)), button("Zoom in (+)", "in", () => this.crop.zoom(1.4)),
            button("To the object (0)", "target", () => this.fit()), button("Whole picture (9)", "whole", () => this.crop.fitAll()),
            button("Previous (←)", "left", () => this.step(-1)), button("Next (→)", "right", () => this.step(1)), button("Close (Esc)", "close", () => this.dialog.close())))),
      this.panel);
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#listen();
  }

  get isOpen() {
    return this.dialog.open;
  }

  open(items, index, kind) {
    Object.assign(this, { items, index, kind });
    if (!this.dialog.isConnected) document.body.append(this.dialog);
    if (!this.dialog.open) this.dialog.showModal();
    this.#show();
  }

  step(by) {
    const to = this.index + by;
    if (to < 0 || to >= this.items.length) this.onend(by);
    else this.open(this.items, to, this.kind);
  }

  /** Shows the tags anew. */
  refresh() {
    if (this.isOpen) this.#showPanel();
  }

  toggle(name) {
    if (this.hidden.has(name)) this.hidden.delete(name);
    else this.hidden.add(name);
    this.#applyLayers();
  }

  get item() {
    return this.items[this.index];
  }

  async #show() {
    const turn = ++this.turn;
    const { item, kind } = this;
    this.crop = new Crop(imageOf(item), { title: titleOf(item, kind) });
    this.frame.replaceChildren(this.crop.svg);
    this.crop.draw(shapesOfItem(item, kind));
    this.#applyLayers();
    this.fit();
    this.scene = null;
    this.#showPanel();
    prefetch(this.items.slice(this.index + 1, this.index + 3));
    try {
      const scene = await sceneOf(item.batch, item.image_id);
      if (turn !== this.turn) return;
      this.scene = scene;
      this.#draw();
      this.#showPanel();
      const outlines = await scene.outlines;
      if (turn === this.turn) this.#draw(outlines);
    } catch {
      // the boxes of the tile stay
    }
  }

  #draw(outlines) {
    const { item, kind, scene } = this;
    const about = { annotation_id: item.annotation_id ?? null, other_annotation_id: item.other_annotation_id ?? null, model: item.model, prediction_id: item.prediction_id };
    const shapes = shapesOf(about, scene, outlines);
    // Of an image all labels are what it is about.
    this.crop.draw(kind === "image" ? shapes.map((shape) => (shape.kind === "label" ? { ...shape, aside: false } : shape)) : shapes);
  }

  fit() {
    const { item, kind } = this;
    if (kind === "image") this.crop.fitAll();
    else this.crop.fit(around(shapesOfItem(item, kind).filter((shape) => !shape.aside).map((shape) => shape.box)), 2.2);
  }

  #applyLayers() {
    for (const [name, button] of Object.entries(this.toggles)) {
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      this.crop.svg.classList.toggle(`no-${name}`, this.hidden.has(name));
    }
    this.crop.svg.classList.toggle("bare", this.hidden.has("bare"));
  }

  #showPanel() {
    const { item, kind } = this;
    const known = this.metrics(kind);
    const row = (name, value) => [h("dt", {}, name), h("dd", { class: "numbers" }, value)];
    const facts = [row("image", `${item.file_name}`), row("size", `${item.image_width} × ${item.image_height} px`), row("batch", item.batch)];
    if (kind === "annotation" && item.predicted_category) facts.push(row("prediction", `${item.predicted_category} ${item.score.toFixed(2)}, ${item.model}`));
    if (kind === "prediction" && item.label_category) facts.push(row("label", `${item.label_category}, ${item.annotation_id}`));
    if (item.iou) facts.push(row("IoU", item.iou.toFixed(2)));
    if (item.other_category) facts.push(row("overlaps", `${item.other_category}, ${item.other_annotation_id}`));
    if (item.nearest_image_id) facts.push(row("looks like", `image ${item.nearest_image_id}, ${item.nearest_distance} bits apart`));
    if (item.duplicate_of) facts.push(row("same file as", `image ${item.duplicate_of}`));
    this.panel.replaceChildren(
      h("header", {}, h("h2", { class: "clip", title: titleOf(item, kind) }, titleOf(item, kind)), h("div", { class: "row" }, badge(item, kind), (item.errors ?? []).map((type) => h("span", { class: `badge type ${type}` }, words(type))))),
      h("div", { class: "tags" }, item.tags.map((tag) => h("button", { type: "button", class: "chip", title: "Take this tag off", onclick: () => this.ontag(item, true, tag) }, tag, h("span", { class: "soft", "aria-hidden": "true" }, "×"))),
        h("button", { type: "button", class: "chip", onclick: () => this.ontag(item, false) }, glyph("tag"), "Tag")),
      h("div", { class: "ways" },
        kind === "image" ? null : h("button", { type: "button", onclick: () => this.#leave(() => this.onimage(item, "annotation")) }, "Labels of this image"),
        kind === "image" ? h("button", { type: "button", onclick: () => this.#leave(() => this.onimage(item, "annotation")) }, `Its ${count(item.labels.length)} labels`) : null,
        h("button", { type: "button", onclick: () => this.#leave(() => this.onimage(item, "prediction")) }, "Predictions in this image"),
        h("button", { type: "button", onclick: () => this.#leave(() => this.onlike(item)) }, "Similar images"),
        this.near && kind === "annotation" ? h("button", { type: "button", onclick: () => this.#leave(() => this.onnear(item)) }, "Similar labels") : null),
      h("dl", { class: "facts" }, facts.flat()),
      h("h3", {}, "Metrics"),
      h("dl", { class: "facts" }, known.flatMap((m) => [h("dt", { title: m.description }, words(m.name)), h("dd", { class: "numbers" }, item.metrics[m.name] === null ? "–" : `${short(item.metrics[m.name])}${m.unit ? ` ${m.unit}` : ""}`)])));
  }

  #leave(run) {
    this.dialog.close();
    run();
  }

  #listen() {
    let from = null;
    this.frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.crop.zoom(Math.exp(-event.deltaY / 400), this.crop.point(event));
    }, { passive: false });
    this.frame.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; this.frame.setPointerCapture(event.pointerId); });
    this.frame.addEventListener("pointermove", (event) => {
      if (!from || Math.hypot(event.clientX - from[0], event.clientY - from[1]) < STILL && !this.moving) return;
      this.moving = true;
      this.crop.pan(event.clientX - from[0], event.clientY - from[1]);
      from = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) this.frame.addEventListener(end, () => { from = null; this.moving = false; });
  }

  #key(event) {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey) return;
    const keys = {
      ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), j: () => this.step(1), k: () => this.step(-1), t: () => this.ontag(this.item, false), h: () => this.toggle("bare"),
      "+": () => this.crop.zoom(1.4), "=": () => this.crop.zoom(1.4), "-": () => this.crop.zoom(1 / 1.4), 0: () => this.fit(), 9: () => this.crop.fitAll(),
    };
    Object.keys(LAYERS).forEach((name, k) => { keys[k + 1] = () => this.toggle(name); });
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}
