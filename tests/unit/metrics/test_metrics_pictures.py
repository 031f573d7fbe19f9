"""Metrics of pixels: formulas against the plain way, every kind of file, what cannot be read, and look-alikes."""

from __future__ import annotations

import colorsys
import io
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from helpers.measured import labels, measured, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from label_quality.metrics import picture as picture_module
from label_quality.metrics.neighbours import REACH, find_neighbours
from label_quality.metrics.picture import Picture, UnreadablePicture, decode
from label_quality.metrics.pixels import whole_pixels

RANDOM = np.random.default_rng(3)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(height: int, width: int, bands: int = 3) -> Image.Image:
    """Coarse noise in faint colours: what JPEG can keep, and RGB has room for."""
    small = RANDOM.integers(70, 190, (height // 8 + 1, width // 8 + 1, bands), dtype=np.uint8)
    image = Image.fromarray(small[..., 0] if bands == 1 else small)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def plain_energy(grey: np.ndarray) -> np.ndarray:
    """The squared 4-neighbour Laplacian of the inner pixels, the plain way."""
    g = grey.astype(np.float64)
    out = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    return np.asarray(out**2)


# Formulas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1 << 16, 64])  # the second works row by row
@pytest.mark.parametrize("size", [(37, 53), (3, 3), (2, 9), (9, 1), (1, 1)])
def test_sums_are_those_of_the_plain_way(
    size: tuple[int, int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_module, "_BLOCK", block)
    height, width = size
    grey = RANDOM.integers(0, 256, size, dtype=np.uint8)
    some = Picture(Image.fromarray(grey))
    assert some.grey_mean == pytest.approx(grey.mean())
    assert some.grey_deviation == pytest.approx(grey.std(), abs=1e-4)
    plain = plain_energy(grey)
    mean = plain.mean() if plain.size else np.nan
    assert some.laplacian_energy == pytest.approx(mean, rel=1e-5, nan_ok=True)
    x0, y0 = RANDOM.integers(0, width, 30), RANDOM.integers(0, height, 30)
    x1 = [RANDOM.integers(x + 1, width + 1) for x in x0]
    y1 = [RANDOM.integers(y + 1, height + 1) for y in y0]
    boxes = np.stack([x0, y0, x1, y1], axis=1)
    for which in (boxes, boxes[:3], boxes[:0]):  # asked for without having been announced
        means, energies = some.grey_means(which), some.laplacian_energies(which)
        for (a, b, c, d), found, energy in zip(which, means, energies, strict=True):
            assert found == pytest.approx(grey[b:d, a:c].mean())
            inside = plain[max(b - 1, 0) : d - 1, max(a - 1, 0) : c - 1]
            inside = inside[: max(min(d, height - 1) - max(b, 1), 0)]
            inside = inside[:, : max(min(c, width - 1) - max(a, 1), 0)]
            want = inside.mean() if inside.size else np.nan
            assert energy == pytest.approx(want, rel=1e-5, nan_ok=True)


def test_known_pictures() -> None:
    black, white = (Picture(Image.new("L", (64, 64), v)) for v in (0, 255))
    assert (black.grey_mean, white.grey_mean, white.grey_deviation) == (0, 255, 0)
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = 255
    assert Picture(Image.fromarray(half)).grey_deviation == pytest.approx(127.5)
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert Picture(Image.fromarray(board)).laplacian_energy == 1020**2


def test_a_blurred_picture_is_less_sharp_and_a_uniform_red_one_has_no_contrast() -> None:
    """Encord Active: contrast of a uniform red picture is 0.47, as it mixes the three colours."""
    sharp = Image.fromarray(RANDOM.integers(0, 256, (64, 64), dtype=np.uint8))
    blurred = sharp.resize((16, 16)).resize((64, 64))
    assert Picture(blurred).laplacian_energy < Picture(sharp).laplacian_energy / 10
    red = decode(encoded(Image.new("RGB", (64, 64), (255, 0, 0))))
    assert red.grey_deviation < 1e-3
    assert red.hue_shares.tolist() == [1, 0, 0]


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_hues(colour: tuple[int, int, int]) -> None:
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in colour))
    distance = [min(abs(360 * hue - h), 360 - abs(360 * hue - h)) for h in (0, 120, 240)]
    near = [d <= 30 and saturation >= 0.2 and value >= 0.15 for d in distance]
    edge = min(abs(saturation - 0.2), abs(value - 0.15), *(abs(d - 30) / 360 for d in distance))
    found = Picture(Image.new("RGB", (16, 16), colour)).hue_shares
    if edge > 0.005:
        assert found.tolist() == near


def test_shares_of_a_picture_in_three_colours() -> None:
    image = Image.new("RGB", (160, 80), (0, 0, 255))
    image.paste((200, 30, 30), (0, 0, 40, 80))
    image.paste((128, 128, 128), (40, 0, 80, 80))
    assert Picture(image).hue_shares.tolist() == [0.25, 0, 0.5]


# Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", [0, 2])
def test_grey_and_hue_of_a_jpeg_are_those_of_its_colours(subsampling: int) -> None:
    data = encoded(noise(120, 200), "JPEG", quality=90, subsampling=subsampling)
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    found = decode(data)
    assert np.array_equal(found.rgb, rgb)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(found.grey - luma).max() < 1
    assert found.grey_mean == pytest.approx(float(luma.mean()), abs=0.5)


GREY = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
SIXTEEN = GREY.astype(np.uint16) * 256 + 77


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (Image.fromarray(GREY), "PNG"),
        (Image.fromarray(GREY), "JPEG"),
        (Image.fromarray(SIXTEEN), "PNG"),
        (Image.fromarray(SIXTEEN), "TIFF"),
        (Image.fromarray(GREY).convert("RGB"), "PNG"),
        (Image.fromarray(GREY).convert("RGB"), "WEBP"),
        (Image.fromarray(GREY).convert("RGBA"), "PNG"),
        (Image.fromarray(GREY).convert("LA"), "PNG"),
        (Image.fromarray(GREY).convert("P"), "PNG"),
        (Image.fromarray(GREY).convert("CMYK"), "JPEG"),
        (Image.fromarray(GREY).convert("CMYK"), "TIFF"),
        (Image.fromarray(GREY.astype(np.int32) * 256), "TIFF"),
    ],
    ids=lambda v: v if isinstance(v, str) else v.mode,
)
def test_every_kind_of_pixels_becomes_the_same_grey(image: Image.Image, kind: str) -> None:
    found = decode(encoded(image, kind))
    assert np.abs(found.grey.astype(int) - GREY).max() <= 4
    assert found.hue_shares.tolist() == [0, 0, 0]


