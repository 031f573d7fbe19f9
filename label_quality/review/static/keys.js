// The keys of the queue, in one table that also makes the help. What they do is in queue.js.
import { h } from "./shell.js";

// [keys, action, what it does]; shown in these groups.
export const KEYS = {
  Decide: [
    [["a", "Enter"], "accept", "Accept: it is an error, the fix is right"],
    [["r"], "reject", "Reject: the label is right"],
    [["u"], "unsure", "Unsure"],
    [["l"], "relabel", "Send to relabelling"],
    [["z", "Ctrl+z"], "undo", "Undo"],
    [["n"], "note", "Note with the decision"],
    [["t"], "tag", "Tag the label or the prediction; Shift: the picture"],
  ],
  Move: [
    [["ArrowRight", "j"], "next", "Next finding"],
    [["ArrowLeft", "k"], "previous", "Previous finding"],
    [["o"], "open", "Next that is still open"],
    [["g"], "grid", "Many at once, or one by one"],
    [["x"], "select", "Select in the grid"],
    [["Ctrl+a"], "selectAll", "Select all that are loaded"],
  ],
  "Change the fix": [
    [["c"], "class", "Another class, by typing"],
    [["e"], "box", "Change the box: drag, or arrows; Alt for the right and lower edge, Shift for ten pixels"],
    [["m"], "mask", "The prediction's mask, or not"],
    [["Delete", "Backspace"], "remove", "Delete the label, or keep it"],
    [["d"], "draw", "Draw an object that no model found"],
    [["i"], "reset", "The fix as it was suggested"],
  ],
  Look: [
    [["h"], "bare", "Nothing over the picture"],
    [["1"], "labels", "Labels"], [["2"], "predictions", "Predictions"], [["3"], "masks", "Masks"], [["4"], "aside", "Other objects"],
    [["+", "="], "zoomIn", "Zoom in (or the wheel)"], [["-"], "zoomOut", "Zoom out"], [["0"], "fit", "To the finding"], [["9"], "whole", "Whole picture"],
    [["f"], "full", "Full screen"],
    [["["], "darker", "Darker"], [["]"], "brighter", "Brighter"], [["{"], "softer", "Less contrast"], [["}"], "harder", "More contrast"],
    [["/"], "filters", "Filters"], [["?"], "help", "These keys"], [["Escape"], "escape", "Close, or stop what was begun"],
  ],
};

const byKey = new Map(Object.values(KEYS).flat().flatMap(([keys, action]) => keys.map((key) => [key, action])));

/** The action of a key event; undefined for none, and for what is typed into a field. */
export function actionOf(event) {
  const { target } = event;
  const typing = target.matches?.("input:not([type=checkbox]):not([type=range]), select, textarea") || target.closest?.("dialog");
  if (typing) return undefined;
  if (event.key === "Enter" && target.matches?.("button, a, summary, input")) return undefined;
  if (event.metaKey || event.ctrlKey) return byKey.get(`Ctrl+${event.key.toLowerCase()}`);
  if (event.key === "T") return "tagPicture";
  return byKey.get(event.key) ?? byKey.get(event.key.toLowerCase());
}

const SIGNS = { ArrowRight: "→", ArrowLeft: "←", Delete: "Del", Backspace: "⌫", Escape: "Esc", Enter: "↵" };

export function showHelp(keys_ = KEYS) {
  const groups = Object.entries(keys_).map(([title, keys]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, keys.flatMap(([names, , said]) => [h("dt", {}, names.flatMap((n) => n.split("+").length > 1 && n !== "+" ? [h("kbd", {}, n.replace("+", " "))] : [h("kbd", {}, SIGNS[n] ?? n.toUpperCase())])), h("dd", {}, said)]))));
  const dialog = h("dialog", { class: "help" }, h("div", { class: "dialog", tabindex: -1, autofocus: true }, h("h2", {}, "Keys"), h("div", { class: "help-groups" }, groups),
    h("footer", {}, h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close"))));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => event.key === "?" && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
