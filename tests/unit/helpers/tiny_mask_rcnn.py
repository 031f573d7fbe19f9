"""A Mask R-CNN of torchvision's own classes that is small enough for tests, and the file that a model file names as builder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def build(classes: int = 3, **more: Any) -> Any:
    """The network with weights of torch's current seed. `more` goes to torchvision's MaskRCNN."""
    from torch import nn
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
    from torchvision.ops import MultiScaleRoIAlign

    body = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1)),
        *(nn.GroupNorm(4, 16), nn.ReLU()),
    )
    body.out_channels = 16
    chosen = {
        **{"min_size": 64, "max_size": 128, "box_score_thresh": 0.0, "box_detections_per_img": 12},
        **{"rpn_post_nms_top_n_test": 40, "rpn_pre_nms_top_n_test": 100},
    }
    return MaskRCNN(
        body,
        rpn_anchor_generator=AnchorGenerator(((8, 16, 32),), ((0.5, 1.0, 2.0),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 5, 2),
        box_head=TwoMLPHead(16 * 25, 24),
        box_predictor=FastRCNNPredictor(24, classes),
        mask_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        mask_head=MaskRCNNHeads(16, (16,), 1),
        mask_predictor=MaskRCNNPredictor(16, 16, classes),
        **chosen | more,
    )


def build_from_a_file(classes: int = 3) -> Any:
    """A builder that wants a file which is not there."""
    return Path("no_such_file").read_bytes()


def build_with_little_memory(most: int, **more: Any) -> Any:
    """The same on a device whose memory holds only so many images at once."""
    import torch

    network = build(**more)
    transform = network.transform.forward

    def forward(images: Any, targets: Any = None) -> Any:
        if len(images) > most:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return transform(images, targets)

    network.transform.forward = forward
    return network
