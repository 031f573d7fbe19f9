// The fix that a person is about to accept: it begins as the suggested one and may be changed. No element is made here.
import { box } from "./shapes.js";
import { nameOf } from "./list.js";

const drafts = new Map();

/**
 * {action: "add" | "edit" | "remove", category_id, category, box, mask: {model, prediction_id} | null, changed}.
 * `edit` changes a label; which of its fixes it becomes is seen when it is made.
 */
export function draftOf(finding) {
  const name = nameOf(finding);
  if (!drafts.has(name)) drafts.set(name, suggested(finding));
  return drafts.get(name);
}

export function forgetDraft(finding) {
  drafts.delete(nameOf(finding));
}

function suggested(finding) {
  const action = { add: "add", remove: "remove" }[finding.suggested_fix] ?? "edit";
  const suggestedBox = box(finding, "suggested_");
  const keepsBox = suggestedBox[0] === null || finding.suggested_fix === "change_class";
  const withMask = finding.prediction_id !== null && (action === "add" || finding.suggested_fix === "change_mask");
  return {
    action,
    category_id: finding.suggested_category_id ?? finding.category_id,
    category: finding.suggested_category ?? finding.category,
    box: keepsBox ? box(finding) : suggestedBox,
    mask: withMask ? { model: finding.model, prediction_id: finding.prediction_id } : null,
    changed: false,
  };
}

/** A draft for a label that no finding is about. */
export function draftForLabel(label) {
  return { action: "edit", category_id: label.category_id, category: label.category, box: box(label), mask: null, changed: false };
}

/** The fix as the server takes it; null where the draft changes nothing. `label` is the row that it is about. */
export function fixOf(draft, label) {
  const { action, category_id, mask } = draft;
  if (action === "remove") return { action };
  if (action === "add") return { action, category_id, box: draft.box, ...(mask ?? {}) };
  const otherClass = category_id !== label.category_id ? { category_id } : {};
  if (mask) return { action: "change_mask", box: draft.box, ...otherClass, ...mask };
  if (draft.box.some((v, k) => v !== box(label)[k])) return { action: "change_box", box: draft.box, ...otherClass };
  return otherClass.category_id === undefined ? null : { action: "change_class", category_id };
}

/** What the fix does, in words. */
export function saidOf(draft, label) {
  const fix = fixOf(draft, label);
  if (!fix) return "Nothing is changed yet";
  return {
    add: `Add ${draft.category}`,
    remove: `Remove the label ${label.category}`,
    change_class: `${label.category} becomes ${draft.category}`,
    change_box: fix.category_id === undefined ? "Another box" : `Another box, and ${draft.category}`,
    change_mask: fix.category_id === undefined ? "The prediction's mask" : `The prediction's mask, and ${draft.category}`,
  }[fix.action];
}
