// Choosing one of many by typing: a class, a tag. A small dialog with what matches; Enter takes the first. It opens at once,
// also while the choices are still fetched: what is typed meanwhile counts.
import { h, toast } from "./shell.js";

const SHOWN = 12;

/** Resolves to one of the choices ({text, detail, …}) that `fetching` resolves to, to {text, isNew: true} where that is allowed, or to null. */
export function choose(title, fetching, { allowNew = false, current = "" } = {}) {
  let choices = null; // until they are there
  const input = h("input", { type: "search", placeholder: allowNew ? "Type to find, or a new one" : "Type to find", autocomplete: "off", spellcheck: "false", "aria-label": title,
    role: "combobox", "aria-expanded": "true", "aria-controls": "choices" });
  const list = h("ul", { class: "choices", role: "listbox", id: "choices" });
  const dialog = h("dialog", { class: "chooser" }, h("div", { class: "dialog" }, h("h2", {}, title), input, list));
  let matching = [];
  let at = 0;
  let entered = false; // before there was anything to take

  function match() {
    if (!choices) return list.replaceChildren(h("li", { class: "soft" }, "One moment …"));
    const typed = input.value.trim().toLowerCase();
    const starts = choices.filter((c) => c.text.toLowerCase().startsWith(typed));
    const holds = choices.filter((c) => !c.text.toLowerCase().startsWith(typed) && c.text.toLowerCase().includes(typed));
    matching = [...starts, ...holds].slice(0, SHOWN);
    if (allowNew && typed && !choices.some((c) => c.text.toLowerCase() === typed)) matching.push({ text: input.value.trim(), isNew: true });
    at = typed ? 0 : Math.max(matching.findIndex((c) => c.text === current), 0);
    return show();
  }

  function show() {
    list.replaceChildren(...matching.map((choice, k) =>
      h("li", { role: "option", "aria-selected": String(k === at), onclick: () => take(k) },
        h("span", { class: "clip" }, choice.isNew ? `New: ${choice.text}` : choice.text), h("span", { class: "soft small numbers" }, choice.detail ?? ""))));
    if (!matching.length) list.append(h("li", { class: "soft" }, allowNew && !choices.length ? "None yet: type a new one" : "Nothing matches"));
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  let taken = null;
  function take(k) {
    entered = !choices;
    taken = matching[k] ?? null;
    if (taken) dialog.close();
  }

  input.addEventListener("input", () => { entered = false; match(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") take(at);
    else if (event.key === "ArrowDown") at = Math.min(at + 1, matching.length - 1);
    else if (event.key === "ArrowUp") at = Math.max(at - 1, 0);
    else return;
    event.preventDefault();
    if (choices) show();
  });
  Promise.resolve(fetching).then(
    (found) => {
      choices = found;
      match();
      if (entered) take(at);
    },
    (error) => {
      toast(error.message, { wrong: true });
      dialog.close();
    },
  );
  document.body.append(dialog);
  match();
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(taken);
    });
  });
}
