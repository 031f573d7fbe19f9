// Draws the figures that the server writes: plotly from its Python package, in the colours of the page.
import { h } from "./shell.js";

let loading = null;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", { src: new URL("plotly.min.js", import.meta.url).href });
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => { loading = null; reject(new Error("The charts could not be loaded.")); });
    document.head.append(script);
  });
  return loading;
}

const drawn = new Set();
const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, showTips: false };

/** Figures name colours by variables of the style sheet. */
function themed(value, styles) {
  if (typeof value === "string") return value.startsWith("--") ? styles.getPropertyValue(value).trim() : value;
  if (Array.isArray(value)) return value.map((one) => themed(one, styles));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, name === "customdata" ? one : themed(one, styles)]));
  return value;
}

function axis(axis, colours) {
  return { gridcolor: colours.rule, zerolinecolor: colours.rule, linecolor: colours.rule, tickfont: { color: colours.soft, size: 11.5 }, ...axis,
    title: { ...axis?.title, font: { color: colours.soft, size: 12 }, standoff: 8 } };
}

function layoutOf(figure, styles) {
  const colour = (name) => styles.getPropertyValue(name).trim();
  const colours = { rule: colour("--rule"), soft: colour("--soft") };
  const layout = themed(figure.layout, styles);
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", hovermode: "closest", autosize: true, ...layout,
    font: { family: styles.fontFamily, size: 12, color: colour("--ink") },
    xaxis: axis(layout.xaxis, colours), yaxis: axis(layout.yaxis, colours),
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--rule"), font: { color: colour("--ink"), size: 12.5 }, align: "left", namelength: -1 },
    newselection: { line: { color: colour("--focus"), width: 1, dash: "solid" } },
    activeselection: { fillcolor: colour("--focus"), opacity: 0.12 },
  };
}

/** A place for a figure. `show(figure)` draws it; null leaves a sentence in its place. */
export class Chart {
  /** onclick(customdata, point): a mark was clicked. onselect({x: [from, to], y: [from, to]} | null): a box was drawn. */
  constructor({ label, onclick = null, onselect = null, empty = "There is nothing to draw." } = {}) {
    Object.assign(this, { onclick, onselect, empty, figure: null, turn: 0 });
    this.plot = h("div", { class: "plot" });
    this.nothing = h("p", { class: "soft small nothing-drawn", hidden: true });
    this.element = h("div", { class: `chart${onclick ? " clickable" : ""}`, role: "img", "aria-label": label }, this.plot, this.nothing);
    new ResizeObserver(() => this.#resize()).observe(this.element);
    drawn.add(this);
  }

  async show(figure) {
    const turn = ++this.turn;
    this.figure = figure;
    this.plot.hidden = !figure;
    this.nothing.hidden = Boolean(figure);
    this.nothing.textContent = this.empty;
    if (!figure) return;
    this.plot.style.minHeight = `${figure.layout.height}px`;
    const Plotly = await plotly();
    if (turn !== this.turn || !this.element.isConnected) return;
    const styles = getComputedStyle(document.documentElement);
    const body = getComputedStyle(document.body);
    const layout = layoutOf(figure, { getPropertyValue: (name) => styles.getPropertyValue(name), fontFamily: body.fontFamily });
    const first = !this.made;
    await Plotly.react(this.plot, themed(figure.data, styles), layout, CONFIG);
    if (first) this.#listen();
    this.element.dataset.drawn = String(turn);
  }

  again() {
    if (this.figure && this.element.isConnected) this.show(this.figure);
  }

  #listen() {
    this.made = true;
    if (this.onclick) this.plot.on("plotly_click", ({ points: [point] }) => this.onclick(point.customdata, point));
    if (this.onselect) {
      this.plot.on("plotly_selected", (event) => event?.range && this.onselect(event.range));
      this.plot.on("plotly_deselect", () => this.onselect(null));
    }
  }

  #resize() {
    const width = this.element.clientWidth;
    if (this.made && width && width !== this.width && window.Plotly) window.Plotly.Plots.resize(this.plot);
    this.width = width;
  }
}

window.addEventListener("themechange", () => { for (const chart of drawn) chart.again(); });
