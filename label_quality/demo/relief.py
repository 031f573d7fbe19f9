"""Small toolbox of signed distances and heights from which the parts are made.

Belongs here: the `Relief` of a part and the geometry primitives. Does not belong here: the parts
themselves (`shapes`, `clutter`) and light (`render`). All lengths are pixels, all arrays float32;
`u` and `v` are the coordinates in the part's own axes, the origin in its middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# In fact float32 throughout; NumPy's annotations cannot follow that through the arithmetic.
Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Material:
    """Colour (RGB, 0 to 1) and how metallic (0 matt paint or wood, 1 bare metal)."""

    colour: tuple[float, float, float]
    metal: float = 1.0


@dataclass
class Relief:
    """A part seen from above at n places (u, v); every field has the shape (n,).

    `distance` is the signed distance to the silhouette (negative inside), `height` the surface
    above the bench, `shade` a factor on the colour, `accent` the share of the second material,
    `turned` how strongly the surface carries concentric turning marks.
    """

    distance: Field
    height: Field
    shade: Field | None = None
    accent: Field | None = None
    turned: Field | None = None


@dataclass(frozen=True)
class Part:
    """What to render: half extents in pixels, the relief as a function of (u, v), materials.

    `lift` is how high it stands above the bench, which decides how far its shadow falls.
    """

    name: str
    half_u: float
    half_v: float
    build: Callable[[Field, Field], Relief]
    material: Material
    accent: Material = field(default_factory=lambda: Material((0.2, 0.2, 0.22)))
    lift: float = 5.0


def length(u: Field, v: Field) -> Field:
    """Length of the vector (u, v); several times faster than `np.hypot`, which guards overflow."""
    root: Field = np.sqrt(u * u + v * v)
    return root


def box(u: Field, v: Field, half_u: float, half_v: float, radius: float = 0.0) -> Field:
    """Distance to a box with rounded corners, centred on the origin."""
    du = np.abs(u) - (half_u - radius)
    dv = np.abs(v) - (half_v - radius)
    outside = length(np.maximum(du, 0), np.maximum(dv, 0))
    return (outside + np.minimum(np.maximum(du, dv), 0) - radius).astype(np.float32)


def hexagon(u: Field, v: Field, apothem: float) -> Field:
    """Distance to a regular hexagon (exact inside, a lower bound outside its corners)."""
    a, b = np.abs(u), np.abs(v)
    return (np.maximum(a, 0.5 * a + 0.8660254 * b) - apothem).astype(np.float32)


def capsule(u: Field, v: Field, start: tuple[float, float], end: tuple[float, float]) -> Field:
    """Distance to the line segment from `start` to `end`."""
    along_u, along_v = end[0] - start[0], end[1] - start[1]
    share = ((u - start[0]) * along_u + (v - start[1]) * along_v) / (along_u**2 + along_v**2)
    share = np.clip(share, 0, 1)
    return length(u - start[0] - share * along_u, v - start[1] - share * along_v).astype(np.float32)


def rounded(distance: Field, bevel: float, height: float) -> Field:
    """Height of a flat plate whose edge is rounded over `bevel` pixels."""
    inside = np.clip(-distance / bevel, 0, 1)
    surface: Field = height * np.sqrt(1 - (1 - inside) ** 2)
    return surface


def dome(distance: Field, radius: float | Field) -> Field:
    """Height of a sphere or cylinder: `distance` is measured from its centre or axis."""
    return np.sqrt(np.maximum(radius**2 - distance**2, 0)).astype(np.float32)


def step(value: Field, width: float = 1.0) -> Field:
    """Smooth step from 0 (value well below 0) to 1, over `width` pixels: anti-aliased regions."""
    share: Field = np.clip(value / width + 0.5, 0, 1)
    return share


def turn(u: Field, v: Field, degrees: float) -> tuple[Field, Field]:
    """Coordinates in axes turned by `degrees`."""
    cosine, sine = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return u * cosine + v * sine, v * cosine - u * sine
