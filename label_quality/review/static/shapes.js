// From a finding and its scene to the shapes that a crop draws. No element is made here.

export const box = (row, prefix = "") => ["x", "y", "width", "height"].map((side) => row[`${prefix}${side}`]);
const hasSuggestion = (finding) => finding.suggested_x !== null && finding.suggested_x !== undefined;

/** The boxes that a finding is about: the label's (or the place), and the suggested one. */
export function boxesOf(finding) {
  return hasSuggestion(finding) ? [box(finding), box(finding, "suggested_")] : [box(finding)];
}

/**
 * The shapes of a finding: label and prediction that it is about, and aside what else lies in the image. `selected` is a label
 * aside that is worked on; predictions aside are shown from `confidence` on.
 */
export function shapesOf(finding, scene, outlines, { selected = null, confidence = 0.5 } = {}) {
  const about = new Set([finding.annotation_id, finding.other_annotation_id, selected?.annotation_id].filter((id) => id !== null));
  const labels = scene.labels.map((label) => ({
    kind: "label",
    box: box(label),
    path: outlines?.labels[label.annotation_id],
    aside: !about.has(label.annotation_id),
    crowd: label.iscrowd,
    caption: label.iscrowd ? `${label.category} (crowd)` : label.category,
    title: `label ${label.annotation_id}: ${label.category}`,
  }));
  const isAbout = (p) => p.model === finding.model && p.prediction_id === finding.prediction_id;
  const predictions = scene.predictions.filter((p) => isAbout(p) || p.score >= confidence).map((p) => ({
    kind: "prediction",
    box: box(p),
    path: outlines?.predictions[`${p.model}/${p.prediction_id}`],
    aside: !isAbout(p),
    caption: `${p.category} ${p.score.toFixed(2)}`,
    title: `${p.model}: ${p.category} ${p.score.toFixed(2)}`,
  }));
  return [...labels, ...predictions];
}

/** The label of a finding in its scene, null for what is missing. */
export const labelOf = (finding, scene) => scene.labels.find((l) => l.annotation_id === finding.annotation_id) ?? null;
