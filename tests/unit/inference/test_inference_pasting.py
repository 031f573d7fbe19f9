"""Masks in boxes become run lengths: pixel by pixel what torchvision pastes and pycocotools encodes."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import needs_torch
from pycocotools import mask as coco_mask

from label_quality.inference import pasting
from label_quality.inference.pasting import Runs, paste, to_rles

pytestmark = needs_torch


def masks_and_boxes(count: int, size: tuple[int, int], seed: int):  # type: ignore[no-untyped-def]
    """Smooth masks in boxes of all kinds: at the border, without extent, as large as the image, empty, full."""
    import torch

    torch.manual_seed(seed)
    height, width = size
    coarse = torch.rand(count, 1, 5, 5)
    masks = torch.nn.functional.interpolate(coarse, size=(28, 28), mode="bilinear")[:, 0]
    centre = torch.rand(count, 2) * torch.tensor([width, height])
    half = torch.rand(count, 2) * max(size) / 3
    boxes = torch.cat([centre - half, centre + half], 1)
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, height)
    masks[0], boxes[0] = 1, torch.tensor([0, 0, width, height])
    masks[1] = 0
    boxes[2] = torch.tensor([5.0, 5, 5, 5])
    return masks, boxes


@pytest.mark.parametrize("size", [(97, 131), (20, 300), (64, 64)])
@pytest.mark.parametrize("at_a_time", [500, 4_000_000])
def test_pixels_are_those_of_torchvision(
    size: tuple[int, int], at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    monkeypatch.setattr(pasting, "_PIXELS_AT_A_TIME", at_a_time)
    masks, boxes = masks_and_boxes(40, size, sum(size))
    wanted = (paste_masks_in_image(masks[:, None], boxes, size)[:, 0] > 0.5).numpy()
    rles = to_rles(paste(masks, boxes, size))
    assert len(rles) == 40
    found = np.stack([coco_mask.decode(r) for r in rles])
    assert wanted[0].mean() > 0.9
    assert not wanted[1].any()
    assert np.array_equal(found, wanted)
    # Not only the same pixels, but the same text as pycocotools gives them.
    encoded = coco_mask.encode(np.asfortranarray(wanted.transpose(1, 2, 0).astype(np.uint8)))
    assert [r["counts"] for r in rles] == [r["counts"] for r in encoded]


def test_nothing_to_paste() -> None:
    import torch

    assert to_rles(paste(torch.zeros(0, 28, 28), torch.zeros(0, 4), (5, 5))) == []
    outside = torch.tensor([[9.0, 0, 14, 5]])  # torchvision itself stumbles over it
    (empty,) = to_rles(paste(torch.ones(1, 28, 28), outside, (5, 5)))
    assert not coco_mask.decode(empty).any()
    none = np.zeros(0, np.int64)
    (empty,) = to_rles(Runs(none, none, none, 1, (3, 4)))
    assert not coco_mask.decode(empty).any()
