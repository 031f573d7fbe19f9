-- What people say of every finding that they judged: accept, reject, relabel, unsure, or disagreement where they differ.
CREATE OR REPLACE VIEW finding_verdicts AS
SELECT batch, attached_finding_id AS finding_id,
       CASE WHEN bool_or(disagreement) THEN 'disagreement'
            ELSE coalesce(arg_max(verdict, seq) FILTER (verdict <> 'unsure'), 'unsure') END AS verdict,
       list_sort(list_distinct(list(author))) AS authors, max("at") AS last_at
FROM reviews
WHERE standing AND NOT superseded AND attached_finding_id IS NOT NULL
GROUP BY ALL;

-- The findings to look at, surest first, with the names of image and categories; what people have decided is left out.
CREATE OR REPLACE VIEW queue AS
SELECT f.batch, f.finding_id, f.error_type, f.p_error, f.score, i.file_name, f.image_id, f.annotation_id,
       f.other_annotation_id, c.name AS category, s.name AS suggested_category, f.suggested_fix, f.reason,
       f.x, f.y, f.width, f.height,
       f.suggested_x, f.suggested_y, f.suggested_width, f.suggested_height, f.model, f.models_agreeing, f.models_total,
       v.verdict
FROM findings f
LEFT JOIN finding_verdicts v USING (batch, finding_id)
LEFT JOIN images i USING (batch, image_id)
LEFT JOIN categories c USING (batch, category_id)
LEFT JOIN categories s ON s.batch = f.batch AND s.category_id = f.suggested_category_id
WHERE v.verdict IS NULL OR v.verdict IN ('unsure', 'disagreement')
ORDER BY f.p_error DESC, f.batch, f.finding_id;

-- How far the review of every batch is, and how many of the findings that were decided are errors.
CREATE OR REPLACE VIEW review_progress AS
SELECT f.batch, f.error_type, count(*) AS findings, count(v.verdict) AS looked_at,
       count(*) FILTER (v.verdict IN ('accept', 'relabel')) AS errors, count(*) FILTER (v.verdict = 'reject') AS correct,
       count(*) FILTER (v.verdict IN ('unsure', 'disagreement')) AS undecided, errors / nullif(errors + correct, 0) AS yield
FROM findings f
LEFT JOIN finding_verdicts v USING (batch, finding_id)
GROUP BY ALL
ORDER BY f.batch, f.error_type;

-- How many findings of each type every batch has, and how many errors they stand for.
CREATE OR REPLACE VIEW findings_by_type AS
SELECT batch, error_type, count(*) AS findings, sum(p_error) AS expected_errors,
       count(*) FILTER (p_error >= 0.5) AS likely_errors
FROM findings
GROUP BY ALL
ORDER BY batch, expected_errors DESC;

-- The same by category, with the share of its labels that are expected to be wrong.
CREATE OR REPLACE VIEW findings_by_category AS
WITH found AS (
    SELECT batch, category_id, error_type, count(*) AS findings, sum(p_error) AS expected_errors
    FROM findings GROUP BY ALL
), labelled AS (
    SELECT batch, category_id, count(*) AS labels FROM annotations WHERE NOT iscrowd GROUP BY ALL
)
SELECT f.batch, c.name AS category, f.category_id, f.error_type, f.findings, f.expected_errors,
       coalesce(l.labels, 0) AS labels, f.expected_errors / nullif(l.labels, 0) AS expected_errors_per_label
FROM found f
LEFT JOIN labelled l USING (batch, category_id)
LEFT JOIN categories c USING (batch, category_id)
ORDER BY f.expected_errors DESC, f.batch, f.category_id, f.error_type;

-- The images in which most errors are expected.
CREATE OR REPLACE VIEW worst_images AS
WITH found AS (
    SELECT batch, image_id, count(*) AS findings, sum(p_error) AS expected_errors, max(p_error) AS highest_p_error,
           list_sort(list_distinct(list(error_type))) AS error_types
    FROM findings GROUP BY ALL
), labelled AS (
    SELECT batch, image_id, count(*) AS labels FROM annotations GROUP BY ALL
)
SELECT f.batch, f.image_id, i.file_name, f.findings, f.expected_errors, f.highest_p_error, f.error_types,
       coalesce(l.labels, 0) AS labels
