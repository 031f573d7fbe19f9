"""Light: turns the relief of a part into pixels and lays it, with its shadow, on the bench.

Belongs here: shading, shadows, compositing. Does not belong here: what the parts look like
(`shapes`, `clutter`), the surface of the bench (`bench`) and who lies where (`scenes`).

Parts are drawn at twice the resolution and averaged down, so edges and threads are anti-aliased.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from label_quality.demo.relief import Field, Part, Relief

_OVERSAMPLE: Final = 2
_STRIP: Final = 32


@dataclass(frozen=True)
class Lamp:
    """A lamp over the bench: position in pixels, height above the bench, colour of its light."""

    x: float
    y: float
    height: float
    colour: tuple[float, float, float]

    def direction(self, x: float, y: float) -> tuple[float, float, float]:
        """Unit vector from the point (x, y) of the bench towards the lamp."""
        vector = np.array([self.x - x, self.y - y, self.height])
        unit = vector / np.linalg.norm(vector)
        return float(unit[0]), float(unit[1]), float(unit[2])


@dataclass(frozen=True)
class Sprite:
    """A part on its patch of (h, w) pixels.

    The relief and the part's own coordinates `u`, `v` are kept only where the part is: at the n
    places `where`, flat indices into the patch at double resolution (2h, 2w).
    """

    part: Part
    relief: Relief
    u: Field
    v: Field
    where: NDArray[np.int64]
    angle: float
    coverage: Field
    mask: NDArray[np.bool_]

    @property
    def fine_shape(self) -> tuple[int, int]:
        """Shape of the patch at double resolution."""
        return self.mask.shape[0] * _OVERSAMPLE, self.mask.shape[1] * _OVERSAMPLE


def prepare(part: Part, angle: float) -> Sprite:
    """Draw the part turned by `angle` radians; the patch is just large enough and centred."""
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    half_w = int(np.ceil(part.half_u * abs(cosine) + part.half_v * abs(sine))) + 2
    half_h = int(np.ceil(part.half_u * abs(sine) + part.half_v * abs(cosine))) + 2
    x = (np.arange(2 * half_w * _OVERSAMPLE, dtype=np.float32) + 0.5) / _OVERSAMPLE - half_w
    y = (np.arange(2 * half_h * _OVERSAMPLE, dtype=np.float32) + 0.5) / _OVERSAMPLE - half_h
    u = x[None, :] * cosine + y[:, None] * sine
    v = y[:, None] * cosine - x[None, :] * sine
    # A long part turned askew fills little of its patch: work on its own rectangle only.
    near = np.flatnonzero((np.abs(u) <= part.half_u + 1) & (np.abs(v) <= part.half_v + 1))
    u, v = u.ravel()[near], v.ravel()[near]
    relief = part.build(u, v)
    kept = np.flatnonzero(relief.distance < 1.0)
    where = near[kept]
    relief = Relief(
        relief.distance[kept],
        relief.height[kept],
        *(
            None if values is None else values[kept]
            for values in (relief.shade, relief.accent, relief.turned)
        ),
    )
    fine = np.zeros((y.size, x.size), np.float32)
    fine.ravel()[where] = _cover(relief)
    coverage = _average(fine)
    return Sprite(part, relief, u[kept], v[kept], where, angle, coverage, coverage >= 0.5)


def _cover(relief: Relief) -> Field:
    """Share of each fine pixel that the part covers, from the distance to its silhouette."""
    share: Field = np.clip(0.5 - relief.distance * _OVERSAMPLE, 0, 1)
    return share


def _average(fine: Field) -> Field:
    """Mean over the blocks of one image pixel; (2h, 2w, ...) becomes (h, w, ...)."""
    height, width = fine.shape[0] // _OVERSAMPLE, fine.shape[1] // _OVERSAMPLE
    total = fine[0::2, 0::2] + fine[1::2, 0::2] + fine[0::2, 1::2] + fine[1::2, 1::2]
    return (total.reshape(height, width, *fine.shape[2:]) * 0.25).astype(np.float32)


def shade(sprite: Sprite, light: tuple[float, float, float], rng: Generator) -> Field:
    """Colours (h, w, 3) of the part, multiplied by its coverage.

    Lambert and Blinn-Phong terms, a simple reflected surrounding for metals (bright above, dark at
    the horizon, brightest towards the lamp) and the two-armed highlight of turned surfaces.
    """
    relief, part = sprite.relief, sprite.part
    height = np.zeros(sprite.fine_shape, np.float32)
    height.ravel()[sprite.where] = relief.height
    slopes = np.gradient(height, np.float32(1 / _OVERSAMPLE))
    slope_y, slope_x = (slope.ravel()[sprite.where] for slope in slopes)
    # No real surface is perfectly flat: a slight crown lets the light run over flat faces.
    tilt = 0.16 / max(part.half_u, part.half_v)
    tilt_u, tilt_v = tilt * sprite.u, tilt * sprite.v
    cosine, sine = np.float32(np.cos(sprite.angle)), np.float32(np.sin(sprite.angle))
    slope_x = np.clip(slope_x, -4, 4) - (tilt_u * cosine - tilt_v * sine)
    slope_y = np.clip(slope_y, -4, 4) - (tilt_u * sine + tilt_v * cosine)
    upright = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    normal_x, normal_y = -slope_x * upright, -slope_y * upright

    light_x, light_y, light_z = light
    lambert = np.clip(normal_x * light_x + normal_y * light_y + upright * light_z, 0, 1)
    half = np.array([light_x, light_y, light_z + 1.0])
    half_x, half_y, half_z = (float(value) for value in half / np.linalg.norm(half))
    facing = np.clip(normal_x * half_x + normal_y * half_y + upright * half_z, 0, 1)
    mirror_z = 2 * upright**2 - 1
    mirror_light = 2 * upright * (normal_x * light_x + normal_y * light_y) + mirror_z * light_z
    surrounding = 0.30 + 0.42 * np.clip(0.25 + mirror_z, 0, 1)
    surrounding = surrounding + 0.75 * np.exp(4.0 * (mirror_light - 1))
    if relief.turned is not None:
        # cos(2 (azimuth - that of the light)), written with u and v instead of angles.
        squared = sprite.u**2 + sprite.v**2 + 1e-6
        twice = 2 * (np.arctan2(light_y, light_x) - sprite.angle)
        arms = (sprite.u**2 - sprite.v**2) * float(np.cos(twice))
        arms = (arms + 2 * sprite.u * sprite.v * float(np.sin(twice))) / squared
        marks = rng.normal(0, 0.05, 256).astype(np.float32)
        ring = marks[(np.sqrt(squared) * 1.5).astype(np.int64) % 256]
        surrounding = surrounding * (1 + relief.turned * (0.34 * arms - 0.06 + ring))
    else:
        grain = rng.normal(0, 0.025, 512).astype(np.float32)
        surrounding = surrounding * (1 + grain[(sprite.v * 2).astype(np.int64) % 512])

    colour, metal = _materials(relief, part)
    body = (0.34 + 0.66 * lambert) * (1 - metal) + metal * (0.24 * lambert + 0.86 * surrounding)
    gloss = facing**2
    for _ in range(4):
        gloss = gloss * gloss  # to the 32nd power, which multiplication does faster than `**`
    gloss = (0.30 + 0.45 * metal) * gloss * (1 + metal * (gloss - 1))
    occluded = 0.62 + 0.38 * np.clip(-relief.distance / 1.6, 0, 1)
    factor = body * occluded
    if relief.shade is not None:
        factor, gloss = factor * relief.shade, gloss * relief.shade
    pixels = colour * factor[..., None] + (gloss * occluded)[..., None]
    fine = np.zeros((*sprite.fine_shape, 3), np.float32)
    fine.reshape(-1, 3)[sprite.where] = pixels * _cover(relief)[:, None]
    return _average(fine)


def _materials(relief: Relief, part: Part) -> tuple[Field, Field]:
    """Colour (n, 3) and metallic share (n,), the accent mixed in where it lies."""
    first, second = part.material, part.accent
    base = np.array(first.colour, np.float32)
    if relief.accent is None:
        return base[None, :], np.full(relief.height.shape, first.metal, np.float32)
    share = relief.accent
    other = np.array(second.colour, np.float32)
    metal = first.metal + (second.metal - first.metal) * share
    return base + (other - base) * share[..., None], metal.astype(np.float32)


def blur(field: Field, radius: float) -> Field:
    """Blur of a field in [0, 1], about a Gaussian of the standard deviation `radius` in pixels.

    Wide blurs are done at a fraction of the resolution, where nobody can see the difference.
    """
    image = Image.fromarray((field * 255 + 0.5).astype(np.uint8))
    if radius < 2:
        blurred = image.filter(ImageFilter.BoxBlur(radius * 1.5))
    else:
        factor = 2 if radius < 3.2 else 3
        small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
        blurred = small.resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(blurred, np.float32) / 255


def lay(canvas: Field, sprite: Sprite, place: tuple[int, int], lamp: Lamp, rng: Generator) -> None:
    """Cast the shadow of the sprite on the canvas (H, W, 3) and draw it, centred on `place`."""
    x, y = place
    light = lamp.direction(x, y)
    _cast_shadow(canvas, sprite, x, y, light)
    target, source = overlap(canvas.shape, sprite.mask.shape, x, y)
    colours = shade(sprite, light, rng)[source]
    cover = sprite.coverage[source][..., None]
    canvas[target] = canvas[target] * (1 - cover) + colours


def _cast_shadow(
    canvas: Field, sprite: Sprite, x: int, y: int, light: tuple[float, float, float]
) -> None:
    """Darken what lies under and beside the part: a soft long shadow and a tight contact one."""
    lift = sprite.part.lift
    shift_x, shift_y = -light[0] / light[2] * lift, -light[1] / light[2] * lift
    reach = int(np.ceil(lift * 1.3 + max(abs(shift_x), abs(shift_y)) + 6))
    padded = np.pad(sprite.coverage, reach)
    soft = blur(padded, 1.6 + lift * 0.42)
    contact = blur(padded, 1.6)
    soft = np.roll(soft, (round(shift_y * 1.1), round(shift_x * 1.1)), (0, 1))
    contact = np.roll(contact, (round(shift_y * 0.3), round(shift_x * 0.3)), (0, 1))
    target, source = overlap(canvas.shape, padded.shape, x, y)
    canvas[target] *= ((1 - 0.58 * soft) * (1 - 0.42 * contact))[source][..., None]


def overlap(
    canvas_shape: tuple[int, ...], patch_shape: tuple[int, ...], x: int, y: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of the canvas and of a patch centred on (x, y) where the two overlap."""
    top, left = y - patch_shape[0] // 2, x - patch_shape[1] // 2
    rows = slice(max(top, 0), max(min(top + patch_shape[0], canvas_shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + patch_shape[1], canvas_shape[1]), 0))
    patch_rows = slice(rows.start - top, max(rows.stop - top, 0))
    patch_columns = slice(columns.start - left, max(columns.stop - left, 0))
    return (rows, columns), (patch_rows, patch_columns)


