"""The machine parts, each drawn from signed distances with random proportions.

Belongs here: one function per category, registered in `PARTS` (the spanner has a module of its
own). Does not belong here: unlabelled things (`clutter`), light (`render`), where a part lies
(`scenes`).

Every function takes a random generator and the longer half extent in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.random import Generator

from label_quality.demo.materials import (
    BLACK_OXIDE,
    BRASS,
    COPPER,
    DARK_STEEL,
    PAINTS,
    RUBBER,
    STEEL,
    ZINC,
    between,
    pick,
)
from label_quality.demo.relief import (
    Field,
    Part,
    Relief,
    box,
    capsule,
    dome,
    hexagon,
    length,
    rounded,
    step,
    turn,
)
from label_quality.demo.spanner import spanner


def _thread(along: Field, pitch: float) -> Field:
    """Triangular wave from 0 to 1 with the period `pitch`: the profile of a thread."""
    wave: Field = np.abs(np.mod(along / pitch, 1.0) - 0.5) * 2
    return wave


def bolt(rng: Generator, size: float) -> Part:
    """Hexagon-head bolt seen from the side: head at the left, thread to the right."""
    radius = min(size * between(rng, 0.13, 0.20), 9.5)
    head_width, head_length = radius * 1.85, radius * between(rng, 1.2, 1.5)
    pitch, smooth = max(3.2, radius * 0.42), between(rng, 0.0, 0.4)
    flange = (0.45 if rng.random() < 0.5 else 0.0) * radius
    thread_from = -size + head_length + smooth * 2 * (size - head_length)

    def build(u: Field, v: Field) -> Relief:
        profile = _thread(u + 0.22 * v, pitch) * step(u - thread_from, 2.0)
        shank_radius = radius - 0.16 * radius * profile
        tip = np.maximum(u - (size - 0.6 * radius), 0)
        shank_radius = shank_radius - 0.6 * tip
        across = np.abs(v)
        shank = np.maximum(across - shank_radius, np.maximum(u - size, -size + 2 - u))
        head_middle = -size + head_length / 2
        head = box(u - head_middle, v, head_length / 2, head_width, 0.22 * radius)
        collar = box(u - (-size + head_length), v, 0.3 * radius, head_width + flange, 1.0)
        silhouette = np.minimum(np.minimum(shank, head), collar)
        # Three of the six faces are seen: one flat in the middle and two that fall away.
        faces = head_width - 0.9 * np.maximum(across - head_width * 0.52, 0)
        faces = faces - 0.12 * np.maximum(head_middle - u, 0)
        height = dome(across, shank_radius) + 0.22 * pitch * (1 - profile)
        height = np.where(collar < 0, dome(across, head_width + flange), height)
        height = np.where(head < 0, faces, height)
        edge = 0.55 + 0.45 * step(np.abs(u - (-size + head_length)) - 1.5, 2.5)
        shade = np.minimum(edge, 1 - 0.35 * profile)
        return Relief(silhouette.astype(np.float32), height.astype(np.float32), shade)

    material = pick(rng, (STEEL, ZINC, BLACK_OXIDE, BRASS), (5, 3, 2, 1))
    return Part("bolt", size, head_width + flange, build, material, lift=radius * 1.2)


def nut(rng: Generator, size: float) -> Part:
    """Hexagon nut lying flat, chamfered, with a threaded hole."""
    apothem, hole = size * 0.866, size * between(rng, 0.44, 0.52)

    def build(u: Field, v: Field) -> Relief:
        radius = length(u, v)
        outline = hexagon(u, v, apothem)
        silhouette = np.maximum(outline, hole - radius)
        # The chamfer is a cone: it cuts the corners of the top face, not the flats.
        height = rounded(outline, 1.4, 0.5 * size)
        height = height - 0.75 * np.maximum(radius - 0.93 * apothem, 0)
        height = height - 1.3 * np.maximum(hole * 1.22 - radius, 0)
        shade = 1 - 0.4 * step(hole * 1.22 - radius, 1.0) * _thread(radius, 2.2)
        ring = step(radius - hole * 1.22) * step(0.93 * apothem - radius)
        return Relief(silhouette.astype(np.float32), height, shade, turned=0.8 * ring)

    material = pick(rng, (STEEL, ZINC, BRASS, BLACK_OXIDE), (5, 3, 2, 1.5))
    return Part("nut", size, size, build, material, lift=0.3 * size)


def washer(rng: Generator, size: float) -> Part:
    """Flat round washer."""
    hole = size * between(rng, 0.42, 0.60)

    def build(u: Field, v: Field) -> Relief:
        radius = length(u, v)
        silhouette = np.maximum(radius - size, hole - radius).astype(np.float32)
        return Relief(silhouette, rounded(silhouette, 2.0, 2.2), turned=np.ones_like(u))

    material = pick(rng, (STEEL, ZINC, BRASS, COPPER, DARK_STEEL), (5, 2, 1.5, 1, 1.5))
    return Part("washer", size, size, build, material, lift=1.8)


def gear(rng: Generator, size: float) -> Part:
    """Spur gear with a recessed web and a hub; the bore is open or holds a shaft."""
    teeth = int(np.clip(round(size * between(rng, 0.32, 0.46)), 11, 24))
    root = size * (1 - 3.4 / teeth * 0.62)
    hub, bore = size * between(rng, 0.30, 0.38), size * between(rng, 0.14, 0.19)
    open_bore = bool(rng.random() < 0.5)
    holes = int(rng.choice([0, 0, 5, 6]))

    def build(u: Field, v: Field) -> Relief:
        radius, sector = length(u, v), 2 * np.pi / teeth
        angle = np.mod(np.arctan2(v, u), sector) - sector / 2
        outward, across = radius * np.cos(angle), np.abs(radius * np.sin(angle))
        half_tooth = 0.29 * size * sector - 0.42 * (outward - root)
        tooth = np.maximum(outward - size, across - half_tooth)
        silhouette = np.minimum(radius - root, tooth)
        web_low, web_high = hub, root * 0.84
        recess = step(radius - web_low, 2.5) * step(web_high - radius, 2.5)
        height = rounded(silhouette.astype(np.float32), 1.8, 5.0) - 2.8 * recess
        shade = 1 - 0.16 * recess
        if holes:
            turn_by = np.mod(np.arctan2(v, u), 2 * np.pi / holes) - np.pi / holes
            middle = (web_low + web_high) / 2
            cut = length(radius * np.cos(turn_by) - middle, radius * np.sin(turn_by))
            blind = step(0.34 * (web_high - web_low) - cut, 1.5)
            height, shade = height - 2.0 * blind, shade * (1 - 0.6 * blind)
        key = box(u - bore, v, bore * 0.45, bore * 0.32)
        hollow = np.minimum(radius - bore, key)
        if open_bore:
            silhouette = np.maximum(silhouette, -hollow)
            shaft = None
        else:
            shaft = step(-hollow)
            height = height + shaft * (1.5 + rounded((radius - bore).astype(np.float32), 2.0, 2.0))
            shade = shade * (0.45 + 0.55 * step(np.abs(hollow) - 1.0, 1.5))
        return Relief(
            silhouette.astype(np.float32), height, shade, shaft, 0.75 * step(root - radius)
        )

    material = pick(rng, (STEEL, BRASS, DARK_STEEL, COPPER), (4, 3, 2, 0.7))
    return Part("gear", size, size, build, material, DARK_STEEL, lift=6.0)


def bearing(rng: Generator, size: float) -> Part:
    """Ball bearing with open cage, or with a rubber seal of one of several colours."""
    bore, inner, outer = size * 0.42, size * 0.58, size * 0.81
    balls, sealed = int(rng.integers(8, 12)), bool(rng.random() < 0.4)
    middle, ball = (inner + outer) / 2, (outer - inner) * 0.56

    def build(u: Field, v: Field) -> Relief:
        radius = length(u, v)
        silhouette = np.maximum(radius - size, bore - radius).astype(np.float32)
        groove = step(radius - inner, 1.2) * step(outer - radius, 1.2)
        height = rounded(silhouette, 2.2, 5.0) - 2.0 * groove
        rim = np.minimum(np.abs(radius - inner), np.abs(radius - outer))
        shade = 0.5 + 0.5 * step(rim - 0.9, 1.6)
        if sealed:
            height = height + 1.2 * groove + 0.5 * dome(radius - middle, ball)
            return Relief(silhouette, height, shade, groove, 1 - groove)
        sector = 2 * np.pi / balls
        angle = np.mod(np.arctan2(v, u), sector) - sector / 2
        to_ball = length(radius * np.cos(angle) - middle, radius * np.sin(angle))
        on_ball = step(ball - to_ball, 1.0)
        height = height + 0.8 * dome(to_ball, ball) * on_ball
        shade = np.maximum(shade, on_ball) * (1 - 0.75 * groove * (1 - on_ball))
        return Relief(silhouette, height, shade, None, 1 - groove)

    material = pick(rng, (STEEL, DARK_STEEL), (5, 1))
    seal = RUBBER if rng.random() < 0.4 else PAINTS[int(rng.integers(len(PAINTS)))]
    return Part("bearing", size, size, build, material, seal, lift=5.5)


def spring(rng: Generator, size: float) -> Part:
    """Compression spring from the side; the bench shows between its coils."""
    radius = size * between(rng, 0.24, 0.34)
    wire = max(1.7, size * between(rng, 0.040, 0.055))
    coils = int(rng.integers(6, 10))
    pitch = 2 * (size - wire) / coils

    def build(u: Field, v: Field) -> Relief:
        reach = radius - wire
        # Fold the length into one coil, but keep the ends: the first and last coil stay whole.
        number = np.clip(np.floor((u + size - wire) / pitch), 0, coils - 1)
        folded = (u + size - wire - number * pitch).astype(np.float32)
        front = np.full_like(u, 1e6)
        back = np.full_like(u, 1e6)
        for offset in (-1, 0, 1):
            valid = (number + offset >= 0) & (number + offset < coils)
            start = offset * pitch
            rising = capsule(folded, v, (start, -reach), (start + pitch / 2, reach))
            falling = capsule(folded, v, (start + pitch / 2, reach), (start + pitch, -reach))
            front = np.minimum(front, np.where(valid, rising, 1e6))
            back = np.minimum(back, np.where(valid, falling, 1e6))
        in_front = front < wire
        height = np.where(in_front, 3 * wire + dome(front, wire), dome(back, wire))
        bend = np.sqrt(np.clip(1 - (v / radius) ** 2, 0, 1))
        height = height + 1.2 * wire * bend * np.where(in_front, 1.0, -0.3)
        shade = np.where(in_front, 1.0, 0.5).astype(np.float32)
        silhouette = np.minimum(front, back) - wire
        return Relief(silhouette.astype(np.float32), height.astype(np.float32), shade)

    material = pick(rng, (STEEL, DARK_STEEL, COPPER, *PAINTS[:2]), (4, 2, 0.7, 0.5, 0.5))
    return Part("spring", size, radius, build, material, lift=radius * 0.7)


def bracket(rng: Generator, size: float) -> Part:
    """L-shaped corner plate, painted or bare, with countersunk (blind) screw holes."""
    arm = size * between(rng, 0.25, 0.32)
    short = size * between(rng, 0.62, 1.0)
    hole = arm * between(rng, 0.36, 0.46)
    screws = bool(rng.random() < 0.4)
    centres = [
        (-size + arm, short - arm),
        (size - arm * 1.1, short - arm),
        (-size + arm, -short + arm * 1.1),
    ]
    if size > 45:
        centres.append((0.5 * (arm * -0.1), short - arm))

    def build(u: Field, v: Field) -> Relief:
        flat = box(u, v - (short - arm), size, arm, arm * 0.45)
        upright = box(u - (-size + arm), v, arm, short, arm * 0.45)
        fillet = box(u - (-size + 2.2 * arm), v - (short - 2.2 * arm), 0.6 * arm, 0.6 * arm)
        notch = length(u - (-size + 2.8 * arm), v - (short - 2.8 * arm)) - 0.8 * arm
        inner = np.maximum(fillet, -notch)
        silhouette = np.minimum(np.minimum(flat, upright), inner).astype(np.float32)
        height, shade = rounded(silhouette, 2.2, 3.0), np.ones_like(u)
        accent = np.zeros_like(u)
        for middle_u, middle_v in centres:
            radius = length(u - middle_u, v - middle_v)
            sink = np.clip(hole * 1.35 - radius, 0, hole * 0.5)
            height = height - 0.8 * sink
            core = step(hole * 0.85 - radius)
            if screws:
                slot_u, slot_v = turn(u - middle_u, v - middle_v, 31 + 57 * middle_u)
                slot = np.minimum(
                    box(slot_u, slot_v, 0.6 * hole, 0.14 * hole),
                    box(slot_u, slot_v, 0.14 * hole, 0.6 * hole),
                )
                height = height + core * 0.10 * dome(radius, hole)
                accent, shade = np.maximum(accent, core), shade * (1 - 0.75 * step(-slot))
            else:
                shade = shade * (1 - 0.82 * core)
        return Relief(silhouette, height.astype(np.float32), shade, accent)

    material = pick(rng, (STEEL, ZINC, *PAINTS), (2, 1.5, 1, 1.4, 1, 0.8, 0.7))
    return Part("bracket", size, short, build, material, STEEL, lift=3.0)


PARTS: Final[dict[str, Callable[[Generator, float], Part]]] = {
    "bolt": bolt,
    "nut": nut,
    "washer": washer,
    "gear": gear,
    "bearing": bearing,
    "spring": spring,
    "bracket": bracket,
    "spanner": spanner,
}