FROM found f
LEFT JOIN images i USING (batch, image_id)
LEFT JOIN labelled l USING (batch, image_id)
ORDER BY f.expected_errors DESC, f.batch, f.image_id;

-- Which classes the labels take for which others, by the wrong_class findings.
CREATE OR REPLACE VIEW class_confusions AS
SELECT f.batch, c.name AS labelled_as, s.name AS suggested_category, count(*) AS findings,
       sum(f.p_error) AS expected_errors
FROM findings f
LEFT JOIN categories c USING (batch, category_id)
LEFT JOIN categories s ON s.batch = f.batch AND s.category_id = f.suggested_category_id
WHERE f.error_type = 'wrong_class'
GROUP BY ALL
ORDER BY expected_errors DESC, f.batch, labelled_as, suggested_category;

-- How many labels and images every category has; categories without any label stand here too.
CREATE OR REPLACE VIEW labels_per_category AS
SELECT c.batch, c.category_id, c.name AS category, count(a.annotation_id) AS labels,
       count(a.annotation_id) FILTER (a.iscrowd) AS crowds, count(DISTINCT a.image_id) AS images,
       median(a.width * a.height) AS median_box_area
FROM categories c
LEFT JOIN annotations a USING (batch, category_id)
GROUP BY ALL
ORDER BY c.batch, labels DESC, c.category_id;

-- One row per batch: what was taken, what was not, and the estimated share of label errors.
CREATE OR REPLACE VIEW batch_summary AS
WITH found AS (SELECT batch, count(*) AS findings FROM findings GROUP BY ALL),
     asked AS (SELECT batch, count(*) AS models, sum(predictions_kept) AS predictions FROM models GROUP BY ALL),
     left_out AS (SELECT batch, count(*) AS quarantined FROM quarantine GROUP BY ALL),
     rate AS (SELECT * FROM error_rates WHERE error_type = 'any' AND category_id IS NULL)
SELECT b.batch, b.file, b.images_kept AS images, b.annotations_kept AS labels, coalesce(a.models, 0) AS models,
       coalesce(a.predictions, 0)::BIGINT AS predictions, coalesce(q.quarantined, 0) AS quarantined,
       coalesce(f.findings, 0) AS findings, r.expected_errors, r.rate, r.rate_low, r.rate_high,
       coalesce(r.judged, false) AS judged, coalesce(r.calibrated, false) AS calibrated,
       r.reviewed_rate, r.reviewed_low, r.reviewed_high, r.n_sampled
FROM batches b
LEFT JOIN found f USING (batch)
LEFT JOIN asked a USING (batch)
LEFT JOIN left_out q USING (batch)
LEFT JOIN rate r USING (batch)
ORDER BY b.batch;

-- Why records were not taken, most frequent reason first.
CREATE OR REPLACE VIEW quarantine_reasons AS
SELECT batch, file, record_type, reason, count(*) AS records, min(record_id) AS example_id
FROM quarantine
GROUP BY ALL
ORDER BY records DESC, batch, file, record_type, reason;

-- What looked wrong in records that were taken all the same, most frequent first.
CREATE OR REPLACE VIEW ingest_warnings_by_issue AS
SELECT batch, issue, record_type, count(*) AS records, min(detail) AS example
FROM ingest_warnings
GROUP BY ALL
ORDER BY records DESC, batch, issue, record_type;

-- Images without a label, and how many objects the models see in them: first those where labels are most likely missing.
CREATE OR REPLACE VIEW unlabelled_images AS
WITH missing AS (
    SELECT batch, image_id, count(*) AS missing, sum(p_error) AS expected_missing
    FROM findings WHERE error_type = 'missing' GROUP BY ALL
)
SELECT i.batch, i.image_id, i.file_name, coalesce(m.missing, 0) AS missing_findings,
       coalesce(m.expected_missing, 0) AS expected_missing
FROM images i
ANTI JOIN annotations a ON a.batch = i.batch AND a.image_id = i.image_id
LEFT JOIN missing m ON m.batch = i.batch AND m.image_id = i.image_id
ORDER BY expected_missing DESC, i.batch, i.image_id;

