"""Which parts lie where, and what can be seen of each: the picture and the exact masks.

Belongs here: composing a scene. Does not belong here: drawing (`shapes`, `clutter`, `bench`,
`render`), what is written to files (`write`) and label errors (`planting`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from label_quality.coco.regions import Region, tight
from label_quality.demo import render
from label_quality.demo.bench import choose_bench
from label_quality.demo.categories import CATEGORY_IDS, CATEGORY_NAMES, FREQUENCY, HALF_SIZE
from label_quality.demo.clutter import CLUTTER
from label_quality.demo.relief import Field, Part
from label_quality.demo.shapes import PARTS, washer

WIDTH: Final = 560
HEIGHT: Final = 420
# Less of an object than this, and nobody would be asked to label it.
LEAST_VISIBLE: Final = 0.25
_CROWD_SHARE: Final = 0.10


@dataclass(frozen=True)
class TrueObject:
    """One object that can be seen: exact visible pixels and the share of it that is visible.

    `resembles` is set for clutter only: the category that it is easily taken for.
    """

    image_id: int
    name: str
    region: Region
    visibility: float
    iscrowd: bool = False
    resembles: str | None = None

    @property
    def category_id(self) -> int:
        """COCO id; for clutter the one of the category that it resembles."""
        return CATEGORY_IDS[self.resembles or self.name]

    @property
    def labelled(self) -> bool:
        """True for what a faultless annotator would have labelled."""
        return self.resembles is None and self.visibility >= LEAST_VISIBLE


@dataclass(frozen=True)
class Scene:
    """The objects of a scene, its clutter, and where anything lies.

    `occupied` (HEIGHT, WIDTH) is True on every pixel of an object of the eight categories.
    """

    image_id: int
    objects: tuple[TrueObject, ...]
    clutter: tuple[TrueObject, ...]
    occupied: NDArray[np.bool_]


@dataclass
class _Stage:
    """The scene while it is laid out: who owns each pixel, -1 for the bench."""

    owner: NDArray[np.int32] = field(default_factory=lambda: np.full((HEIGHT, WIDTH), -1, np.int32))
    things: list[_Thing] = field(default_factory=list)


@dataclass
class _Thing:
    """One thing laid on the stage; several sprites where it is a heap."""

    name: str
    sprites: list[tuple[render.Sprite, int, int]]
    full_area: int
    resembles: str | None = None
    iscrowd: bool = False


def make_scene(
    image_id: int, benches: list[Field], rng: Generator
) -> tuple[Scene, NDArray[np.uint8]]:
    """Render one scene of 6 to 14 parts with clutter; the same generator gives the same scene.

    `benches` are surfaces at least as large as the scene, of which one is cut. The picture is
    8-bit RGB of the shape (HEIGHT, WIDTH, 3).
    """
    lamp = render.Lamp(
        float(rng.uniform(-0.1, 1.1) * WIDTH),
        float(rng.uniform(-0.55, 0.15) * HEIGHT),
        float(rng.uniform(380, 540)),
        (1.0, float(rng.uniform(0.955, 1.0)), float(rng.uniform(0.88, 1.0))),
    )
    canvas = choose_bench(benches, rng, HEIGHT, WIDTH)
    stage = _Stage()
    if rng.random() < _CROWD_SHARE:
        _heap_washers(stage, rng)
    _lay_all(stage, rng)
    for thing in stage.things:
        for sprite, x, y in thing.sprites:
            render.lay(canvas, sprite, (x, y), lamp, rng)
    seen = _seen(stage, image_id)
    parts = [index for index, thing in enumerate(stage.things) if thing.resembles is None]
    scene = Scene(
        image_id,
        tuple(thing for thing in seen if thing.resembles is None),
        tuple(thing for thing in seen if thing.resembles is not None),
        np.isin(stage.owner, parts),
    )
    return scene, render.finish(canvas, lamp, rng)


def _lay_all(stage: _Stage, rng: Generator) -> None:
    """Choose parts and clutter and lay them down, large ones first, as on a real bench."""
    scale = float(rng.uniform(0.75, 1.05))
    count = int(rng.integers(6, 15))
    weights = np.array([FREQUENCY[name] for name in CATEGORY_NAMES])
    chosen = rng.choice(len(CATEGORY_NAMES), count, p=weights / weights.sum())
    drawn: list[tuple[float, str, str | None, Part]] = []
    for index in chosen:
        name = CATEGORY_NAMES[int(index)]
        size = float(rng.uniform(*HALF_SIZE[name])) * scale
        drawn.append((size, name, None, PARTS[name](rng, size)))
    kinds = list(CLUTTER.values())
    frequency = np.array([kind.frequency for kind in kinds])
    for index in rng.choice(len(kinds), int(rng.integers(1, 6)), p=frequency / frequency.sum()):
        kind = kinds[int(index)]
        size = float(rng.uniform(*kind.half_size)) * scale
        part = kind.draw(rng, size)
        drawn.append((size, part.name, kind.resembles, part))
    # Mostly by size, with exceptions: now and then a small part lies under a large one.
    drawn.sort(key=lambda entry: -entry[0] * float(rng.uniform(0.5, 1.5)))
    for _, name, resembles, part in drawn:
        sprite = render.prepare(part, float(rng.uniform(0, 2 * np.pi)))
        most_hidden = 0.42 if rng.random() < 0.35 else 0.02
        place = _find_place(stage, sprite, most_hidden, rng)
        if place is not None:
            _put(stage, _Thing(name, [(sprite, *place)], int(sprite.mask.sum()), resembles))


def _find_place(
    stage: _Stage, sprite: render.Sprite, most_hidden: float, rng: Generator
) -> tuple[int, int] | None:
    """Try random places until the part covers little of the others; None where none is found.

    A part with a high `most_hidden` is tried beside one that lies there, so that they overlap.
    """
    area = int(sprite.mask.sum())
    for _ in range(40):
        if most_hidden > 0.1 and stage.things:
            other, x, y = stage.things[int(rng.integers(len(stage.things)))].sprites[0]
            reach = 0.5 * (min(other.mask.shape) + min(sprite.mask.shape)) * rng.uniform(0.4, 0.9)
            angle = rng.uniform(0, 2 * np.pi)
            x, y = int(x + reach * np.cos(angle)), int(y + reach * np.sin(angle))
        else:
            x, y = int(rng.integers(8, WIDTH - 8)), int(rng.integers(8, HEIGHT - 8))
        target, source = render.overlap((HEIGHT, WIDTH), sprite.mask.shape, x, y)
        mask = sprite.mask[source]
        if mask.sum() < 0.6 * area:
            continue
        covered = stage.owner[target][mask]
        if (covered >= 0).sum() <= most_hidden * area and _leaves_enough(stage, covered):
            return x, y
    return None


def _leaves_enough(stage: _Stage, covered: NDArray[np.int32]) -> bool:
    """True where every thing that would be covered keeps a fair share of its pixels."""
    owners, lost = np.unique(covered[covered >= 0], return_counts=True)
    for owner, pixels in zip(owners, lost, strict=True):
        thing = stage.things[int(owner)]
        if thing.iscrowd or pixels > 0.75 * thing.full_area:
            return False
    return True


def _put(stage: _Stage, thing: _Thing) -> None:
    """Make the thing the owner of its pixels."""
    for sprite, x, y in thing.sprites:
        target, source = render.overlap((HEIGHT, WIDTH), sprite.mask.shape, x, y)
        stage.owner[target][sprite.mask[source]] = len(stage.things)
    stage.things.append(thing)


def _heap_washers(stage: _Stage, rng: Generator) -> None:
    """A heap of small washers, one crowd region: nobody labels them one by one."""
    x = int(rng.integers(90, WIDTH - 90))
    y = int(rng.integers(80, HEIGHT - 80))
    sprites = []
    for _ in range(int(rng.integers(18, 32))):
        part = washer(rng, float(rng.uniform(7.0, 10.5)))
        sprite = render.prepare(part, 0.0)
        sprites.append((sprite, int(rng.normal(x, 19)), int(rng.normal(y, 15))))
    _put(stage, _Thing("washer", sprites, 0, None, True))


def _seen(stage: _Stage, image_id: int) -> list[TrueObject]:
    """What is visible of each thing, in the order in which they were laid."""
    found: list[TrueObject] = []
    for index, thing in enumerate(stage.things):
        region = tight(stage.owner == index)
        if region is None:  # wholly covered by what was laid later
            continue
        visibility = 1.0 if thing.iscrowd else region.area / thing.full_area
        found.append(
            TrueObject(image_id, thing.name, region, visibility, thing.iscrowd, thing.resembles)
        )
    return found
