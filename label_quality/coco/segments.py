"""Segmentations of a chunk of records as flat arrays: polygons, run lengths or none.

Both readers build `Segments`; parsing, areas and extents stand here, verdicts about them in ``rules``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec
import numpy as np
import pyarrow as pa

from label_quality.coco import masks, rle
from label_quality.coco.errors import Refused
from label_quality.coco.records import Rle
from label_quality.coco.sinks import Texts

NONE, POLYGON, RLE = 0, 1, 2
_BLANK = (b" ", b"\n", b"\r", b"\t")
_MOST_BYTES = 2**31 - 1  # offsets of Arrow's strings
_decode_rles = msgspec.json.Decoder(list[Rle])


def _empty() -> np.ndarray:
    return np.zeros(0, dtype=np.int64)


@dataclass
class Segments:
    """The segmentations of `n` records.

    Polygons: part k belongs to record ``part_row[k]`` and has ``part_length[k]`` numbers (x, y, x, y ...) of
    `coordinates`, in order. Run lengths: ``rles[k]`` belongs to record ``rle_row[k]``.
    """

    kind: np.ndarray  # uint8 (n,): NONE, POLYGON or RLE
    part_row: np.ndarray = field(default_factory=_empty)
    part_length: np.ndarray = field(default_factory=_empty)
    coordinates: np.ndarray = field(default_factory=lambda: np.zeros(0))
    rle_row: np.ndarray = field(default_factory=_empty)
    rles: list[Rle] = field(default_factory=list)

    @property
    def parts(self) -> np.ndarray:
        """Number of polygons of each record, int64 (n,)."""
        return np.bincount(self.part_row, minlength=len(self.kind))


def from_values(values: Sequence[list[list[float]] | Rle | None]) -> Segments:
    """Segments of records that the tolerant reader converted."""
    polygons = [(row, v) for row, v in enumerate(values) if isinstance(v, list) and v]
    rles = [(row, v) for row, v in enumerate(values) if isinstance(v, Rle)]
    parts = [(row, part) for row, v in polygons for part in v]
    kind = np.full(len(values), NONE, dtype=np.uint8)
    kind[[row for row, _ in polygons]] = POLYGON
    kind[[row for row, _ in rles]] = RLE
    lengths = np.array([len(part) for _, part in parts], dtype=np.int64)
    return Segments(
        kind,
        np.array([row for row, _ in parts], dtype=np.int64),
        lengths,
        np.fromiter(
            chain.from_iterable([part for _, part in parts]), np.float64, int(lengths.sum())
        ),
        np.array([row for row, _ in rles], dtype=np.int64),
        [v for _, v in rles],
    )


def from_texts(texts: Texts, *, sound: bool = True) -> Segments:
    """Segments of records whose segmentation is sound JSON (empty where there is none). Raises `Refused`.

    If it is not known to be `sound`, that is found out; blanks other than one behind a comma are then refused.
    """
    first = texts.first_bytes()
    kind = np.full(len(texts), NONE, dtype=np.uint8)
    kind[(first == ord("[")) & (texts.lengths > len("[]"))] = POLYGON
    kind[first == ord("{")] = RLE
    known = (kind != NONE) | (first == ord("[")) | (first == ord("n")) | (first == 0)
    if not known.all():
        raise Refused("a segmentation is neither polygons nor run lengths")
    polygons, rle_row = np.flatnonzero(kind == POLYGON), np.flatnonzero(kind == RLE)
    per_record, lengths, coordinates = _parse_polygons(texts.where(kind == POLYGON), sound)
    kind[polygons[per_record == 0]] = NONE
    try:
        rles = _decode_rles.decode(b"[" + b",".join([texts[k] for k in rle_row.tolist()]) + b"]")
    except (msgspec.MsgspecError, ValueError) as error:
        raise Refused(f"run lengths: {error}") from error
    if len(rles) != len(rle_row):
        raise Refused("run lengths: something else is among them")
    return Segments(kind, np.repeat(polygons, per_record), lengths, coordinates, rle_row, rles)


def _parse_polygons(texts: list[bytes], sound: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parts of each record, numbers of each part, and the numbers. Raises `Refused` if they are not such lists.

    The texts are sound JSON, each a list. So every bracket and comma outside a quoted text is where a number, a list
    or nothing ends; what stands between two of them is left to Arrow to be a number, which a quoted text is not.
    Arrow rounds as Python does. Each pass is over the whole chunk and lets other threads run.
    """
    if not texts:
        return _empty(), _empty(), np.zeros(0)
    text = b",".join(texts)
    if not sound:
        text = text.replace(b", ", b",") if b" " in text else text
    elif any(blank in text for blank in _BLANK):
        text = text.translate(None, b"".join(_BLANK))
    if len(text) > _MOST_BYTES:
        raise Refused("polygons: a record is too long")
    characters = np.frombuffer(text, dtype=np.uint8)
    at_bracket = characters == ord("[")
    at_bracket |= characters == ord("]")
    separators = np.flatnonzero(at_bracket | (characters == ord(",")))
    if not (sound or _in_order(characters[separators], np.diff(separators) > 1)):
        raise Refused("polygons: a number or a list stands where none should")
    ends, values = _numbers(text, separators, sound)

    brackets = np.flatnonzero(at_bracket)
    opens = characters[brackets] == ord("[")
    depth = np.cumsum(np.where(opens, 1, -1))
    first, last = brackets[opens & (depth == 2)], brackets[~opens & (depth == 1)]
    records = brackets[opens & (depth == 1)]
    if depth.max() > 2 or len(records) != len(texts):
        raise Refused("polygons: the lists are nested otherwise")
    lengths = np.searchsorted(ends, last, side="right") - np.searchsorted(ends, first)
    if lengths.sum() != len(values):
        raise Refused("polygons: a number stands outside a polygon")
    per_record = np.diff(np.searchsorted(first, records), append=len(first))
    return per_record, lengths, values