-- One row per model of a batch: its predictions, how many found a label, and how many labels it found.
CREATE OR REPLACE VIEW model_summary AS
WITH predicted AS (
    SELECT batch, model, count(*) AS predictions, avg(score) AS mean_score, count(*) FILTER (has_mask) AS with_mask
    FROM predictions GROUP BY ALL
), paired AS (
    SELECT batch, model, count(*) AS assigned, count(*) FILTER (same_category) AS assigned_same_category,
           median(box_iou) AS median_iou
    FROM prediction_overlaps WHERE assigned GROUP BY ALL
), labelled AS (
    SELECT batch, count(*) AS labels FROM annotations WHERE NOT iscrowd GROUP BY ALL
)
SELECT p.batch, p.model, coalesce(m.simulated, false) AS simulated, p.predictions, p.with_mask, p.mean_score,
       coalesce(o.assigned, 0) AS assigned, coalesce(o.assigned_same_category, 0) AS assigned_same_category,
       o.median_iou, coalesce(l.labels, 0) AS labels
FROM predicted p
LEFT JOIN models m USING (batch, model)
LEFT JOIN paired o USING (batch, model)
LEFT JOIN labelled l USING (batch)
ORDER BY p.batch, p.model;

-- What is unusual, farthest out first: values of metrics that are outliers by the robust rule, with the name of the image.
CREATE OR REPLACE VIEW unusual AS
SELECT o.batch, o.kind, o.metric, o.severity, o.score, o.value, o.low, o.high, coalesce(o.group_name, 'all') AS among,
       i.file_name, o.image_id, o.annotation_id, o.category_name AS category
FROM outliers o
LEFT JOIN images i USING (batch, image_id)
WHERE o.rule = 'robust'
ORDER BY o.score DESC, o.batch, o.image_id, o.annotation_id, o.metric;

-- Images that look like another image of their batch, the very same files first.
CREATE OR REPLACE VIEW look_alikes AS
SELECT m.batch, m.image_id, i.file_name, m.nearest_image_id, n.file_name AS nearest_file_name, m.nearest_distance,
       m.duplicate_of
FROM image_metrics m
LEFT JOIN images i USING (batch, image_id)
LEFT JOIN images n ON n.batch = m.batch AND n.image_id = m.nearest_image_id
WHERE m.nearest_image_id IS NOT NULL OR m.duplicate_of IS NOT NULL
ORDER BY m.duplicate_of IS NULL, m.nearest_distance, m.batch, m.image_id;

-- COCO's numbers of each model over all batches, one row for boxes and one for masks.
CREATE OR REPLACE VIEW model_performance AS
SELECT model, iou_type,
       max(value) FILTER (metric = 'AP' AND area = 'all') AS AP,
       max(value) FILTER (metric = 'AP50') AS AP50,
       max(value) FILTER (metric = 'AP75') AS AP75,
       max(value) FILTER (metric = 'AP' AND area = 'small') AS AP_small,
       max(value) FILTER (metric = 'AP' AND area = 'medium') AS AP_medium,
       max(value) FILTER (metric = 'AP' AND area = 'large') AS AP_large,
       max(value) FILTER (metric = 'AR' AND area = 'all') AS AR
FROM performance
WHERE category_name IS NULL AND max_dets = 100
GROUP BY ALL
ORDER BY iou_type, AP DESC, model;

-- AP and AR of each model by category, the weakest first.
CREATE OR REPLACE VIEW category_performance AS
SELECT model, iou_type, category_name AS category, max(value) FILTER (metric = 'AP') AS AP,
       max(value) FILTER (metric = 'AP50') AS AP50, max(value) FILTER (metric = 'AR') AS AR
FROM performance
WHERE category_name IS NOT NULL AND area = 'all' AND max_dets = 100
GROUP BY ALL
HAVING AP IS NOT NULL
ORDER BY AP, model, iou_type, category;

-- Which categories the models take for which others, most often first; the background left out.
CREATE OR REPLACE VIEW taken_for AS
SELECT model, iou_type, category_name AS labelled_as, predicted_category_name AS taken_for, count
FROM confusion
WHERE category_name <> predicted_category_name
ORDER BY count DESC, model, iou_type, labelled_as, taken_for;
