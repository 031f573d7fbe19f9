// What stands beside the picture: what is suspected and why, the fix before and after, the decisions, and who decided what.
import { h, percent, words } from "./shell.js";
import { beforeAfter } from "./stage.js";
import { saidOf } from "./drafts.js";

export const VERDICTS = {
  accept: { title: "Accept", done: "accepted", key: "A" },
  reject: { title: "Reject", done: "rejected", key: "R" },
  unsure: { title: "Unsure", done: "unsure", key: "U" },
  relabel: { title: "Relabel", done: "to relabelling", key: "L" },
};

/** The badge of a verdict; nothing for an open finding. */
export function verdictBadge(finding) {
  const verdict = VERDICTS[finding.status];
  const badge = verdict ? h("span", { class: `badge ${finding.status}` }, verdict.done) : null;
  return finding.disagreement ? [badge, h("span", { class: "badge reject", title: "People decided otherwise" }, "disagreement")] : [badge];
}

export class Panel {
  /** `run(action)` does what the key of an action does. */
  constructor({ run }) {
    this.run = run;
    this.element = h("aside", { class: "panel card", "aria-label": "Finding" });
  }

  /** `about`: {finding, label, draft, scene, outlines, selected}; scene may be null while it loads. */
  show(about) {
    const { finding, selected } = about;
    this.element.replaceChildren(
      ...[
        this.#head(finding),
        h("p", { class: "reason" }, finding.reason),
        selected ? this.#selected(selected, about.draft) : null,
        finding.error_type === "sample" && !selected ? h("p", { class: "small soft" }, "R where it is. Where it is not: C the right class, E the right box, M a mask of a prediction or Delete, then A; or L for relabelling.") : null,
        this.#fix(about),
        this.#actions(finding, selected),
        this.#history(finding),
        this.#evidence(finding),
      ].flat().filter(Boolean));
  }

