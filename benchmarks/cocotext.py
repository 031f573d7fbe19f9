"""JSON text of COCO records, built in bulk from the arrays of `scenes`.

Numbers come from tables of ready strings (a coordinate has 64,001 possible values, a score
100,001), so a chunk is one array of pieces and one join. Key order and number format are those of
COCO's own files; results look as `json.dump` writes them. No randomness here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scenes import Crowds, Detections, Ints, Labels

Strings = npt.NDArray[np.object_]

# COCO's 80 categories as (id, supercategory, name): the ids have gaps.
_CATEGORIES = """
1 person:person|2 vehicle:bicycle|3 vehicle:car|4 vehicle:motorcycle|5 vehicle:airplane
6 vehicle:bus|7 vehicle:train|8 vehicle:truck|9 vehicle:boat|10 outdoor:traffic light
11 outdoor:fire hydrant|13 outdoor:stop sign|14 outdoor:parking meter|15 outdoor:bench
16 animal:bird|17 animal:cat|18 animal:dog|19 animal:horse|20 animal:sheep|21 animal:cow
22 animal:elephant|23 animal:bear|24 animal:zebra|25 animal:giraffe|27 accessory:backpack
28 accessory:umbrella|31 accessory:handbag|32 accessory:tie|33 accessory:suitcase
34 sports:frisbee|35 sports:skis|36 sports:snowboard|37 sports:sports ball|38 sports:kite
39 sports:baseball bat|40 sports:baseball glove|41 sports:skateboard|42 sports:surfboard
43 sports:tennis racket|44 kitchen:bottle|46 kitchen:wine glass|47 kitchen:cup
48 kitchen:fork|49 kitchen:knife|50 kitchen:spoon|51 kitchen:bowl|52 food:banana
53 food:apple|54 food:sandwich|55 food:orange|56 food:broccoli|57 food:carrot
58 food:hot dog|59 food:pizza|60 food:donut|61 food:cake|62 furniture:chair
63 furniture:couch|64 furniture:potted plant|65 furniture:bed|67 furniture:dining table
70 furniture:toilet|72 electronic:tv|73 electronic:laptop|74 electronic:mouse
75 electronic:remote|76 electronic:keyboard|77 electronic:cell phone
78 appliance:microwave|79 appliance:oven|80 appliance:toaster|81 appliance:sink
82 appliance:refrigerator|84 indoor:book|85 indoor:clock|86 indoor:vase
87 indoor:scissors|88 indoor:teddy bear|89 indoor:hair drier|90 indoor:toothbrush
"""
CATEGORIES: list[tuple[int, str, str]] = [
    (int(head.split(" ")[0]), head.split(" ")[1], name)
    for head, name in (e.split(":") for e in _CATEGORIES.strip().replace("\n", "|").split("|"))
]
CATEGORY_IDS: Ints = np.array([c[0] for c in CATEGORIES], dtype=np.int64)


@cache
def _numbers(count: int, divisor: int, prefix: str, suffix: str) -> Strings:
    """Strings of 0..count-1 over `divisor`, as Python writes floats."""
    return np.array([f"{prefix}{i / divisor!r}{suffix}" for i in range(count)], dtype=object)


def _pixels(hundredths: Ints, suffix: str) -> Strings:
    """Strings of coordinates in hundredths of a pixel (0..64000)."""
    return np.asarray(_numbers(64001, 100, "", suffix)[hundredths])


def image_records(ids: Ints, width: Ints, height: Ints, folder: str) -> list[str]:
    """Records of `images`, a comma after each."""
    return [
        f'{{"license": {i % 8 + 1},"file_name": "{i:012d}.jpg",'
        f'"coco_url": "http://images.example.org/{folder}/{i:012d}.jpg",'
        f'"height": {h},"width": {w},"date_captured": "2013-11-{i % 28 + 1:02d} '
        f'{i % 24:02d}:{i % 60:02d}:{i % 59:02d}","flickr_url": '
        f'"http://photos.example.org/{i % 9973}/{i * 7919 % 10**10:010d}_{i * 65537:010x}_z.jpg",'
        f'"id": {i}}},'
        for i, w, h in zip(ids.tolist(), width.tolist(), height.tolist(), strict=True)
    ]


def label_records(labels: Labels, image_ids: Ints, ids: Ints) -> list[str]:
    """Pieces of the annotation records with polygons, a comma after each; join them with "".

    `image_ids` (n,) and `ids` (n,) belong to the rows of `labels`; rows not written are skipped.
    """
    lines = labels.polygons
    flat = lines.points.ravel()
    parts, sizes = len(lines.part_label), 2 * np.diff(lines.part_start)
    part_of = np.repeat(np.arange(parts), sizes)
    pieces = np.empty(len(flat) + 2 * parts, dtype=object)
    # Every part is a head, its coordinates and a tail, so coordinate c of part p is at c + 2p + 1.
    where = np.arange(len(flat)) + 2 * part_of + 1
    pieces[where] = _pixels(flat, ",")
    last = 2 * lines.part_start[1:] - 1
    pieces[where[last]] = _pixels(flat[last], "]")
    label = lines.part_label
    opens = np.diff(label, prepend=-1) != 0
    closes = np.diff(label, append=-1) != 0
    pieces[where[2 * lines.part_start[:-1]] - 1] = np.where(opens, '{"segmentation": [[', ",[")
    x, y, w, h = (_pixels(labels.box[:, k], s) for k, s in enumerate((",", ",", ",", "]")))
    columns = (labels.area, image_ids, x, y, w, h, CATEGORY_IDS[labels.category], ids)
    tails = np.array(
        [
            f'],"area": {area!r},"iscrowd": 0,"image_id": {i},"bbox": [{bx}{by}{bw}{bh},'
            f'"category_id": {c},"id": {k}}},'
            for area, i, bx, by, bw, bh, c, k in zip(*(v.tolist() for v in columns), strict=True)
        ],
        dtype=object,
    )
    pieces[where[last] + 1] = ""
    pieces[where[last[closes]] + 1] = tails
    keep = np.repeat(labels.written[label], sizes + 2)
    return list(pieces[keep])


def crowd_records(crowds: Crowds, sizes: Ints, image_ids: Ints, ids: Ints) -> list[str]:
    """Crowd records with uncompressed RLE, a comma after each. `sizes` (n, 2) is height, width."""
    counts, start = [str(c) for c in crowds.counts.tolist()], crowds.start.tolist()
    columns = (crowds.area, image_ids, crowds.box, CATEGORY_IDS[crowds.category], ids, sizes)
    rows: Any = zip(start, start[1:], *(v.tolist() for v in columns), strict=False)
    return [
        f'{{"segmentation": {{"counts": [{",".join(counts[a:b])}],"size": [{hw[0]},{hw[1]}]}},'
        f'"area": {area},"iscrowd": 1,"image_id": {i},"bbox": [{",".join(map(str, box))}],'
        f'"category_id": {c},"id": {k}}},'
        for a, b, area, i, box, c, k, hw in rows
    ]


def detection_records(
    found: Detections, image_ids: Ints, masks: Strings | None = None
) -> list[str]:
    """Pieces of the results records, ", " after each. `image_ids` (n,) by row; `masks` (n,) JSON
    values for `segmentation`, if any."""
    wide = 9 if masks is None else 10
    pieces = np.empty((len(found.image), wide), dtype=object)
    kinds = np.array([f', "category_id": {c[0]}, "bbox": [' for c in CATEGORIES], dtype=object)
    pieces[:, 0] = '{"image_id": '
    pieces[:, 1] = image_ids.astype(str)
    pieces[:, 2] = kinds[found.category]
    for k, suffix in enumerate((", ", ", ", ", ", '], "score": ')):
        pieces[:, 3 + k] = _pixels(found.box[:, k], suffix)
    pieces[:, 7] = _numbers(100001, 100000, "", "")[found.score]
    if masks is not None:
        pieces[:, 8] = ', "segmentation": ' + masks
    pieces[:, -1] = "}, "
    return list(pieces.ravel())