def _in_order(separators: np.ndarray, filled: np.ndarray) -> bool:
    """Whether what stands between brackets and commas, something where `filled`, stands where JSON has it."""
    opens, closes = separators == ord("["), separators == ord("]")
    commas = ~(opens | closes)
    number = ~closes[:-1] & ~opens[1:]
    nothing = np.where(opens[1:], opens[:-1] | commas[:-1], closes[:-1])
    return bool(np.where(filled, number, nothing).all())


def _numbers(text: bytes, separators: np.ndarray, sound: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where each number of `text` ends, and the numbers. Raises `Refused` if something else is among them."""
    gaps = np.diff(separators)
    filled = gaps > 1
    offsets = np.zeros(np.count_nonzero(filled) + 1, dtype=np.int32)
    np.cumsum(gaps[filled] - 1, out=offsets[1:])
    digits = text.translate(None, b"[],")
    if not (sound or _written_as_json(np.frombuffer(digits, dtype=np.uint8), offsets)):
        raise Refused("polygons: a number is not written as JSON has numbers")
    buffers = pa.py_buffer(offsets), pa.py_buffer(digits)
    column = pa.StringArray.from_buffers(len(offsets) - 1, *buffers)
    try:
        values = column.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise Refused(f"polygons: {error}") from error
    return separators[1:][filled], values


def _written_as_json(characters: np.ndarray, offsets: np.ndarray) -> bool:
    """Whether numbers end to end, of digits, points and minus signs, are JSON's if Arrow takes them for numbers.

    To Arrow a number may start with zeros or a point, and end with a point.
    """
    if not len(characters):
        return True
    starts, ends = offsets[:-1] + (characters[offsets[:-1]] == ord("-")), offsets[1:]
    first = characters.take(starts, mode="clip")
    point = characters.take(starts + 1, mode="clip") == ord(".")
    zeros = (first == ord("0")) & (ends - starts > 1) & ~point
    of_numbers = (characters - ord("-")).max() <= ord("9") - ord(
        "-"
    )  # and the slash, which Arrow refuses
    digits = first.min() >= ord("0") and characters[ends - 1].min() >= ord("0")
    return bool(of_numbers and digits and not zeros.any())


def polygon_geometry(segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Area and extent of the polygons of each record: float64 (n,) px² and (n, 4) left, top, right, bottom.

    Every part has to have three points or more. The area is the sum of the parts' shoelace areas; records without
    polygons have NaN.
    """
    n = len(segments.kind)
    area, extent = np.full(n, np.nan), np.full((n, 4), np.nan)
    if not len(segments.part_row):
        return area, extent
    points = segments.part_length // 2
    ends = np.cumsum(points)
    starts = ends - points
    x, y = segments.coordinates[0::2], segments.coordinates[1::2]
    cross = np.empty(len(x))
    np.subtract(x[:-1] * y[1:], x[1:] * y[:-1], out=cross[:-1])
    cross[ends - 1] = x[ends - 1] * y[starts] - x[starts] * y[ends - 1]
    part_area = np.abs(np.add.reduceat(cross, starts)) / 2
    first = np.flatnonzero(np.diff(segments.part_row, prepend=-1))
    rows = segments.part_row[first]
    area[rows] = np.add.reduceat(part_area, first)
    begin = starts[first]
    extent[rows, 0], extent[rows, 1] = np.minimum.reduceat(x, begin), np.minimum.reduceat(y, begin)
    extent[rows, 2], extent[rows, 3] = np.maximum.reduceat(x, begin), np.maximum.reduceat(y, begin)
    return area, extent + 0.0  # no negative zeros


def rle_counts(rles: Sequence[Rle]) -> tuple[np.ndarray, np.ndarray]:
    """For each mask: the sum of its counts, int64, and whether the counts can be decoded and none is negative."""
    total, sound = np.zeros(len(rles), dtype=np.int64), np.zeros(len(rles), dtype=bool)
    texts = [(k, one.counts) for k, one in enumerate(rles) if isinstance(one.counts, str)]
    lists = [(k, one.counts) for k, one in enumerate(rles) if isinstance(one.counts, list)]
    for rows, sums in (
        ([k for k, _ in texts], rle.compressed([counts for _, counts in texts])),
        ([k for k, _ in lists], rle.uncompressed([counts for _, counts in lists])),
    ):
        total[rows], sound[rows] = sums.total, sums.sound
    return total, sound


def rle_geometry(rles: Sequence[Rle]) -> tuple[np.ndarray, np.ndarray]:
    """Area and extent of sound masks: float64 (k,) pixels and (k, 4) left, top, right, bottom; NaN for an empty mask."""
    area, box = masks.areas_and_extents([masks.compressed(one) for one in rles])
    extent = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], axis=1)
    extent[area == 0] = np.nan
    return area, extent
