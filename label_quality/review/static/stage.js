// The large picture of the current finding: layers, zoom, pan, brightness, full screen, and the editor on it.
import { glyph, h } from "./shell.js";
import { Crop, around } from "./crop.js";
import { Editor } from "./editor.js";
import { boxesOf, box, shapesOf } from "./shapes.js";
import { sceneOf } from "./scenes.js";

const LAYERS = { labels: "Labels", predictions: "Predictions", masks: "Masks", aside: "Others" };
const STILL = 4; // px that a pointer may move in a click

export class Stage {
  /** onselect(label | null): a label aside was clicked. onbox(box), ondrawn(box): see Editor. */
  constructor({ onselect, onbox, ondrawn, onfull }) {
    Object.assign(this, { onselect, onbox, ondrawn, onfull });
    this.turn = 0;
    this.hidden = new Set();
    this.light = { brightness: 1, contrast: 1 };
    this.frame = h("div", { class: "frame" });
    this.note = h("div", { class: "stage-note", hidden: true });
    this.toggles = Object.fromEntries(Object.entries(LAYERS).map(([name, title], k) => [name,
      h("button", { type: "button", class: `layer ${name}`, "aria-pressed": "true", title: `${title} on or off (${k + 1})`, onclick: () => this.toggle(name) }, title)]));
    this.sliders = Object.fromEntries(Object.keys(this.light).map((name) => [name,
      h("input", { type: "range", min: 0.3, max: 2.5, step: 0.05, value: 1, "aria-label": name, oninput: (e) => this.lighten(name, +e.target.value) })]));
    const button = (title, key, text, run) => h("button", { type: "button", class: "quiet icon", title: `${title} (${key})`, "aria-label": title, onclick: run }, glyph(text));
    this.element = h("section", { class: "stage card", "aria-label": "Picture" }, this.frame, this.note,
      h("div", { class: "stage-bar" },
        h("div", { class: "layers" }, Object.values(this.toggles)),
        h("div", { class: "lights" },
          h("label", { title: "Brightness ([ and ])" }, glyph("sun"), this.sliders.brightness),
          h("label", { title: "Contrast ({ and })" }, glyph("contrast"), this.sliders.contrast)),
        h("div", { class: "zooms" },
          button("Zoom out", "-", "out", () => this.zoom(1 / 1.4)), button("Zoom in", "+", "in", () => this.zoom(1.4)),
          button("To the finding", "0", "target", () => this.fit()), button("Whole picture", "9", "whole", () => this.crop?.fitAll()),
          button("Full screen", "f", "full", () => this.full()))));
  }

  /** Shows a finding; resolves to its scene, or null when another one was asked for meanwhile. */
  async show(finding, selected = null, draft = null) {
    const turn = ++this.turn;
    this.finding = finding;
    const scene = await sceneOf(finding.batch, finding.image_id);
    if (turn !== this.turn) return null;
    this.scene = scene;
    this.outlines = undefined;
    this.crop = new Crop(scene.image, { title: finding.reason });
    this.editor = new Editor(this.crop, { onchange: this.onbox, ondrawn: this.ondrawn });
    this.crop.onview = () => this.editor.draw();
    this.#listen(this.crop.svg);
    this.frame.replaceChildren(this.crop.svg);
    this.#applyLayers();
    this.#applyLight();
    this.fit();
    this.draw(selected, draft);
    this.#say(scene.image);
    scene.outlines.then((outlines) => {
      if (turn !== this.turn) return;
      this.outlines = outlines;
      this.draw(this.selected, this.draft);
    }, () => {});
    return scene;
  }

  /** Draws again: `selected` is a label aside that the person works on, `draft` the fix that is shown where it was changed. */
  draw(selected, draft) {
    Object.assign(this, { selected, draft });
    if (!this.scene) return;
    const shapes = shapesOf(this.finding, this.scene, this.outlines, { selected });
    if (draft?.changed && draft.action !== "remove" && !this.editor.active) {
      shapes.push({ kind: "fix", box: draft.box, path: draft.mask && this.outlines?.predictions[`${draft.mask.model}/${draft.mask.prediction_id}`], caption: draft.category });
    }
    for (const made of this.scene.decided) {
      const fix = typeof made.fix === "string" ? JSON.parse(made.fix) : made.fix;
      if (made.annotation_id === null && fix) shapes.push({ kind: "fix", box: fix.box, caption: `${made.category ?? "drawn"} · ${made.author}` });
    }
    this.crop.draw(shapes);
    this.editor.draw();
  }

