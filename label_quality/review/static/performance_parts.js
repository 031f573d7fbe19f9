// Parts of the page of model performance: the numbers that follow the slider, the table by class, outcomes with their reasons.
import { h, count, words } from "./shell.js";

const TILES = [["ap", "mAP", "mean average precision at this IoU"], ["ar", "mAR", "mean recall from this IoU to .95"], ["precision", "precision", "TP / (TP + FP)"], ["recall", "recall", "TP / labels"], ["f1", "F1", ""],
  ["tp", "TP", "predictions that are right"], ["fp", "FP", "predictions that are not"], ["fn", "FN", "labels that are not found"], ["labels", "labels", ""]];
const COUNTS = new Set(["tp", "fp", "fn", "labels"]);
const COLUMNS = [["labels", "Labels"], ["ap", "AP"], ["ar", "AR"], ["tp", "TP"], ["fp", "FP"], ["fn", "FN"]];
const DOWN = new Set(["fp", "fn"]); // where less is better

const said = (name, value) => (value === null || value === undefined ? "–" : COUNTS.has(name) ? count(value) : value.toFixed(3));

/** The row of all classes together, or the sum or mean of those that are chosen. */
function rowOf(part, chosen) {
  const at = (k) => Object.fromEntries(Object.keys(part).map((name) => [name, part[name][k]]));
  if (!chosen.length) return at(0);
  const rows = part.category_name.map((name, k) => (k && chosen.includes(name) ? at(k) : null)).filter(Boolean);
  if (rows.length === 1) return rows[0];
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  const mean = (name) => { const known = rows.map((row) => row[name]).filter((v) => v !== null); return known.length ? known.reduce((a, b) => a + b) / known.length : null; };
  const [tp, fp, fn, labels] = ["tp", "fp", "fn", "labels"].map(sum);
  const share = (part_, whole) => (whole ? part_ / whole : null);
  return { tp, fp, fn, labels, ap: mean("ap"), ar: mean("ar"), precision: share(tp, tp + fp), recall: share(tp, labels), f1: share(2 * tp, 2 * tp + fp + fn) };
}

/** The numbers at this IoU; of two subjects both, with the difference. */
export function tilesOf(found, names, chosen) {
  const rows = found.subjects.map((part) => rowOf(part, chosen));
  const one = chosen.length === 1;
  return TILES.map(([name, title, detail]) => {
    const values = rows.map((row) => row[name]);
    const shown = one && (name === "ap" || name === "ar") ? title.slice(1) : title;
    const tile = h("div", { class: "tile card", title: detail, data: { name } }, h("span", { class: "soft small" }, shown),
      values.map((value, k) => h("span", { class: `number numbers${values.length > 1 ? " of-two" : ""}`, title: names[k] }, said(name, value))));
    if (values.length > 1 && values.every((v) => v !== null)) tile.append(difference(name, values[1] - values[0]));
    return tile;
  });
}

function difference(name, value) {
  const good = name === "labels" || value === 0 ? "" : (value > 0) !== DOWN.has(name) ? "better" : "worse";
  const text = COUNTS.has(name) ? `${value > 0 ? "+" : value < 0 ? "−" : "±"}${count(Math.abs(value))}` : `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(3)}`;
  return h("span", { class: `small numbers difference ${good}` }, text);
}

export class ClassTable {
  /** onchoose(name): a class was clicked. */
  constructor({ onchoose }) {
    Object.assign(this, { onchoose, sort: "labels", down: true });
    this.body = h("tbody", {});
    this.head = h("thead", {});
    this.element = h("div", { class: "scroll classes" }, h("table", { class: "small" }, this.head, this.body));
  }

