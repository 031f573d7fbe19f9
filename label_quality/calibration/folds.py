"""Which shapes of planted errors calibrate, and in which halves they judge each other. What a shape is, is said in ``planting``."""

from __future__ import annotations

HALVES: tuple[tuple[str, ...], tuple[str, ...]] = (
    (
        "missing_uniform",
        "missing_crowded",
        "wrong_class_uniform",
        "inaccurate_shift_coarse",
        "inaccurate_shift_medium",
        "inaccurate_loose_coarse",
        "inaccurate_loose_medium",
        "mask_dilated",
        "mask_cut",
        "duplicate_same",
        "duplicate_nested",
        "spurious_random",
    ),
    (
        "missing_small",
        "missing_occluded",
        "wrong_class_confusable",
        "inaccurate_tight_coarse",
        "inaccurate_tight_medium",
        "inaccurate_edge_coarse",
        "inaccurate_edge_medium",
        "mask_eroded",
        "mask_coarse",
        "mask_box",
        "duplicate_exact",
        "duplicate_other",
        "spurious_plausible",
    ),
)
"""Both halves have every error type, and no shape in common: what one is fitted on, the other has not."""

EVERY = (*HALVES[0], *HALVES[1])