def test_transparency_is_left_out_and_one_bit_is_black_and_white() -> None:
    clear = Image.new("RGBA", (8, 8), (200, 200, 200, 0))
    assert decode(encoded(clear)).grey_mean == 200
    palette = Image.fromarray(GREY).convert("P")
    assert decode(encoded(palette, transparency=b"\0" * 256)).grey_mean == pytest.approx(126, abs=1)
    bits = Image.fromarray(GREY > 127)
    assert set(np.unique(decode(encoded(bits)).grey)) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(40, 90), "JPEG", exif=exif)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("L")
    found = decode(data, orientation).grey
    assert found.shape == (shown.height, shown.width)
    assert np.abs(found.astype(int) - np.asarray(shown)).max() <= 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the format is not known"),
        (b"no picture", "the format is not known"),
        (encoded(noise(80, 80), "JPEG")[:900], "truncated"),
        (encoded(noise(80, 80))[:3000], "truncated"),
        (encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "mode F"),
        (encoded(Image.fromarray(GREY.astype(np.int32) * 70000), "TIFF"), "more than 16 bits"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePicture, match=reason):
        decode(data)


def test_a_picture_that_is_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadablePicture, match="decompression bomb"):
        decode(encoded(Image.new("L", (100, 100))))


@given(
    st.lists(
        st.tuples(st.floats(-20, 60), st.floats(-20, 60), st.floats(0.1, 90), st.floats(0.1, 90)),
        max_size=5,
    )
)
def test_whole_pixels_of_a_box(boxes: list[tuple[float, ...]]) -> None:
    edges, filled = whole_pixels(np.array(boxes, dtype=np.float64).reshape(-1, 4), 50, 40)
    for (x, y, w, h), (left, top, right, bottom), some in zip(boxes, edges, filled, strict=True):
        touched = [
            sum(a < end and a + 1 > start for a in range(size))
            for start, end, size in ((x, x + w, 50), (y, y + h, 40))
        ]
        assert some == all(touched)
        if some:
            assert [right - left, bottom - top] == touched


# A batch --------------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    half = np.zeros((40, 60), np.uint8)
    half[:, 30:] = 200
    Image.fromarray(half).save(tmp_path / "1.png")
    noise(40, 60).save(tmp_path / "2.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes()[:2000])
    noise(40, 60).save(tmp_path / "5.png")
    states = {1: "ok", 2: "size_differs", 3: "ok", 4: "ok", 5: "unsafe_name"}
    images = [
        {"id": k, "width": 60, "height": 40, "file_name": f"{k}.png", "file_state": state}
        for k, state in states.items()
    ]
    boxes = [[0, 0, 30, 40], [30, 0, 30, 40], [15.5, 10, 29, 5], [70, 0, 5, 5]]
    drawn = [
        {"id": 10 * i["id"] + k, "image_id": i["id"], "category_id": 1, "bbox": box}
        for i in images
        for k, box in enumerate(boxes)
    ]
    con = measured(images, drawn, root=tmp_path)
    found, crops = pictures(con), labels(con)
    assert {k: r["pixels"] for k, r in found.items()} == {
        1: "measured",
        2: "measured",
        3: "unreadable",
        4: "unreadable",
        5: "skipped",
    }
    assert "truncated" in found[3]["pixels_reason"]
    assert found[4]["pixels_reason"] == "No such file or directory"
    assert found[5]["pixels_reason"] == "file_state is unsafe_name"
    assert found[1]["brightness"] == pytest.approx(100 / 255)
    assert found[1]["contrast"] == pytest.approx(100 / 255)
    values = ("brightness", "contrast", "sharpness", "red_share", "uniqueness", "perceptual_hash")
    assert all(found[k][v] is None for k in (3, 4, 5) for v in values)
    bright = [crops[10 + k]["brightness"] for k in range(4)]
    # pixels 15 to 44 of the third box; the fourth lies outside
    assert bright[:3] == pytest.approx([0, 200 / 255, 100 / 255]) and bright[3] is None
    assert all(c["brightness"] is None for k, c in crops.items() if k >= 20)
    assert crops[21]["area"] == 1200


def test_without_images_pixels_are_null_and_said_not_to_be_there() -> None:
    con = measured(
        [{"id": 1, "width": 60, "height": 40}],
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 30, 20]}],
    )
    found = pictures(con)[1]
    assert (found["pixels"], found["pixels_reason"], found["brightness"]) == (
        "no_images",
        None,
        None,
    )
    assert (found["uniqueness"], found["aspect_ratio"], found["object_count"]) == (None, 1.5, 1)
    assert labels(con)[1]["sharpness"] is None