  fit() {
    if (!this.crop) return;
    const boxes = this.selected ? [box(this.selected)] : boxesOf(this.finding);
    this.crop.fit(around(boxes));
  }

  zoom(factor) {
    this.crop?.zoom(factor);
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.#applyLayers();
  }

  /** All overlays off, or on again. */
  bare() {
    this.toggle("all");
  }

  lighten(name, value) {
    this.light[name] = Math.min(Math.max(value, 0.3), 2.5);
    this.sliders[name].value = this.light[name];
    this.#applyLight();
  }

  full(on = !this.isFull) {
    this.isFull = on;
    this.onfull(on);
  }

  clear() {
    this.turn += 1;
    this.scene = this.crop = null;
    this.frame.replaceChildren();
  }

  #applyLayers() {
    for (const [name, button] of Object.entries(this.toggles)) {
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      this.crop?.svg.classList.toggle(`no-${name}`, this.hidden.has(name));
    }
    this.crop?.svg.classList.toggle("bare", this.hidden.has("all"));
  }

  #applyLight() {
    const { brightness, contrast } = this.light;
    const plain = brightness === 1 && contrast === 1;
    if (this.crop) this.crop.picture.style.filter = plain ? "" : `brightness(${brightness}) contrast(${contrast})`;
  }

  #say(image) {
    const said = {
      size_differs: `The file is ${image.file_width} × ${image.file_height}, the labels say ${image.width} × ${image.height}: the picture is stretched.`,
      missing: "The image file is missing.",
      unreadable: "The image file cannot be read.",
    }[image.file_state] ?? (image.has_images ? "" : "This batch came without images.");
    this.note.textContent = said;
    this.note.hidden = !said;
  }

  #listen(svg) {
    let from = null;
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.crop.zoom(Math.exp(-event.deltaY * 0.0016), this.crop.point(event));
    }, { passive: false });
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      svg.setPointerCapture(event.pointerId);
      from = { x: event.clientX, y: event.clientY, editing: this.editor.down(event), still: true };
    });
    svg.addEventListener("pointermove", (event) => {
      if (!from || from.editing) {
        this.editor.move(event);
        return;
      }
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (from.still && Math.hypot(dx, dy) < STILL) return;
      from = { ...from, x: event.clientX, y: event.clientY, still: false };
      this.crop.pan(dx, dy);
    });
    svg.addEventListener("pointerup", (event) => {
      if (from?.editing) this.editor.up();
      else if (from?.still && !this.editor.active) this.onselect(this.#labelAt(this.crop.point(event)));
      from = null;
    });
  }

  /** The smallest label under a point that the finding is not about. */
  #labelAt([x, y]) {
    const under = this.scene.labels.filter((l) => l.annotation_id !== this.finding.annotation_id
      && x >= l.x && y >= l.y && x <= l.x + l.width && y <= l.y + l.height);
    return under.sort((a, b) => a.width * a.height - b.width * b.height)[0] ?? null;
  }
}

/** Two small crops: the labels as they are, and as they would be with the fix. */
export function beforeAfter(finding, label, draft, scene, outlines) {
  const about = boxesOf(finding);
  const view = around([...about, draft.box]);
  const path = label && outlines?.labels[label.annotation_id];
  const before = label ? [{ kind: "label", box: box(label), path, caption: label.category }] : [];
  const mask = draft.mask ? outlines?.predictions[`${draft.mask.model}/${draft.mask.prediction_id}`] : null;
  const sameBox = label && draft.box.every((v, k) => v === box(label)[k]);
  const after = draft.action === "remove" ? [] : [{ kind: "fix", box: draft.box, path: mask ?? (sameBox ? path : null), caption: draft.category }];
  if (finding.other_annotation_id !== null && label?.annotation_id === finding.annotation_id) {
    const other = scene.labels.find((l) => l.annotation_id === finding.other_annotation_id);
    if (other) for (const list of [before, after]) list.push({ kind: "label", box: box(other), path: outlines?.labels[other.annotation_id], caption: other.category });
  }
  return [["Before", before], ["After", after]].map(([title, shapes]) => {
    const crop = new Crop(scene.image, { title });
    crop.fit(view, 1.5);
    crop.draw(shapes);
    return h("figure", {}, crop.svg, h("figcaption", {}, title, shapes.length ? null : h("span", { class: "soft" }, " · no label")));
  });
}

