// What the queue asks a person in between: a class, a tag, a note.
import { get, h, toast } from "./shell.js";
import { choose } from "./chooser.js";

const categories = new Map(); // of a batch, fetched once

/** A category of the batch: {text, category_id}, or null. */
export async function chooseClass(batch, title, current) {
  if (!categories.has(batch)) categories.set(batch, get(`/api/categories/${encodeURIComponent(batch)}`));
  let found;
  try {
    found = await categories.get(batch);
  } catch (error) {
    categories.delete(batch); // asked for again next time
    toast(error.message, { wrong: true });
    return null;
  }
  return choose(title, found.map((c) => ({ text: c.name, category_id: c.category_id, detail: c.labels.toLocaleString("en-US") })), { current });
}

/** A tag that is there already, or a new one: {text}, or null. */
export async function chooseTag() {
  const found = await get("/api/tags");
  return choose("Which tag?", found.map((t) => ({ text: t.tag, detail: t.n.toLocaleString("en-US") })), { allowNew: true });
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
