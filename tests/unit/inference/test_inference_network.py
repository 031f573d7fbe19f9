"""The network by parts gives what torchvision gives as a whole; boxes that it is asked about are its own proposals' equals."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.networks import needs_torch

from label_quality.inference.errors import ModelError
from label_quality.inference.network import Network, choose_device, resize

pytestmark = needs_torch
SIZES = [(48, 64), (64, 48), (150, 90)]


@pytest.fixture
def module():  # type: ignore[no-untyped-def]
    import torch
    from helpers import tiny_mask_rcnn

    torch.manual_seed(3)
    return tiny_mask_rcnn.build().eval()


@pytest.fixture
def images():  # type: ignore[no-untyped-def]
    import torch

    torch.manual_seed(4)
    return [torch.randint(0, 256, (*size, 3), dtype=torch.uint8) for size in SIZES]


def as_torchvision_takes_it(image):  # type: ignore[no-untyped-def]
    return image.permute(2, 0, 1).float() / 255


def test_detections_are_those_of_the_whole(module, images) -> None:  # type: ignore[no-untyped-def]
    import torch
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    with torch.inference_mode():
        wanted = module([as_torchvision_takes_it(i) for i in images])
    network = Network(module, "cpu", "float32")
    for found, one, size in zip(network.detect(network.look(images)), wanted, SIZES, strict=True):
        assert len(one["boxes"]) > 5
        assert torch.equal(found.labels, one["labels"])
        assert torch.allclose(found.scores, one["scores"], atol=1e-6)
        assert torch.allclose(found.boxes, one["boxes"], atol=1e-3)
        pasted = paste_masks_in_image(found.masks[:, None], found.boxes, size)
        assert ((pasted > 0.5) == (one["masks"] > 0.5)).float().mean() > 0.999


def test_asked_about_its_own_proposals_it_repeats_itself(module, images) -> None:  # type: ignore[no-untyped-def]
    """Class scores and refined boxes before suppression, to 1e-4, though the proposals went out to pixels and back."""
    import torch

    seen: dict[str, object] = {}
    hooks = [
        module.rpn.register_forward_hook(lambda *a: seen.update(proposals=a[2][0])),
        module.roi_heads.box_predictor.register_forward_hook(lambda *a: seen.update(heads=a[2])),
    ]
    network = Network(module, "cpu", "float32")
    scene = network.look(images)
    network.detect(scene)
    for hook in hooks:
        hook.remove()
    proposals, (logits, deltas) = seen["proposals"], seen["heads"]  # type: ignore[misc]
    decoded = module.roi_heads.box_coder.decode(deltas, proposals)
    counts = [len(p) for p in proposals]  # type: ignore[attr-defined]
    outside = [resize(p, i, g) for p, i, g in zip(proposals, scene.sizes, scene.given, strict=True)]  # type: ignore[call-overload]
    answers = network.ask(scene, outside)
    for k, answer in enumerate(answers):
        inside, given = scene.sizes[k], scene.given[k]
        probabilities = torch.softmax(logits.split(counts)[k], -1)
        assert torch.allclose(answer.log_probabilities.exp(), probabilities, atol=1e-4)
        boxes = decoded.split(counts)[k].reshape(answer.refined.shape).clone()
        boxes[..., 0::2] = boxes[..., 0::2].clamp(0, inside[1])
        boxes[..., 1::2] = boxes[..., 1::2].clamp(0, inside[0])
        scale = max(given)  # 1e-4 of the image's side
        assert torch.allclose(answer.refined, resize(boxes, inside, given), atol=1e-4 * scale)


def test_answers_depend_neither_on_order_nor_on_batch(module, images) -> None:  # type: ignore[no-untyped-def]
    import torch

    network = Network(module, "cpu", "float32")
    same = [images[0], images[0].flip(1), images[0].flip(0)]
    torch.manual_seed(0)
    corner = torch.rand(3, 7, 2) * 20
    boxes = list(torch.cat([corner, corner + 4 + torch.rand(3, 7, 2) * 20], 2))
    together = network.ask(network.look(same), boxes)
    order = torch.randperm(7)
    for image, asked, answer in zip(same, boxes, together, strict=True):
        (alone,) = network.ask(network.look([image]), [asked[order]])
        for name in ("log_probabilities", "refined", "features", "deltas"):
            difference = getattr(alone, name) - getattr(answer, name)[order]
            assert difference.abs().max() < 1e-4, name


def test_images_of_one_padded_size_do_not_change_each_other(module, images) -> None:  # type: ignore[no-untyped-def]
    import torch

    network = Network(module, "cpu", "float32")
    first, second = images[0], torch.cat([images[0], images[0][:, :2]], 1)  # 48 × 64 and 48 × 66
    assert network.padded_size(48, 64) == network.padded_size(48, 66)
    together = network.look([first, second]).images.tensors.shape
    assert tuple(together[2:]) == network.padded_size(48, 64)
    alone, beside = (
        network.detect(network.look([first]))[0],
        network.detect(network.look([first, second]))[0],
    )
    assert torch.allclose(alone.boxes, beside.boxes, atol=1e-3)


@pytest.mark.parametrize(("old", "new"), [((48, 64), (96, 128)), ((100, 37), (64, 23))])
def test_boxes_go_through_and_back(old: tuple[int, int], new: tuple[int, int]) -> None:
    import torch

    boxes = torch.rand(50, 4) * 40
    assert torch.allclose(resize(resize(boxes, old, new), new, old), boxes, atol=1e-4)
    whole = torch.tensor([[0.0, 0, old[1], old[0]]])
    assert resize(whole, old, new).tolist() == [pytest.approx([0, 0, new[1], new[0]])]


def test_half_precision_stays_out_of_box_arithmetic(module, images) -> None:  # type: ignore[no-untyped-def]
    """In bfloat16 throughout, a coordinate of 60 could not be told from 60.2; here only features are rounded."""
    import torch

    asked = [torch.tensor([[10.3, 12.7, 40.1, 33.9], [0.0, 0.0, w, h]]) for h, w in SIZES]
    exact = Network(module, "cpu", "float32")
    wanted = exact.ask(exact.look(images), asked)
    half = Network(module, "cpu", "bfloat16")
    scene = half.look(images)
    assert all(f.dtype == torch.float32 for f in scene.features.values())
    found = half.ask(scene, asked)
    for one, other in zip(found, wanted, strict=True):
        assert one.features.dtype == one.refined.dtype == torch.float32
        assert not torch.equal(one.features, other.features)  # it did run in half precision
        assert torch.allclose(one.refined, other.refined, atol=0.5)
        difference = one.log_probabilities.exp() - other.log_probabilities.exp()
        assert difference.abs().max() < 0.02


def test_masks_of_given_boxes_are_those_of_detections(module, images) -> None:  # type: ignore[no-untyped-def]
    import torch

    network = Network(module, "cpu", "float32")
    scene = network.look(images)
    found = network.detect(scene)
    masks = network.masks(scene, [f.boxes for f in found], [f.labels for f in found])
    for one, mask in zip(found, masks, strict=True):
        assert np.allclose(one.masks.numpy(), mask.numpy(), atol=1e-3)
    none = network.masks(scene, [torch.zeros(0, 4)] * 3, [torch.zeros(0, dtype=torch.int64)] * 3)
    assert [len(m) for m in none] == [0, 0, 0]


@pytest.mark.parametrize("device", ["no_such_device", "cuda:97", "cpu:x"])
def test_a_device_that_is_not_there_is_told_in_one_sentence(device: str) -> None:
    with pytest.raises(
        ModelError, match=f"device '{device}' of .inference. cannot be used"
    ) as told:
        choose_device(device)
    assert "\n" not in str(told.value)
    assert choose_device("cpu") == "cpu"