def finish(canvas: Field, lamp: Lamp, rng: Generator) -> NDArray[np.uint8]:
    """Apply the falloff and colour of the lamp, a soft shoulder and sensor noise; 8-bit RGB."""
    height, width = canvas.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    squared = (x - lamp.x) ** 2 + (y - lamp.y) ** 2
    falloff = 0.52 + 0.66 / (1 + squared / np.float32(1.05 * lamp.height) ** 2)
    noise = np.float32(0.009) * rng.standard_normal((_STRIP, width), np.float32)
    picture = np.empty((height, width, 3), np.uint8)
    # In strips that stay in the processor's cache: several times faster than all at once.
    for top in range(0, height, _STRIP):
        rows = slice(top, top + _STRIP)
        lit = canvas[rows] * falloff[rows, :, None]
        lit *= np.array(lamp.colour, np.float32)
        # One strip of noise does for all, shifted sideways each time.
        lit += np.roll(noise, int(rng.integers(width)), axis=1)[: lit.shape[0], :, None]
        # Bright highlights bend towards white instead of clipping.
        above = np.maximum(lit - 0.75, 0)
        lit -= above
        above /= 1 + 2.4 * above
        lit += above
        np.clip(lit, 0, 1, out=lit)
        lit *= 255
        lit += 0.5
        picture[rows] = lit
    return picture
