// A part of a picture with boxes, masks and captions drawn over it, as one SVG. All coordinates are pixels of the image.
import { s } from "./shell.js";

const FONT = 12.5; // px on screen
const measure = document.createElement("canvas").getContext("2d");

export const imageUrl = (batch, id) => `/api/images/${encodeURIComponent(batch)}/${id}`;
export const thumbnailUrl = (batch, id, side) => `/api/thumbnails/${encodeURIComponent(batch)}/${id}?side=${side}`;
const LARGE = 4e6; // pixels from which small crops are cut from a smaller picture

/** The smallest box around boxes [x, y, width, height]. */
export function around(boxes) {
  const x = Math.min(...boxes.map((b) => b[0]));
  const y = Math.min(...boxes.map((b) => b[1]));
  return [x, y, Math.max(...boxes.map((b) => b[0] + b[2])) - x, Math.max(...boxes.map((b) => b[1] + b[3])) - y];
}

/**
 * shapes: [{kind: "label" | "prediction" | "fix", box: [x, y, w, h], path?: SVG path, caption?: text, aside?: bool, crowd?: bool, title?: text}];
 * `aside` are those that the picture is not about: thin, and without a caption.
 */
export class Crop {
  /** `small`: one of many on the page. */
  constructor(image, { title = "", small = false } = {}) {
    this.image = image; // {batch, image_id, width, height}
    const scaled = small && image.width * image.height > LARGE;
    const href = scaled ? thumbnailUrl(image.batch, image.image_id, 1024) : imageUrl(image.batch, image.image_id);
    this.shapes = [];
    this.view = [0, 0, image.width, image.height];
    this.picture = s("image", { href, x: 0, y: 0, width: image.width, height: image.height, preserveAspectRatio: "none" });
    this.overlay = s("g", { class: "overlay" });
    this.captions = s("g", { class: "overlay" });
    this.tools = s("g", { class: "tools" });
    this.svg = s("svg", { class: "crop", role: "img", "aria-label": title }, this.picture, this.overlay, this.captions, this.tools);
    this.onview = null; // called when the view or its size on the screen has changed
    new ResizeObserver(() => (this.fitted ? this.fit(this.fitted.box, this.fitted.factor, this.fitted.least) : this.#apply())).observe(this.svg);
  }

  /** Screen pixels per pixel of the image. */
  get scale() {
    return (this.svg.clientWidth || 1) / this.shown[2];
  }

  /** Shows `box` with `factor` times its size around it, at least `least` pixels, and no more than needed outside the image. */
  fit(box, factor = 1.8, least = 48) {
    this.fitted = { box, factor, least };
    const { width: all, height: high } = this.image;
    const side = [Math.min(Math.max(box[2] * factor, box[2] + 24, least), all * 1.03), Math.min(Math.max(box[3] * factor, box[3] + 24, least), high * 1.03)];
    const [x, y, width, height] = this.#widened([box[0] + box[2] / 2 - side[0] / 2, box[1] + box[3] / 2 - side[1] / 2, ...side]);
    const inside = (from, length, all) => (length >= all ? (all - length) / 2 : Math.min(Math.max(from, 0), all - length));
    this.view = [inside(x, width, this.image.width), inside(y, height, this.image.height), width, height];
    this.#apply();
  }

  fitAll() {
    this.show([0, 0, this.image.width, this.image.height]);
  }

  show(view) {
    this.fitted = null;
    this.view = view;
    this.#apply();
  }

  /** Zooms about a point of the image; without one, about the middle. */
  zoom(factor, at = null) {
    const [x, y, width, height] = this.shown;
    const point = at ?? [x + width / 2, y + height / 2];
    const least = 8 / Math.max(width, height);
    const by = Math.min(Math.max(1 / factor, least), (4 * Math.max(this.image.width, this.image.height)) / Math.max(width, height));
    this.show([point[0] + (x - point[0]) * by, point[1] + (y - point[1]) * by, width * by, height * by]);
  }

  /** Moves the view by pixels of the screen. */
  pan(dx, dy) {
    const [x, y, width, height] = this.shown;
    this.show([x - dx / this.scale, y - dy / this.scale, width, height]);
  }

  /** The point of the image under a pointer event. */
  point(event) {
    const frame = this.svg.getBoundingClientRect();
    const [x, y] = this.shown;
    return [x + (event.clientX - frame.left) / this.scale, y + (event.clientY - frame.top) / this.scale];
  }

  draw(shapes) {
    this.shapes = shapes;
    this.overlay.replaceChildren(...[...shapes].sort((a, b) => (b.aside ? 1 : 0) - (a.aside ? 1 : 0)).map(drawn));
    this.#caption();
  }

  /** What is really shown: the view, widened to the shape of the element. */
  get shown() {
    return this.#widened(this.view);
  }

  #widened([x, y, width, height]) {
    const ratio = (this.svg.clientWidth || 4) / (this.svg.clientHeight || 3);
    const [w, h] = width / height < ratio ? [height * ratio, height] : [width, width / ratio];
    return [x - (w - width) / 2, y - (h - height) / 2, w, h];
  }

  #apply() {
    this.svg.setAttribute("viewBox", this.shown.join(" "));
    this.#caption();
    this.onview?.();
  }

  #caption() {
    const taken = [];
    const captions = this.shapes.filter((shape) => shape.caption && !shape.aside);
    this.captions.replaceChildren(...captions.map((shape) => this.#captionOf(shape, taken)));
  }

  /** A caption above or below its box, where no other one stands yet, inside what is shown. */
  #captionOf(shape, taken) {
    const unit = 1 / this.scale;
    measure.font = `620 ${FONT}px system-ui, "Liberation Sans", sans-serif`;
    const width = (measure.measureText(shape.caption).width + 12) * unit;
    const height = 20 * unit;
    const [x, y, w, h] = shape.box;
    const gap = 3 * unit;
    const above = [x, y - height - gap];
    const below = [x, y + h + gap];
    const right = x + w - width;
    const places = shape.kind === "label"
      ? [above, [right, above[1]], below, [x, y + gap]]
      : [below, [right, below[1]], above, [right, above[1]], [x, y + h - height - gap]];
    const [left, top, shownWidth, shownHeight] = this.shown;
    const kept = places.map(([a, b]) => [
      Math.min(Math.max(a, left + gap), left + shownWidth - width - gap),
      Math.min(Math.max(b, top + gap), top + shownHeight - height - gap),
    ]);
    const free = kept.find(([a, b]) => taken.every((t) => a + width <= t[0] || t[0] + t[2] <= a || b + height <= t[1] || t[1] + t[3] <= b)) ?? kept[0];
    taken.push([...free, width, height]);
    return s("g", { class: `caption of-${shape.kind}` },
      s("rect", { x: free[0], y: free[1], width, height, rx: 3 * unit }),
      s("text", { x: free[0] + 6 * unit, y: free[1] + height / 2, "font-size": FONT * unit }, shape.caption));
  }
}

function drawn(shape) {
  const [x, y, width, height] = shape.box;
  const box = { x, y, width, height };
  return s("g", { class: `of-${shape.kind}${shape.aside ? " aside" : ""}${shape.crowd ? " crowd" : ""}` },
    shape.title ? s("title", {}, shape.title) : null,
    shape.path ? s("path", { class: "mask", d: shape.path, "fill-rule": "evenodd", "vector-effect": "non-scaling-stroke" }) : null,
    s("rect", { class: "halo", ...box }),
    s("rect", { class: "box", ...box }));
}