  #head(finding) {
    const { group } = finding;
    return h("div", { class: "panel-head" },
      h("span", { class: `badge type ${finding.error_type}` }, finding.error_type === "sample" ? "label" : words(finding.error_type)),
      // Who answers a question of the sample is not told how sure the model is.
      finding.draw ? h("span", { class: "badge", title: "Drawn at random: answers to such cards measure the error rate" }, "sample") : h("span", { class: "p numbers", title: finding.calibrated ? "Probability of an error" : "Score: not calibrated, it ranks and does not measure" },
        percent(finding.p_error)),
      ...verdictBadge(finding),
      group.size > 1 ? h("span", { class: "soft small" }, `${group.position + 1} of ${group.size} in this picture`) : null);
  }

  #selected(label, draft) {
    return h("div", { class: "selected" },
      h("div", {}, h("span", { class: "badge label" }, label.category), ` label ${label.annotation_id} is selected`),
      h("p", { class: "small soft" }, draft.changed ? "A writes the change as a verdict of its own." : "C another class, E another box, Delete removes it, M a mask of a prediction."),
      h("div", { class: "row" },
        h("button", { type: "button", class: "primary", disabled: !draft.changed, onclick: () => this.run("accept") }, "Apply ", h("kbd", {}, "A")),
        h("button", { type: "button", onclick: () => this.run("escape") }, "Back ", h("kbd", {}, "Esc"))));
  }

  #fix({ finding, label, draft, scene, outlines, selected }) {
    const tool = (action, title, key, show = true) => (show ? h("button", { type: "button", class: "tool", title: `${title} (${key})`, onclick: () => this.run(action) }, title, " ", h("kbd", {}, key)) : null);
    return h("section", { class: "fix" },
      h("div", { class: "fix-head" },
        h("h3", {}, saidOf(draft, label ?? {})),
        draft.changed ? h("button", { type: "button", class: "quiet small", onclick: () => this.run("reset") }, "as suggested") : null),
      scene ? h("div", { class: "before-after" }, beforeAfter(selected ? { ...finding, ...asFinding(selected) } : finding, label, draft, scene, outlines)) : h("div", { class: "before-after" }),
      h("div", { class: "tools-row" },
        tool("class", "Class", "C", draft.action !== "remove"), tool("box", "Box", "E", draft.action !== "remove"), tool("mask", "Mask", "M", draft.action !== "remove"),
        tool("remove", draft.action === "remove" && draft.changed ? "Keep" : "Delete", "Del", label !== null), tool("draw", "Draw", "D")));
  }

  #actions(finding, selected) {
    if (selected) return null;
    // Of a label itself nothing is suspected that one could accept or reject; that it is right is the good news.
    const sample = finding.error_type === "sample";
    const asked = sample ? { accept: "Wrong", reject: "Right" } : {};
    const colour = sample ? { accept: "reject", reject: "accept" } : {};
    return h("div", { class: "actions" }, Object.entries(VERDICTS).map(([verdict, { title, key }]) =>
      h("button", { type: "button", class: `verdict ${colour[verdict] ?? verdict}`, "aria-pressed": String(finding.status === verdict), onclick: () => this.run(verdict) }, asked[verdict] ?? title, h("kbd", {}, key))));
  }

  #history(finding) {
    const verdicts = finding.verdicts ?? [];
    const lines = verdicts.map((v) => h("li", {}, h("span", { class: `badge ${v.verdict}` }, VERDICTS[v.verdict].done), ` ${v.author}`,
      v.at ? h("span", { class: "soft" }, ` · ${new Date(`${v.at}Z`).toLocaleString()}`) : h("span", { class: "soft" }, " · now"),
      v.note ? h("div", { class: "soft" }, `“${v.note}”`) : null));
    const tags = (finding.tags ?? []).map((tag) => h("span", { class: "chip" }, `# ${tag}`));
    return h("div", { class: "history" },
      h("div", { class: "row" },
        h("button", { type: "button", class: "tool", onclick: () => this.run("note") }, "Note ", h("kbd", {}, "N")),
        h("button", { type: "button", class: "tool", onclick: () => this.run("tag") }, "Tag ", h("kbd", {}, "T")),
        h("button", { type: "button", class: "tool", onclick: () => this.run("undo") }, "Undo ", h("kbd", {}, "Z"))),
      finding.note ? h("p", { class: "small" }, `Note: “${finding.note}”, goes with the decision`) : null,
      tags.length ? h("div", { class: "row" }, tags) : null,
      lines.length ? h("ul", { class: "verdicts" }, lines) : null);
  }

  #evidence(finding) {
    const number = (value, digits = 2) => (value === null || value === undefined ? null : value.toFixed(digits));
    const rows = [
      ["Picture", finding.image_id], ["Label", finding.annotation_id], ["Other label", finding.other_annotation_id],
      ["Labelled as", finding.error_type === "missing" ? null : finding.category], ["Suggested", finding.suggested_category],
      ["Model", finding.model], ["Its score", number(finding.model_score)], ["Calibrated confidence", number(finding.confidence)],
      ["Models that agree", finding.models_total ? `${finding.models_agreeing} of ${finding.models_total}` : null],
      ["By COCO", finding.outcome === "FP" ? "false positive" : finding.outcome === "TP" ? "true positive" : finding.outcome],
      ["IoU", number(finding.iou)], ["Mask IoU", number(finding.mask_iou)], ["Boundary IoU", number(finding.boundary_iou)],
      ["Usual IoU", number(finding.typical_iou)], ["Covered", number(finding.covered)], ["Support", number(finding.support)],
      ["Box", ["x", "y", "width", "height"].map((s) => Math.round(finding[s])).join(", ")], ["Batch", finding.batch],
    ].filter(([, value]) => value !== null && value !== undefined);
    return h("details", { class: "evidence", open: localStorage.getItem("evidence") === "open", ontoggle: (e) => localStorage.setItem("evidence", e.target.open ? "open" : "") },
      h("summary", {}, "Evidence"),
      h("dl", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "numbers" }, String(value))])));
  }
}

const asFinding = (label) => ({ ...label, suggested_x: null, other_annotation_id: null });
