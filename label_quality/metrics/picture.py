"""A decoded picture and what metrics ask of it: every value is computed once, when it is first asked for.

Decoding stands here too, with what is done about EXIF, palettes, 16 bits and the like. Which files are opened, and what is
made of the values, is ``pixels``' matter.
"""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE = 4096  # pixels whose hue is looked at, roughly
_HASH = 32  # side of the picture that is hashed
_LOW = 8  # lowest frequencies in each direction that go into the hash
_MIDDLE = 128  # taken off grey values, so that their squares stay small
_BLOCK = 1 << 16  # pixels that are worked on at once
_ROWS = (
    255  # of a block at most: a column of 255 values of -128 to 127 adds up to a number of 16 bits
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadablePicture(ValueError):
    """A file whose pixels cannot be had; the message is the reason, for a table."""


def decode(data: bytes, orientation: int | None = None) -> Picture:
    """The picture in the bytes of a file, turned as its EXIF `orientation` (1 to 8) says.

    Of 16 bits the upper 8 count; transparency is left out, as detectors leave it out; of several frames the first is taken.
    Raises UnreadablePicture.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.load()
            image = _plain(opened)
    except UnreadablePicture:
        raise
    except UnidentifiedImageError:
        raise UnreadablePicture("the format is not known") from None
    except Exception as error:  # Pillow's plugins raise whatever makes them stumble
        text = str(error).splitlines()
        raise UnreadablePicture(text[0] if text else type(error).__name__) from None
    turn = _TURNS.get(orientation or 1)
    return Picture(image if turn is None else image.transpose(turn))


def _plain(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB."""
    mode = image.mode
    if mode in ("L", "RGB"):
        return image
    if mode.startswith("I"):
        return _upper_bits(np.asarray(image))
    if mode in ("1", "LA", "La"):
        return image.convert("L")
    if mode == "PA" or (mode == "P" and "transparency" in image.info):
        return image.convert("RGBA").convert("RGB")
    if mode in ("P", "RGBA", "RGBa", "RGBX", "CMYK", "HSV", "YCbCr"):
        return image.convert("RGB")
    raise UnreadablePicture(f"pixels of mode {mode} have no known range")


def _upper_bits(values: NDArray[np.generic]) -> Image.Image:
    numbers = values.astype(np.int64)
    if numbers.size and (numbers.min() < 0 or numbers.max() > 65535):
        raise UnreadablePicture("pixels of more than 16 bits have no known range")
    return Image.fromarray((numbers >> 8).astype(np.uint8))


class Picture:
    """One picture as displayed. Boxes are int64 (n, 4): left, top, right, bottom, whole pixels inside the picture."""

    def __init__(self, image: Image.Image) -> None:
        """`image` is of mode L or RGB."""
        self.image = image
        self.width, self.height = image.size
        self._boxes: NDArray[np.int64] = np.array([[0, 0, self.width, self.height]])

    def expect(self, boxes: NDArray[np.int64]) -> None:
        """Say which boxes will be asked for, so that the sums over all of them are made at once."""
        self._boxes = np.concatenate([self._boxes[:1], boxes])
        self.__dict__.pop("_sums_of_all", None)

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """Red, green and blue, (height, width, 3)."""
        return np.asarray(self.image.convert("RGB"))

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Luma (ITU-R 601), (height, width)."""
        return _array(self.image.convert("L"))

    @cached_property
    def grey_mean(self) -> float:
        """Mean of the grey values, 0 to 255."""
        return float(self._sums_of_all[0][0, 0]) / self.grey.size

    @cached_property
    def grey_deviation(self) -> float:
        """Standard deviation of the grey values, 0 to 127.5."""
        mean_square = self._sums_of_all[1] / self.grey.size
        return float(np.sqrt(max(mean_square - (self.grey_mean - _MIDDLE) ** 2, 0.0)))

    @cached_property
    def hue_shares(self) -> NDArray[np.float64]:
        """Shares of the picture that are red, green and blue, see ``image/colour.py``; (3,), 0 to 1."""
        if self.image.mode == "L":
            return np.zeros(3)
        step = max(1, int(np.sqrt(self.width * self.height / _SAMPLE)))
        sample = _every(_array(self.image), step)
        red, green, blue = np.ascontiguousarray(sample.reshape(-1, 3).T).astype(np.int16)
        largest = np.maximum(np.maximum(red, green), blue)
        spread = largest - np.minimum(np.minimum(red, green), blue)
        coloured = (5 * spread >= largest) & (largest >= 0.15 * 255)  # saturation and value
        # hue - 120° × band = 60° × (one other - the next) / spread, where the band is the largest
        near = [
            (band == largest) & (2 * np.abs(one - two) <= spread) & coloured
            for band, one, two in ((red, green, blue), (green, blue, red), (blue, red, green))
        ]
        return np.asarray(np.array([np.count_nonzero(one) for one in near]) / largest.size)

    @cached_property
    def perceptual_hash(self) -> int:
        """64 bits: which of the 64 lowest frequencies of the 32 × 32 grey picture are above their median (pHash).

        The constant term is left out of the median, as it says only how light the picture is. Of a high picture, four rows
        or more go into each of the 32.
        """
        rows = Image.fromarray(self.grey[:: max(1, self.height // (4 * _HASH))])
        tiny = np.asarray(rows.resize((_HASH, _HASH), Image.Resampling.BOX), dtype=np.float64)
        # What rounding leaves of a uniform picture is no frequency.
        waves = np.round(_COSINES @ tiny @ _COSINES.T, 6).ravel()
        median = np.sort(waves[1:])[len(waves) // 2 - 1]
        return int.from_bytes(np.packbits(waves > median).tobytes(), "big")

    @property
    def laplacian_energy(self) -> float:
        """Mean square of the 4-neighbour Laplacian; NaN where the picture has no inner pixel."""
        return float(self._energies(self._boxes[:1], self._box_sums[:1])[0])

    def grey_means(self, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean grey value of each box, 0 to 255."""
        sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return np.asarray(self._sums(boxes)[:, 0] / sizes)

    def laplacian_energies(self, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean square of the Laplacian in each box, of the pixels that have all four neighbours; NaN without any."""
        return self._energies(boxes, self._sums(boxes))

    def _energies(self, boxes: NDArray[np.int64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = np.minimum(boxes[:, 2], self.width - 1) - np.maximum(boxes[:, 0], 1)
        high = np.minimum(boxes[:, 3], self.height - 1) - np.maximum(boxes[:, 1], 1)
        count = np.where((wide > 0) & (high > 0), wide * high, np.nan)
        return np.asarray(sums[:, 1] / count)

    def _sums(self, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sums over each box of grey and of the squared Laplacian, (n, 2)."""
        if not np.array_equal(self._boxes[1:], boxes):
            self.expect(boxes)
        return self._box_sums[1:]

    @property
    def _box_sums(self) -> NDArray[np.float64]:
        return self._sums_of_all[0]

    @cached_property
    def _sums_of_all(self) -> tuple[NDArray[np.float64], float]:
        """Sums of grey and of the squared Laplacian over the picture and each box that is expected, (1 + n, 2).

        And the sum of (grey - 128)² over the picture. The first from an integral image of the cells that the edges of all
        boxes cut the picture into. Sums of a column of a block are exact; what is added up is held in float64.
        """
        boxes, width = self._boxes, self.width
        rows, columns = np.unique(boxes[:, [1, 3]]), np.unique(boxes[:, [0, 2]])
        strips = np.zeros((len(rows) - 1, 2, width), np.float32)
        squares = 0.0
        step = min(max(1, _BLOCK // width), _ROWS)
        # Made once: fresh memory of this size costs as much as the arithmetic.
        integers = np.empty((3, (step + 2) * width), np.int16)
        reals = np.empty(step * width, np.float32)
        for start in range(0, self.height, step):
            end = min(start + step, self.height)
            grey, laplacian = self._block(start, end, integers)
            real = reals[: grey.size].reshape(grey.shape)
            real[...] = grey
            squares += float(np.dot(real.ravel(), real.ravel()))
            real[...] = laplacian
            first, last = np.searchsorted(rows, (start, end - 1), side="right") - 1
            for strip in range(first, last + 1):
                top, behind = max(int(rows[strip]), start), min(int(rows[strip + 1]), end)
                part = slice(top - start, behind - start)
                strips[strip, 0] += np.add.reduce(grey[part], axis=0, dtype=np.int16)
                strips[strip, 1] += np.einsum("ij,ij->j", real[part], real[part])
        table = np.zeros((len(rows), 2, len(columns)))
        table[1:, :, 1:] = np.add.reduceat(strips, columns[:-1], axis=2, dtype=np.float64)
        np.cumsum(table, axis=0, out=table)
        np.cumsum(table, axis=2, out=table)
        above, below = np.searchsorted(rows, boxes[:, 1]), np.searchsorted(rows, boxes[:, 3])
        left, right = np.searchsorted(columns, boxes[:, 0]), np.searchsorted(columns, boxes[:, 2])
        sums = table[below, :, right] - table[above, :, right] - table[below, :, left]
        sums += table[above, :, left]
        sums[:, 0] += _MIDDLE * (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return sums, squares

    def _block(
        self, start: int, end: int, memory: NDArray[np.int16]
    ) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Some rows of grey - 128 and of the Laplacian, (rows, width); that is 0 at the border of the picture.

        In 16 bits, which hold both: twice as many numbers at once as in 32.
        """
        width, above, below = self.width, min(start, 1), min(self.height - end, 1)
        rows = end - start
        size = (rows + above + below) * width
        grey, laplacian, part = memory[0, :size], memory[1, : rows * width], memory[2]
        np.subtract(
            self.grey[start - above : end + below].ravel(),
            np.int16(_MIDDLE),
            out=grey,
            dtype=np.int16,
        )
        laplacian[...] = 0
        if size > 2 * width and width > 2:
            # As one long row: what runs over from the end of one row into the next stands in the columns of the border.
            some = laplacian[(1 - above) * width : (rows - 1 + below) * width]
            centre = grey[width:-width]
            np.add(grey[: -2 * width], grey[2 * width :], out=some)
            some[1:] += centre[:-1]
            some[:-1] += centre[1:]
            some -= np.multiply(centre, 4, out=part[: len(centre)])
            laplacian[::width] = laplacian[width - 1 :: width] = 0
        own = grey[above * width : (above + rows) * width]
        return own.reshape(rows, width), laplacian.reshape(rows, width)


def _every(pixels: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Every so many-th pixel of every so many-th row, (rows, columns, 3)."""
    if pixels.shape[2] == 4:  # four bytes as one number: several times as fast
        some = pixels.view(np.uint32)[step // 2 :: step, step // 2 :: step].copy()
        pixels = some.view(np.uint8)
    else:
        pixels = pixels[step // 2 :: step, step // 2 :: step]
    return np.ascontiguousarray(pixels[..., :3])


def _array(image: Image.Image) -> NDArray[np.uint8]:
    """The bytes of an image, (height, width) of mode L, else (height, width, 3 or 4). Without a copy where Pillow allows it."""
    try:
        buffers = pa.array(image).buffers()
    except (
        ValueError,
        TypeError,
        pa.ArrowException,
    ):  # in several blocks of memory, or an older Pillow
        return np.asarray(image)
    bands = 1 if image.mode == "L" else 4
    flat = np.frombuffer(buffers[-1], np.uint8, image.width * image.height * bands)
    return flat.reshape((image.height, image.width, bands)[: 2 if bands == 1 else 3])


def _cosines() -> NDArray[np.float64]:
    """The lowest `_LOW` rows of the discrete cosine transform (type II) of `_HASH` values."""
    place = np.arange(_HASH) + 0.5
    return np.asarray(np.cos(np.pi / _HASH * np.outer(np.arange(_LOW), place)))


_COSINES = _cosines()
