// What the Explorer offers of images, labels and predictions: views of one click, their usual order, and its keys. Nothing happens here.

export const KINDS = { image: "Images", annotation: "Labels", prediction: "Predictions" };
// One click away: what people look for first.
export const VIEWS = {
  image: [
    ["Near duplicates", { sort: "uniqueness", order: "asc", range: ["uniqueness::0.875"] }],
    ["Most objects", { sort: "object_count", order: "desc" }],
    ["Dark", { sort: "brightness", order: "asc" }],
    ["Blurred", { sort: "sharpness", order: "asc" }],
    ["Outliers", { outlier: "any" }],
  ],
  annotation: [
    ["Annotation Duplicates", { sort: "same_class_iou", order: "desc" }],
    ["Class conflicts", { sort: "other_class_iou", order: "desc" }],
    ["Absolute Area", { sort: "area", order: "asc" }],
    ["Aspect Ratio", { sort: "aspect_ratio", order: "desc" }],
    ["Odd shapes", { sort: "shape_deviation", order: "desc" }],
    ["Not found by the model", { outcome: ["FN"], sort: "area", order: "desc" }],
    ["Outliers", { outlier: "any" }],
  ],
  prediction: [
    ["Confident false positives", { outcome: ["FP"], range: ["confidence:0.75:"], sort: "confidence", order: "desc" }],
    ["Wrong class", { outcome: ["FP"], reason: ["wrong_class"], sort: "confidence", order: "desc" }],
    ["Aspect Ratio", { sort: "aspect_ratio", order: "desc" }],
    ["Unsure", { sort: "confidence", order: "asc" }],
  ],
};
export const ORDER = { image: "desc", annotation: "asc", prediction: "desc" };

export const KEYS = {
  "The list": [
    [["t"], "", "Tag what is selected"], [["Ctrl+a"], "", "Select all on this page"], [["Escape"], "", "Select nothing"],
    [["h"], "", "Nothing over the pictures"], [["1"], "", "Labels"], [["2"], "", "Predictions"], [["/"], "", "Filters"], [["?"], "", "These keys"],
  ],
  "One of them": [
    [["ArrowRight", "j"], "", "Next"], [["ArrowLeft", "k"], "", "Previous"], [["t"], "", "Tag it"], [["+", "-"], "", "Zoom (or the wheel)"], [["0"], "", "To the object"],
    [["9"], "", "Whole picture"], [["h"], "", "Nothing over the picture"], [["1", "2", "3", "4"], "", "Labels, predictions, masks, others"], [["Escape"], "", "Close"],
  ],
};
