"""The surface that the parts lie on: wood, brushed steel or a cutting mat, with marks of work.

Belongs here: textures and marks painted into the surface (stains, scratches, shavings). Does not
belong here: things that cast a shadow (`shapes`, `clutter`) and light (`render`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from label_quality.demo.relief import Field
from label_quality.demo.render import overlap


def noise(rng: Generator, height: int, width: int, cell_y: float, cell_x: float) -> Field:
    """Smooth noise in about -1 to 1 whose features are `cell_y` by `cell_x` pixels large."""
    rows, columns = int(np.ceil(height / cell_y)) + 2, int(np.ceil(width / cell_x)) + 2
    coarse = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
    part = (0.0, 0.0, min(width / cell_x, columns), min(height / cell_y, rows))
    resized = coarse.resize((width, height), Image.Resampling.BICUBIC, box=part)
    return np.asarray(resized, np.float32)


def _coloured(tone: Field, dark: tuple[float, ...], bright: tuple[float, ...]) -> Field:
    """Mix two colours by `tone` (0 dark, 1 bright)."""
    low, high = np.array(dark, np.float32), np.array(bright, np.float32)
    surface = np.empty((*tone.shape, 3), np.float32)
    limited = np.clip(tone, -0.2, 1.2)
    for channel in range(3):
        np.multiply(limited, high[channel] - low[channel], out=surface[..., channel])
        surface[..., channel] += low[channel]
    return surface


def _wood(
    rng: Generator, height: int, width: int, dark: tuple[float, ...], bright: tuple[float, ...]
) -> Field:
    """Planks along x, each with its own tone and its own stretch of grain."""
    plank = int(rng.integers(120, 190))
    rows = np.arange(height) + int(rng.integers(plank))
    number = rows // plank
    y = np.arange(height, dtype=np.float32)[:, None]
    tone = np.empty((height, width), np.float32)
    for index in np.unique(number):
        inside = number == index
        count = int(inside.sum())
        warp = noise(rng, count, width, 70, 330)
        lines = np.sin(y[:count] * np.float32(2 * np.pi / 26) + 8.0 * warp)
        grain = 0.20 * lines + 0.16 * noise(rng, count, width, 9, 160)
        tone[inside] = grain + np.float32(0.52 + rng.uniform(-0.14, 0.14))
    tone = tone + 0.15 * noise(rng, height, width, 1.6, 45) + 0.07 * noise(rng, height, width, 1, 9)
    surface = _coloured(tone, dark, bright)
    to_gap = np.minimum(rows % plank, plank - 1 - rows % plank).astype(np.float32)
    surface *= np.clip(0.38 + 0.3 * to_gap, 0, 1)[:, None, None]
    return surface


def _oak(rng: Generator, height: int, width: int) -> Field:
    return _wood(rng, height, width, (0.46, 0.30, 0.17), (0.80, 0.62, 0.41))


def _walnut(rng: Generator, height: int, width: int) -> Field:
    return _wood(rng, height, width, (0.20, 0.125, 0.08), (0.45, 0.30, 0.19))


def _brushed_steel(rng: Generator, height: int, width: int) -> Field:
    tone = 0.5 + 0.22 * noise(rng, height, width, 1, 110) + 0.14 * noise(rng, height, width, 2, 300)
    tone = tone + 0.22 * noise(rng, height, width, 160, 220)
    return _coloured(tone, (0.42, 0.45, 0.48), (0.62, 0.65, 0.68))


def _mat(rng: Generator, height: int, width: int) -> Field:
    """Cutting mat with a printed grid."""
    colours = (((0.06, 0.22, 0.20), (0.11, 0.32, 0.29)), ((0.13, 0.17, 0.24), (0.19, 0.25, 0.34)))
    dark, bright = colours[int(rng.integers(len(colours)))]
    tone = 0.5 + 0.3 * noise(rng, height, width, 1.3, 1.3) + 0.3 * noise(rng, height, width, 90, 90)
    surface = _coloured(tone, dark, bright)
    cell, start_x, start_y = 24, int(rng.integers(24)), int(rng.integers(24))
    for every, strength in ((1, 0.10), (5, 0.20)):
        surface[start_y :: cell * every] += strength * 0.6
        surface[:, start_x :: cell * every] += strength * 0.6
    return surface


BENCHES: Final[dict[str, Callable[[Generator, int, int], Field]]] = {
    "oak": _oak,
    "walnut": _walnut,
    "steel": _brushed_steel,
    "mat": _mat,
}


def _stain(surface: Field, rng: Generator) -> None:
    """Oil: a dark irregular blot, darker at its rim."""
    radius = float(rng.uniform(18, 52))
    x, y = int(rng.integers(surface.shape[1])), int(rng.integers(surface.shape[0]))
    size = 2 * int(1.6 * radius) + 8
    axis = np.arange(size, dtype=np.float32) - size / 2
    edge = np.hypot(axis[None, :], axis[:, None] * float(rng.uniform(0.8, 1.3))) - radius
    edge = edge + 0.22 * radius * noise(rng, size, size, radius * 0.8, radius * 0.8)
    edge = edge + 0.10 * radius * noise(rng, size, size, radius * 0.3, radius * 0.3)
    inside = np.clip(0.5 - edge / 5, 0, 1)
    rim = np.exp(-((edge + 2.5) ** 2) / 10)
    amount = float(rng.uniform(0.16, 0.36))
    target, source = overlap(surface.shape, (size, size), x, y)
    darker = (amount * inside + 0.10 * rim)[source][..., None]
    surface[target] *= 1 - darker * np.array([0.9, 1.0, 1.1], np.float32)


def _scratches(surface: Field, rng: Generator) -> None:
    """Fine lines with a light and a dark edge."""
    height, width = surface.shape[:2]
    sheet = Image.new("L", (width, height))
    draw = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(6, 18))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        length, angle = rng.uniform(15, 130), rng.uniform(-0.5, 0.5) + rng.choice([0, 1.3])
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        draw.line([(x, y), end], fill=int(rng.integers(50, 150)), width=1)
    flat = surface.reshape(-1, 3)
    light, where = _lit_places(sheet, 0.5)
    flat[where] += 0.22 * light
    below = where + width < flat.shape[0]
    flat[where[below] + width] -= 0.26 * light[below]


def _shavings(surface: Field, rng: Generator) -> None:
    """Bright metal curls in a loose cluster, each with a shadow."""
    height, width = surface.shape[:2]
    sheet = Image.new("L", (width, height))
    draw = ImageDraw.Draw(sheet)
    middle_x, middle_y = rng.uniform(0, width), rng.uniform(0, height)
    for _ in range(int(rng.integers(10, 45))):
        x, y = rng.normal(middle_x, 75), rng.normal(middle_y, 60)
        radius, start = rng.uniform(1.5, 5), int(rng.integers(360))
        circle = (x - radius, y - radius, x + radius, y + radius)
        draw.arc(circle, start, start + int(rng.integers(80, 260)), int(rng.integers(130, 255)))
    flat = surface.reshape(-1, 3)
    light, where = _lit_places(sheet, 0.45)
    below = where + 2 * width + 1 < flat.shape[0]
    flat[where[below] + 2 * width + 1] *= 1 - 0.6 * light[below]
    flat[where] += (0.72 - flat[where]) * np.minimum(light * 1.3, 1)


def _lit_places(sheet: Image.Image, softness: float) -> tuple[Field, NDArray[np.int64]]:
    """Brightness (n, 1) of the n pixels of a softened drawing that are not black, and where."""
    soft = np.asarray(sheet.filter(ImageFilter.GaussianBlur(softness))).ravel()
    where = np.flatnonzero(soft > 0)
    return (soft[where].astype(np.float32) / 255)[:, None], where


def make_benches(rng: Generator, height: int, width: int) -> list[Field]:
    """The benches of a workshop, two of each kind, (height, width, 3) each, without marks."""
    return [make(rng, height, width) for make in BENCHES.values() for _ in range(2)]


def choose_bench(benches: list[Field], rng: Generator, height: int, width: int) -> Field:
    """Cut a random piece (height, width, 3) from one of the benches and mark it."""
    bench = benches[int(rng.integers(len(benches)))]
    top = int(rng.integers(bench.shape[0] - height + 1))
    left = int(rng.integers(bench.shape[1] - width + 1))
    surface = bench[top : top + height, left : left + width]
    if rng.random() < 0.5:
        surface = surface[:, ::-1]
    surface = np.ascontiguousarray(surface * np.float32(rng.uniform(0.92, 1.08)))
    for _ in range(int(rng.integers(0, 3))):
        _stain(surface, rng)
    _scratches(surface, rng)
    _shavings(surface, rng)
    return surface
