"""Things on the bench that belong to none of the eight categories and are never labelled.

Belongs here: one function per kind of clutter, registered in `CLUTTER` with the category that it
resembles, which is what makes detectors raise false alarms on it. Does not belong here: the
labelled parts (`shapes`) and marks in the surface itself (`bench`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from label_quality.demo.materials import BLACK_OXIDE, PAINTS, RUBBER, STEEL
from label_quality.demo.relief import (
    Field,
    Material,
    Part,
    Relief,
    box,
    dome,
    length,
    rounded,
    step,
)


def pencil(rng: Generator, size: float) -> Part:
    """Hexagonal pencil with a sharpened tip and a rubber at the other end."""
    radius = float(rng.uniform(4.6, 5.8))
    paint = PAINTS[int(rng.choice([2, 2, 0, 1, 3]))]

    def build(u: Field, v: Field) -> Relief:
        cone = radius * np.clip((size - u) / (4.2 * radius), 0.06, 1)
        silhouette = np.maximum(np.abs(v) - cone, np.abs(u) - size)
        facets = radius - 0.9 * np.maximum(np.abs(v) - 0.5 * radius, 0)
        wooden = step(u - (size - 4.2 * radius) + 0.9 * np.cos(v * 2.2), 1.0)
        height = facets * (1 - wooden) + dome(v, cone) * wooden
        ferrule = step(-size + 3.4 * radius - u) * step(u + size - 1.4 * radius)
        rubber = step(-size + 1.4 * radius - u)
        lead = step(u - (size - 1.1 * radius))
        shade = 1 - 0.75 * lead - 0.25 * ferrule * step(np.sin(u * 2.4))
        accent = np.maximum(np.maximum(wooden, ferrule), rubber)
        return Relief(silhouette.astype(np.float32), height.astype(np.float32), shade, accent)

    return Part("pencil", size, radius, build, paint, Material((0.78, 0.58, 0.42), 0.1), lift=5.0)


def o_ring(rng: Generator, size: float) -> Part:
    """Rubber sealing ring: from afar a washer, but none."""
    cord = size * float(rng.uniform(0.13, 0.18))

    def build(u: Field, v: Field) -> Relief:
        to_cord = np.abs(length(u, v) - (size - cord))
        return Relief((to_cord - cord).astype(np.float32), dome(to_cord, cord))

    material = RUBBER if rng.random() < 0.6 else PAINTS[int(rng.choice([0, 3, 4]))]
    return Part("o-ring", size, size, build, material, lift=cord)


def pin(rng: Generator, size: float) -> Part:
    """Plain dowel pin: as long as a bolt, without head or thread."""
    radius = size * float(rng.uniform(0.13, 0.19))

    def build(u: Field, v: Field) -> Relief:
        silhouette = box(u, v, size, radius, radius * 0.35)
        return Relief(silhouette, dome(v, radius) * step(-silhouette, 3.0))

    return Part("pin", size, radius, build, STEEL, lift=radius)


def tiny_screw(rng: Generator, size: float) -> Part:
    """Head of a small screw with a cross recess, too small to be labelled."""

    def build(u: Field, v: Field) -> Relief:
        radius = length(u, v)
        silhouette = (radius - size).astype(np.float32)
        cross = np.minimum(box(u, v, 0.62 * size, 0.14 * size), box(u, v, 0.14 * size, 0.62 * size))
        return Relief(silhouette, 0.45 * dome(radius, size), 1 - 0.7 * step(-cross))

    return Part("tiny screw", size, size, build, STEEL, lift=2.0)


def wire(rng: Generator, size: float) -> Part:
    """Piece of insulated wire in a lazy wave, its ends stripped."""
    wave, cord = size * float(rng.uniform(0.10, 0.22)), float(rng.uniform(2.0, 2.8))
    half_wave, phase = size * float(rng.uniform(0.7, 1.1)), float(rng.uniform(0, 6.28))

    def build(u: Field, v: Field) -> Relief:
        inside = np.clip(u, -size + cord, size - cord)
        centre = wave * np.sin(inside * (np.pi / half_wave) + phase)
        slope = wave * np.pi / half_wave * np.cos(inside * (np.pi / half_wave) + phase)
        to_axis = length((v - centre) / np.sqrt(1 + slope**2), u - inside)
        bare = step(np.abs(u) - (size - 9))
        radius = cord * (1 - 0.45 * bare)
        silhouette = (to_axis - radius).astype(np.float32)
        return Relief(silhouette, dome(to_axis, radius), None, bare)

    paint = (*PAINTS, RUBBER)[int(rng.integers(6))]
    copper = Material((0.74, 0.43, 0.28))
    return Part("wire", size, wave + cord, build, paint, copper, lift=cord)


def rubber_block(rng: Generator, size: float) -> Part:
    """Small block of rubber or plastic, a flat box."""
    half = size * float(rng.uniform(0.45, 0.65))

    def build(u: Field, v: Field) -> Relief:
        silhouette = box(u, v, size, half, 3.0)
        return Relief(silhouette, rounded(silhouette, 3.5, 5.0), None, step(u - 0.35 * size))

    sleeve = PAINTS[int(rng.choice([0, 1, 3]))]
    return Part("eraser", size, half, build, sleeve, Material((0.80, 0.78, 0.74), 0.05), lift=7.0)


def hex_key(rng: Generator, size: float) -> Part:
    """Hexagon key: a thin black L, not to be taken for a bracket."""
    cord = max(2.4, size * 0.055)
    arm = size * float(rng.uniform(0.40, 0.55))

    def build(u: Field, v: Field) -> Relief:
        long = box(u, v - (arm - cord), size, cord, cord)
        short = box(u - (-size + cord), v, cord, arm, cord)
        silhouette = np.minimum(long, short)
        depth = np.clip(-silhouette, 0, cord)
        return Relief(silhouette, np.minimum(depth, 0.6 * cord) * 1.1)

    return Part("hex key", size, arm, build, BLACK_OXIDE, lift=cord * 1.2)


@dataclass(frozen=True)
class Clutter:
    """How to draw it, its range of half extents in pixels, how often, and what it resembles."""

    draw: Callable[[Generator, float], Part]
    half_size: tuple[float, float]
    frequency: float
    resembles: str


CLUTTER: Final[dict[str, Clutter]] = {
    "pencil": Clutter(pencil, (85, 130), 1.0, "spanner"),
    "o-ring": Clutter(o_ring, (15, 30), 1.6, "washer"),
    "pin": Clutter(pin, (16, 34), 1.2, "bolt"),
    "tiny screw": Clutter(tiny_screw, (4.5, 6.5), 3.0, "nut"),
    "wire": Clutter(wire, (50, 110), 1.0, "spring"),
    "eraser": Clutter(rubber_block, (20, 30), 0.7, "bracket"),
    "hex key": Clutter(hex_key, (38, 60), 0.9, "bracket"),
}
