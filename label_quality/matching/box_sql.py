"""Box IoU as SQL over two relations that both have x, y, right, bottom and area. The arithmetic of pycocotools' bbIou.

So the two agree to the last bit, whoever asks.
"""

from __future__ import annotations

SIDES = "x, y, x + width as right, y + height as bottom, width * height as area"
"""What a relation with x, y, width and height needs to select."""


def touch(a: str, b: str) -> str:
    """Whether two boxes share an area; not where a side is so short that it is lost beside a far coordinate."""
    own = " and ".join(f"{r}.x < {r}.right and {r}.y < {r}.bottom" for r in (a, b))
    return f"{a}.x < {b}.right and {b}.x < {a}.right and {a}.y < {b}.bottom and {b}.y < {a}.bottom and {own}"


def intersection(a: str, b: str) -> str:
    """The area that two boxes that touch share, px²."""
    return (
        f"(least({a}.right, {b}.right) - greatest({a}.x, {b}.x)) "
        f"* (least({a}.bottom, {b}.bottom) - greatest({a}.y, {b}.y))"
    )
