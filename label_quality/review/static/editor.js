// Changing a box on a crop: drag an edge, a corner or the whole, nudge by keys; or draw a new one. The box is in pixels of the image.
import { s } from "./shell.js";

const GRAB = 9; // px on the screen from an edge that still take hold of it
const LEAST = 1; // px of the image that a box has at least

/** Which edges a pointer takes hold of: {left, top, right, bottom}; all four for the inside; null for none. */
export function edgesAt(box, [x, y], reach) {
  const [left, top, width, height] = box;
  const [right, bottom] = [left + width, top + height];
  if (x < left - reach || x > right + reach || y < top - reach || y > bottom + reach) return null;
  // Of a box that is smaller than two reaches the nearer edge is taken.
  const edges = {
    left: Math.abs(x - left) <= reach && Math.abs(x - left) <= Math.abs(x - right),
    right: Math.abs(x - right) <= reach && Math.abs(x - right) < Math.abs(x - left),
    top: Math.abs(y - top) <= reach && Math.abs(y - top) <= Math.abs(y - bottom),
    bottom: Math.abs(y - bottom) <= reach && Math.abs(y - bottom) < Math.abs(y - top),
  };
  return Object.values(edges).some(Boolean) ? edges : { left: true, top: true, right: true, bottom: true };
}

/** The box with some edges moved by dx, dy, kept inside the image and at least one pixel large. */
export function moved(box, edges, dx, dy, image) {
  let [left, top, right, bottom] = [box[0], box[1], box[0] + box[2], box[1] + box[3]];
  if (edges.left && edges.right) {
    const by = Math.min(Math.max(dx, -left), image.width - right);
    [left, right] = [left + by, right + by];
  } else if (edges.left) left = Math.min(Math.max(left + dx, 0), right - LEAST);
  else if (edges.right) right = Math.max(Math.min(right + dx, image.width), left + LEAST);
  if (edges.top && edges.bottom) {
    const by = Math.min(Math.max(dy, -top), image.height - bottom);
    [top, bottom] = [top + by, bottom + by];
  } else if (edges.top) top = Math.min(Math.max(top + dy, 0), bottom - LEAST);
  else if (edges.bottom) bottom = Math.max(Math.min(bottom + dy, image.height), top + LEAST);
  return [left, top, right - left, bottom - top].map((v) => Math.round(v * 10) / 10);
}

const CURSORS = { "1000": "ew-resize", "0010": "ew-resize", "0100": "ns-resize", "0001": "ns-resize", "1100": "nwse-resize",
  "0011": "nwse-resize", "0110": "nesw-resize", "1001": "nesw-resize", "1111": "move" };
const cursorOf = (edges) => CURSORS[["left", "top", "right", "bottom"].map((e) => Number(edges[e])).join("")] ?? "default";

export class Editor {
  /** onchange(box): while it is dragged, and when it is nudged. ondrawn(box): a new one was drawn. */
  constructor(crop, { onchange, ondrawn }) {
    Object.assign(this, { crop, onchange, ondrawn, box: null, drawing: false, held: null });
  }

  edit(box) {
    this.box = box;
    this.drawing = false;
    this.draw();
  }

  beginDrawing() {
    this.box = null;
    this.drawing = true;
    this.draw();
  }

  stop() {
    this.box = this.held = null;
    this.drawing = false;
    this.draw();
  }

  get active() {
    return this.drawing || this.box !== null;
  }

  /** Whether the pointer is taken by the editor; else it moves the picture. */
  down(event) {
    const point = this.crop.point(event);
    if (this.drawing) {
      const { width, height } = this.crop.image;
      const start = [Math.min(Math.max(point[0], 0), width), Math.min(Math.max(point[1], 0), height)];
      this.held = { start };
      return true;
    }
    const edges = this.box && edgesAt(this.box, point, GRAB / this.crop.scale);
    if (!edges) return false;
    this.held = { start: point, edges, box: this.box };
    return true;
  }

  move(event) {
    const point = this.crop.point(event);
    if (!this.held) {
      const edges = this.box && edgesAt(this.box, point, GRAB / this.crop.scale);
      this.crop.svg.style.cursor = this.drawing ? "crosshair" : edges ? cursorOf(edges) : "";
      return;
    }
    const [dx, dy] = [point[0] - this.held.start[0], point[1] - this.held.start[1]];
    if (this.held.edges) {
      this.box = moved(this.held.box, this.held.edges, dx, dy, this.crop.image);
      this.onchange(this.box);
    } else {
      const { start } = this.held;
      const corner = [Math.min(start[0], point[0]), Math.min(start[1], point[1]), 0, 0];
      this.box = moved([...corner.slice(0, 2), 0, 0], { right: true, bottom: true }, Math.abs(dx), Math.abs(dy), this.crop.image);
    }
    this.draw();
  }

  up() {
    const { held } = this;
    this.held = null;
    if (!this.drawing || !this.box) return;
    const box = this.box;
    this.box = null;
    if (held && box[2] >= 2 && box[3] >= 2) {
      this.stop();
      this.ondrawn(box);
    } else this.draw();
  }

  /** Arrow keys move the box; with Alt they move its right and lower edge, with Shift ten pixels at once. */
  nudge(key, { shiftKey, altKey }) {
    if (!this.box || this.drawing) return;
    const step = shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
    const all = { left: !altKey, top: !altKey, right: true, bottom: true };
    this.box = moved(this.box, all, dx, dy, this.crop.image);
    this.onchange(this.box);
    this.draw();
  }

  draw() {
    const { tools, scale } = this.crop;
    if (!this.active) {
      tools.replaceChildren();
      this.crop.svg.style.cursor = "";
      return;
    }
    if (!this.box) {
      tools.replaceChildren();
      this.crop.svg.style.cursor = "crosshair";
      return;
    }
    const [x, y, width, height] = this.box;
    const r = 4.5 / scale;
    const spots = [0, 0.5, 1].flatMap((a) => [0, 0.5, 1].map((b) => [a, b])).filter(([a, b]) => a !== 0.5 || b !== 0.5);
    tools.replaceChildren(
      s("rect", { class: "editing", x, y, width, height }),
      ...spots.map(([a, b]) => s("rect", { class: "handle", x: x + a * width - r, y: y + b * height - r, width: 2 * r, height: 2 * r, rx: r / 2 })));
  }
}