  show(found, names, chosen) {
    Object.assign(this, { found, names, chosen });
    const [first, second] = found.subjects;
    const sort = (name) => () => { this.down = this.sort === name ? !this.down : name !== "category_name"; this.sort = name; this.show(this.found, this.names, this.chosen); };
    const header = (name, title) => h("th", { "aria-sort": this.sort === name ? (this.down ? "descending" : "ascending") : "none" }, h("button", { type: "button", class: "link", onclick: sort(name) }, title, this.sort === name ? (this.down ? " ↓" : " ↑") : ""));
    this.head.replaceChildren(h("tr", {}, header("category_name", "Class"), COLUMNS.map(([name, title]) => header(name, title))));
    const other = second && new Map(second.category_name.map((name, k) => [name, k]));
    const order = first.category_name.map((_, k) => k).slice(1).filter((k) => first.labels[k] || first.fp[k]);
    const value = (k) => first[this.sort][k];
    order.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return (typeof x === "string" ? x.localeCompare(y) : x - y) * (this.down ? -1 : 1);
    });
    this.body.replaceChildren(...order.map((k) => {
      const name = first.category_name[k];
      const on = chosen.includes(name);
      return h("tr", { class: on ? "chosen" : "" },
        h("td", {}, h("button", { type: "button", class: "link", "aria-pressed": String(on), onclick: () => this.onchoose(name) }, name)),
        COLUMNS.map(([column]) => {
          const two = other?.has(name) && column !== "labels" ? second[column][other.get(name)] : undefined;
          return h("td", { class: "numbers" }, column === "ap" || column === "ar" ? h("span", { class: "meter", style: { "--share": first[column][k] ?? 0 } }) : null,
            said(column, first[column][k]), two === undefined ? null : h("span", { class: "soft second" }, said(column, two)));
        }));
    }));
  }
}

const OUTCOMES = { prediction: [["TP", "true positives"], ["FP", "false positives"], ["ignored", "ignored: on a crowd, or beyond the 100 that count"]], annotation: [["TP", "found"], ["FN", "not found"], ["ignored", "ignored: crowds"]] };
const REASONS = {
  prediction: { poor_location: "poor location: IoU .1 to .5 with a label of its class", wrong_class: "wrong class: on a label of another class", duplicate: "duplicate: a surer one has its label", background: "background: on no label", both: "place and class: touches a label of another class" },
  annotation: { missed: "missed: no prediction touches it", poor_location: "poor location: one of its class touches it", wrong_class: "wrong class: one of another class is on it", both: "place and class: one of another class touches it", shared: "shared: a prediction on it was matched with another label" },
};

/** Outcomes of predictions and labels with their reasons, each a link to its cases. `link(kind, outcome, reason)` gives the address. */
export function reasonRows(rows, link) {
  return h("div", { class: "reasons" }, ["prediction", "annotation"].map((kind) => {
    const all = rows[kind].reduce((sum, row) => sum + row.n, 0);
    const line = (text, n, href, inner, colour) => h("a", { class: `reason${inner ? " inner" : ""}`, href }, h("span", { class: "clip" }, text), h("span", { class: "numbers" }, count(n)),
      h("span", { class: "bar" }, h("span", { class: colour, style: { width: `${(100 * n) / Math.max(all, 1)}%` } })));
    return h("div", {}, h("h4", { class: "soft" }, kind === "prediction" ? `Predictions, ${count(all)}` : `Labels, ${count(all)}`),
      OUTCOMES[kind].flatMap(([outcome, title]) => {
        const mine = rows[kind].filter((row) => row.outcome === outcome);
        const n = mine.reduce((sum, row) => sum + row.n, 0);
        const colour = outcome === "TP" ? "good" : outcome === "ignored" ? "none" : "bad";
        if (!n && outcome === "ignored") return [];
        return [line(title, n, link(kind, outcome, null), false, colour),
          ...mine.filter((row) => row.reason).sort((a, b) => b.n - a.n).map((row) => line(REASONS[kind][row.reason] ?? words(row.reason), row.n, link(kind, outcome, row.reason), true, colour))];
      }));
  }));
}
