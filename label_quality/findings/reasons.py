"""The sentence of each finding, rendered in SQL from its evidence columns. Numbers are rounded, names are the data's.

Each entry of `SENTENCES` is a SQL expression over ``finding_scores`` f, with ``name``, ``suggested_name`` and
``other_name`` the category names concerned, ``a_name`` and ``a_suggested_name`` the same with their article, and ``who``
the model or models that say so.
"""

from __future__ import annotations

# Edges by which the label reaches beyond the prediction (positive) or falls short of it (negative), and what is too much.
_OUT = {
    "-edge_left": "suggested_width",
    "-edge_top": "suggested_height",
    "edge_right": "suggested_width",
    "edge_bottom": "suggested_height",
}
_BEYOND, _SHORT = (
    " + ".join(
        f"({sign} {out} > greatest(2, 0.05 * {side}))::integer" for out, side in _OUT.items()
    )
    for sign in ("+", "-")
)

SHAPE = f"""case
  when suggested_fix = 'change_mask' then 'its outline differs'
  when {_BEYOND} + {_SHORT} = 0 then 'its box differs slightly'
  when {_BEYOND} + {_SHORT} = 1 then 'one edge of its box is off'
  when {_SHORT} = 0 then 'its box is too loose'
  when {_BEYOND} = 0 then 'its box is too tight'
  else 'its box is shifted' end"""

# + 0 turns -0 into 0.
_EDGES = """format('left {:+.0f}, top {:+.0f}, right {:+.0f}, bottom {:+.0f} px',
  round(edge_left) + 0, round(edge_top) + 0, round(edge_right) + 0, round(edge_bottom) + 0)"""

# By the sound, as far as the letters tell it: an apple, an hour glass, a unicycle, a one-way sign; and scissors, skis.
_VOWEL = "^([aeio]|u|hour|heir|honest)"
_NO_VOWEL = r"^(uni[^dmn]|us[aeiu]|ut[ei]|ur[aiu]|ufo|eu|ew|one\b)"
_PLURAL = r"([^aisu]s|\bskis)$"
WITH_ARTICLE = f"""case
  when regexp_matches(name, '{_PLURAL}', 'i') then name
  when regexp_matches(name, '{_VOWEL}', 'i') and not regexp_matches(name, '{_NO_VOWEL}', 'i') then 'an ' || name
  else 'a ' || name end"""


SENTENCES: dict[str, str] = {
    # Models may agree that something is there, and not on what.
    "missing": """format('{} {} here (confidence {:.2f}), and no label stands for it{}.',
        case when models_agreeing > 1 then format('{} an object, {}', who, model) else who end, a_name, confidence,
        case when covered >= 0.1 then format('; the nearest covers it by IoU {:.2f}', covered) else '' end)""",
    # Without a prediction, a model was asked about the label's own box.
    "wrong_class": """format('Labelled {}, but {} {} at this place ({}).', name, who, a_suggested_name,
        case when prediction_id is null then format('probability {:.2f} when asked about this box', confidence)
             else format('confidence {:.2f}, IoU {:.2f}', confidence, iou) end)""",
    "inaccurate": f"""format('This {{}} is labelled, but {{}}: {{}} {{:.2f}} with what {{}}, where {{:.2f}} is usual{{}}.',
        name, {SHAPE}, case when suggested_fix = 'change_mask' then 'mask IoU' else 'IoU' end,
        case when suggested_fix = 'change_mask' then mask_iou else iou end, who, typical_iou,
        case when suggested_fix = 'change_mask' then coalesce(format('; boundary IoU {{:.2f}}', boundary_iou), '')
             else ' (label against prediction: ' || {_EDGES} || ')' end)""",
    "duplicate": """format('{}: {} {:.2f} with label {}{}.',
        case when category_id = other_category_id then format('Two {} labels stand on one object', name)
             else format('Labelled {} and, once more, {}', name, other_name) end,
        case when mask_iou is null then 'IoU' else 'mask IoU' end, coalesce(mask_iou, iou), other_annotation_id,
        case when coalesce(mask_iou, iou) < 0.5 then format('; {:.0f} % of the smaller lies in the larger',
        100 * containment) else '' end)""",
    "spurious": """format('{} this {} (strongest support {:.2f}), though {:.0f} % of such labels have more.',
        case when support < 0.05 then 'No prediction supports' else 'Predictions hardly support' end,
        name, support, 100 * recall)""",
}

WHO = """case when models_agreeing > 1 then format('{} of {} models see', models_agreeing, models_total)
     else coalesce(model, 'a model') || ' sees' end"""

REASON = (
    "case error_type "
    + " ".join(f"when '{kind}' then {sql}" for kind, sql in SENTENCES.items())
    + " end"
)
