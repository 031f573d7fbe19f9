"""A Mask R-CNN run part by part: features once, then detections, and answers about boxes that it is asked about.

Only convolutions and the fully connected head run in half precision. Box arithmetic stays in float32: half a
mantissa's worth of a coordinate of 1,300 px is four pixels. Nothing here knows of files, batches of a dataset or tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from label_quality.inference.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

_BOXES_AT_A_TIME = 512  # of one image, through the mask head: memory does not grow with the labels


@dataclass
class Detections:
    """What the network sees in one image. Boxes are x0, y0, x1, y1 in pixels of the image as it was given.

    boxes float32 (n, 4), scores (n,) 0 to 1, labels int64 (n,), masks (n, M, M) probabilities in the box, or None.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    masks: Tensor | None


@dataclass
class Answers:
    """What the network says about boxes that it is asked about, of one image, n boxes and C labels (0 is background).

    log_probabilities (n, C); deltas (n, C, 4) as the regressor gives them; refined (n, C, 4), the boxes that it would
    rather have, clipped to the image, x0, y0, x1, y1 in pixels of the image as given; features (n, F) of the box head.
    """

    log_probabilities: Tensor
    deltas: Tensor
    refined: Tensor
    features: Tensor


@dataclass
class Scene:
    """A batch of images inside the network: their features, and their sizes (height, width) as given and inside."""

    features: dict[str, Tensor]
    images: Any  # torchvision's ImageList
    given: list[tuple[int, int]]

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Sizes inside the network, without padding."""
        return self.images.image_sizes  # type: ignore[no-any-return]


class Network:
    """A torchvision-style Mask R-CNN on a device. Every method runs without gradients."""

    def __init__(self, module: Module, device: str, precision: str) -> None:
        """`precision`: float32, bfloat16 or float16. The module is changed: it belongs to this network from now on."""
        import torch

        self.device = torch.device(device)
        self.precision = precision
        self._last = self.device.type == "cuda"
        kind = {"memory_format": torch.channels_last} if self._last else {}
        self.module = module.to(self.device, **kind).eval()
        if precision != "float32":
            for part in _convolutions(self.module):
                _run_in_half(part, self.device.type, getattr(torch, precision))

    @property
    def has_masks(self) -> bool:
        """Whether it has a mask head."""
        return bool(self.module.roi_heads.has_mask())

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """The size to which an image is resized and padded; images of one such size do not change each other's padding."""
        transform = self.module.transform
        shortest = min(transform.min_size)
        scale = min(shortest / min(height, width), transform.max_size / max(height, width))
        divisible = transform.size_divisible
        return tuple(-(-int(side * scale) // divisible) * divisible for side in (height, width))

    def look(self, pictures: Sequence[Tensor]) -> Scene:
        """Features of pictures: uint8 (height, width, 3), RGB, anywhere."""
        import torch

        with torch.inference_mode():
            moved = [
                p.to(self.device, non_blocking=True).permute(2, 0, 1).to(torch.float32).div_(255)
                for p in pictures
            ]
            given = [(int(p.shape[0]), int(p.shape[1])) for p in pictures]
            images, _ = self.module.transform(moved)
            if self._last:
                images.tensors = images.tensors.contiguous(memory_format=torch.channels_last)
            features = self.module.backbone(images.tensors)
            if not isinstance(features, dict):
                features = {"0": features}
            return Scene(features, images, given)

    def detect(self, scene: Scene) -> list[Detections]:
        """What torchvision's own forward pass returns, before masks are pasted."""
        import torch

        with torch.inference_mode():
            proposals, _ = self.module.rpn(scene.images, scene.features)
            found, _ = self.module.roi_heads(scene.features, proposals, scene.sizes)
            return [
                Detections(
                    resize(f["boxes"], inside, given),
                    f["scores"],
                    f["labels"],
                    f["masks"][:, 0] if "masks" in f else None,
                )
                for f, inside, given in zip(found, scene.sizes, scene.given, strict=True)
            ]

    def ask(self, scene: Scene, boxes: Sequence[Tensor]) -> list[Answers]:
        """What the box head says about `boxes`, one (n, 4) for each image, x0, y0, x1, y1 in pixels as given."""
        import torch

        with torch.inference_mode():
            inside = self._inside(scene, boxes)
            return self.ask_inside(scene, inside)

    def ask_inside(self, scene: Scene, boxes: Sequence[Tensor]) -> list[Answers]:
        """As `ask`, of boxes in pixels of the resized images; the refined boxes are in pixels as given all the same."""
        import torch
        from torchvision.ops import clip_boxes_to_image

        heads = self.module.roi_heads
        with torch.inference_mode():
            pooled = heads.box_roi_pool(scene.features, list(boxes), scene.sizes)
            features = heads.box_head(pooled)
            logits, deltas = heads.box_predictor(features)
            logs = torch.log_softmax(logits, -1)
            counts = [len(b) for b in boxes]
            labels = logits.shape[-1]
            refined = heads.box_coder.decode(deltas, list(boxes)).reshape(-1, labels, 4)
            deltas = deltas.reshape(-1, labels, 4)
            parts = (part.split(counts) for part in (logs, deltas, refined, features))
            return [
                Answers(
                    log, delta, resize(clip_boxes_to_image(box, inside), inside, given), feature
                )
                for log, delta, box, feature, inside, given in zip(
                    *parts, scene.sizes, scene.given, strict=True
                )
            ]

    def masks(
        self, scene: Scene, boxes: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> list[Tensor]:
        """Mask probabilities (n, M, M) in the given boxes (n, 4) for the given labels (n,), image by image."""
        import torch

        heads = self.module.roi_heads
        out = []
        with torch.inference_mode():
            for k, (box, label) in enumerate(zip(self._inside(scene, boxes), labels, strict=True)):
                one = {name: f[k : k + 1] for name, f in scene.features.items()}
                parts = [
                    torch.sigmoid(self._mask_logits(heads, one, some, scene.sizes[k]))[
                        torch.arange(len(some), device=self.device), of
                    ]
                    for some, of in zip(
                        box.split(_BOXES_AT_A_TIME),
                        label.to(self.device).split(_BOXES_AT_A_TIME),
                        strict=True,
                    )
                ]
                out.append(torch.cat(parts))
        return out

    def _mask_logits(
        self, heads: Any, features: dict[str, Tensor], boxes: Tensor, size: tuple[int, int]
    ) -> Tensor:
        pooled = heads.mask_roi_pool(features, [boxes], [size])
        return heads.mask_predictor(heads.mask_head(pooled))

    def _inside(self, scene: Scene, boxes: Sequence[Tensor]) -> list[Tensor]:
        import torch

        return [
            resize(b.to(self.device, torch.float32), given, inside)
            for b, given, inside in zip(boxes, scene.given, scene.sizes, strict=True)
        ]


def resize(boxes: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) x0, y0, x1, y1 in an image of size `old` (height, width) as they lie in one of size `new`."""
    down, across = new[0] / old[0], new[1] / old[1]
    return boxes * boxes.new_tensor([across, down, across, down])


def choose_device(wanted: str) -> str:
    """`wanted`, or a GPU where there is one, else the CPU. Raises ModelError where `wanted` cannot be used."""
    import torch

    if not wanted:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"device {wanted!r} of [inference] cannot be used: {reason}") from None
    return wanted


def choose_precision(wanted: str, device: str) -> str:
    """The number type for convolutions: float32 on a CPU, half precision on a GPU, bfloat16 where it has that."""
    import torch

    if wanted != "auto":
        return wanted
    if not device.startswith("cuda"):
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def describe_device(device: str) -> str:
    """The device in words, for people."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(torch.device(device)))
    return f"{device} ({torch.get_num_threads()} threads)" if device == "cpu" else device


def _convolutions(module: Module) -> list[Module]:
    """The parts that are worth half precision."""
    heads = module.roi_heads
    parts = [
        module.backbone,
        module.rpn.head,
        heads.box_head,
        heads.mask_head,
        heads.mask_predictor,
    ]
    return [part for part in parts if part is not None]


def _run_in_half(part: Module, device: str, dtype: torch.dtype) -> None:
    """Have `part` run under autocast, and give out float32."""
    import torch

    forward: Callable[..., Any] = part.forward

    def half(*args: Any) -> Any:
        with torch.autocast(device, dtype=dtype):
            return _float(forward(*args))

    part.forward = half


def _float(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _float(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_float(v) for v in value)
    return value.float()