def test_look_alikes_are_named(tmp_path: Path) -> None:
    first, other = noise(200, 300), noise(200, 300)
    first.save(tmp_path / "1.png")
    first.save(tmp_path / "2.jpg", quality=70)  # another format
    (tmp_path / "3.png").write_bytes((tmp_path / "1.png").read_bytes())
    other.save(tmp_path / "4.png")
    first.resize((150, 100)).save(tmp_path / "5.png")
    names = {1: "1.png", 2: "2.jpg", 3: "3.png", 4: "4.png", 5: "5.png"}
    images = [
        {"id": k, "width": 300, "height": 200, "file_name": n, "file_state": "ok"}
        for k, n in names.items()
    ]
    found = pictures(measured(images, [], root=tmp_path))
    assert [found[k]["duplicate_of"] for k in names] == [None, None, 1, None, None]
    assert found[1]["nearest_image_id"] in (2, 3) and found[3]["nearest_image_id"] == 1
    assert (found[1]["nearest_distance"], found[1]["uniqueness"]) == (0, 0)
    for k in (2, 5):
        assert found[k]["nearest_image_id"] in (1, 2, 3, 5)
        assert found[k]["uniqueness"] < 0.7
    assert (found[4]["nearest_image_id"], found[4]["uniqueness"]) == (None, 1)


def test_uniform_pictures_are_one_crowd_of_look_alikes(tmp_path: Path) -> None:
    for k in range(4):
        Image.new("L", (64, 64), 50 * k).save(tmp_path / f"{k}.png")
    images = [
        {"id": k, "width": 64, "height": 64, "file_name": f"{k}.png", "file_state": "ok"}
        for k in range(4)
    ]
    found = pictures(measured(images, [], root=tmp_path))
    assert {r["nearest_distance"] for k, r in found.items() if k} == {0}


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.sets(st.integers(0, 63), max_size=10)), max_size=12),
)
def test_neighbours_are_those_of_all_pairs(
    seeds: list[int], turned: list[tuple[int, set[int]]]
) -> None:
    hashes = [*seeds]
    for seed, bits in turned:
        hashes.append(seeds[seed % len(seeds)] ^ sum(1 << b for b in bits))
    con = duckdb.connect()
    con.execute("create table _pictures (image_id bigint, hash ubigint, content varchar)")
    con.executemany(
        "insert into _pictures values (?, ?, ?)", [(k, h, str(k)) for k, h in enumerate(hashes)]
    )
    find_neighbours(con)
    found = {r[0]: r[1:3] for r in con.execute("from _neighbours").fetchall()}
    for k, h in enumerate(hashes):
        near = [((h ^ o).bit_count(), j) for j, o in enumerate(hashes) if j != k]
        best = min((n for n in near if n[0] <= REACH), default=(None, None))
        assert found[k] == (best[1], best[0])


# Objects of an image --------------------------------------------------------------------------------------------


BOXES = st.lists(
    st.tuples(st.integers(-3, 12), st.integers(-3, 12), st.integers(1, 9), st.integers(1, 9)),
    max_size=9,
)


@settings(max_examples=10)
@given(st.lists(BOXES, min_size=10, max_size=10))
def test_density_is_the_union_of_boxes(of_images: list[list[tuple[int, int, int, int]]]) -> None:
    """Boxes that lie on one another do not count twice."""
    grids, drawn = [np.zeros((10, 12), bool) for _ in of_images], []
    for image, boxes in enumerate(of_images):
        for x, y, w, h in boxes:
            grids[image][max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
            box = {"image_id": image, "category_id": 1, "bbox": [x, y, w, h]}
            drawn.append({"id": len(drawn), **box})
    images = [{"id": k, "width": 12, "height": 10} for k in range(len(of_images))]
    found = pictures(measured(images, drawn))
    assert [found[k]["object_density"] for k in found] == pytest.approx(
        [grids[k].mean() for k in found]
    )
    assert [found[k]["object_count"] for k in range(len(images))] == [len(b) for b in of_images]
