"""Scenes: exact visible masks, occlusion, clutter; and that they are not empty benches."""

from __future__ import annotations

import numpy as np
import pytest

from label_quality.demo import render
from label_quality.demo.bench import BENCHES, make_benches
from label_quality.demo.categories import CATEGORY_NAMES, CONFUSED_WITH, HALF_SIZE, likeness
from label_quality.demo.clutter import CLUTTER
from label_quality.demo.scenes import HEIGHT, LEAST_VISIBLE, WIDTH, Scene, make_scene
from label_quality.demo.shapes import PARTS


def test_every_pixel_belongs_to_one_thing_at_most(scenes: list[Scene]) -> None:
    for scene in scenes:
        owners = np.zeros((HEIGHT, WIDTH), int)
        objects = np.zeros((HEIGHT, WIDTH), bool)
        for thing in (*scene.objects, *scene.clutter):
            height, width = thing.region.pixels.shape
            rows = slice(thing.region.y, thing.region.y + height)
            columns = slice(thing.region.x, thing.region.x + width)
            owners[rows, columns] += thing.region.pixels
            if thing.resembles is None:
                objects[rows, columns] |= thing.region.pixels
        assert owners.max() == 1
        assert (objects == scene.occupied).all()


def test_parts_occlude_one_another_and_hardly_visible_ones_are_not_labelled(
    scenes: list[Scene],
) -> None:
    things = [thing for scene in scenes for thing in scene.objects]
    shares = np.array([thing.visibility for thing in things if not thing.iscrowd])
    assert ((shares > 0) & (shares <= 1)).all()
    assert (shares == 1).mean() > 0.3
    assert (shares < 0.9).mean() > 0.05
    for thing in things:
        assert thing.labelled == (thing.visibility >= LEAST_VISIBLE)


def test_all_categories_occur_with_clutter_that_is_never_labelled(scenes: list[Scene]) -> None:
    assert {thing.name for scene in scenes for thing in scene.objects} == set(CATEGORY_NAMES)
    clutter = [thing for scene in scenes for thing in scene.clutter]
    assert clutter
    assert not any(thing.labelled for thing in clutter)
    assert not {thing.name for thing in clutter} & set(CATEGORY_NAMES)
    counts = [sum(not thing.iscrowd for thing in scene.objects) for scene in scenes]
    assert max(counts) <= 14
    assert np.mean(counts) >= 6


def test_the_picture_shows_the_objects() -> None:
    """On a plain bench the masks must lie on what stands out."""
    flat = [np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)]
    scene, pixels = make_scene(1, flat, np.random.default_rng(5))
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels.dtype == np.uint8
    assert pixels[scene.occupied].std() > 1.5 * pixels[~scene.occupied].std()


@pytest.mark.parametrize("name", sorted(PARTS))
def test_parts_fill_their_extent_but_stay_inside_their_patch(name: str) -> None:
    rng = np.random.default_rng(2)
    for angle in (0.0, 0.7, 2.0):
        part = PARTS[name](rng, HALF_SIZE[name][1])
        sprite = render.prepare(part, angle)
        border = np.ones_like(sprite.mask)
        border[1:-1, 1:-1] = False
        assert not sprite.mask[border].any()
        assert sprite.mask.sum() > 0.1 * 4 * part.half_u * part.half_v
        light = render.Lamp(0, 0, 400, (1, 1, 1)).direction(100, 100)
        colours = render.shade(sprite, light, rng)
        assert np.isfinite(colours).all()
        assert colours[sprite.mask].mean() > 0.03


@pytest.mark.parametrize("name", sorted(CLUTTER))
def test_clutter_is_drawn_and_resembles_a_category(name: str) -> None:
    kind = CLUTTER[name]
    part = kind.draw(np.random.default_rng(3), kind.half_size[1])
    assert part.name == name
    assert kind.resembles in CATEGORY_NAMES
    assert render.prepare(part, 0.3).mask.any()


def test_benches_differ() -> None:
    benches = make_benches(np.random.default_rng(0), 40, 60)
    assert len(benches) == 2 * len(BENCHES)
    means = np.array([bench.mean(axis=(0, 1)) for bench in benches])
    assert np.ptp(means, axis=0).min() > 0.1


def test_confusions_are_mutual_and_between_like_categories() -> None:
    matrix = likeness()
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 0).all()
    for name, other in CONFUSED_WITH.items():
        assert CONFUSED_WITH[other] == name
        row = matrix[CATEGORY_NAMES.index(name)]
        assert row[CATEGORY_NAMES.index(other)] == row.max() > 0
