// What the queue asks a person in between: a class, a tag, a note.
import { count, get, h } from "./shell.js";
import { choose } from "./chooser.js";

const categories = new Map(); // of a batch, fetched once

/** A category of the batch: {text, category_id}, or null. */
export function chooseClass(batch, title, current) {
  if (!categories.has(batch)) {
    const fetched = get(`/api/categories/${encodeURIComponent(batch)}`).then((found) => found.map((c) => ({ text: c.name, category_id: c.category_id, detail: count(c.labels) })));
    fetched.catch(() => categories.delete(batch)); // asked for again next time
    categories.set(batch, fetched);
  }
  return choose(title, categories.get(batch), { current });
}

/** A tag that is there already, or (`allowNew`) a new one: {text}, or null. */
export function chooseTag(title = "Which tag?", { allowNew = true } = {}) {
  return choose(title, get("/api/tags").then((found) => found.map((t) => ({ text: t.tag, detail: count(t.n) }))), { allowNew });
}

/** A note; null when it was not written. */
export function askNote(before = "") {
  const input = h("input", { type: "text", maxlength: 1000, value: before, "aria-label": "Note" });
  const dialog = h("dialog", {}, h("form", { class: "dialog", method: "dialog" }, h("h2", {}, "Note"),
    h("p", { class: "soft" }, "It goes with your decision on this finding."), input,
    h("footer", {}, h("button", { value: "", type: "button", onclick: () => dialog.close("") }, "Cancel"), h("button", { class: "primary", value: "yes" }, "Keep"))));
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(dialog.returnValue === "yes" ? input.value.trim() : null);
  }));
}
