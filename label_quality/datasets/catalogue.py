"""The data sets that can be downloaded: addresses, sizes, checksums. All are the publishers' own addresses.

Sizes and SHA-256 are those that TensorFlow Datasets has on record for the same addresses (url_checksums/coco2017.txt and
lvis/checksums.tsv); COCO and LVIS themselves publish none. Only sets with labels are of use here: COCO's test sets have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

COCO = "http://images.cocodataset.org"  # no https: its certificate is for another name
_LVIS = "https://dl.fbaipublicfiles.com/LVIS"


@dataclass(frozen=True)
class Archive:
    """A zip file: its address, bytes and SHA-256 in hexadecimal."""

    url: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return urlsplit(self.url).path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class DataSet:
    """A data set. `member` is the annotation file in `annotations`; `pictures` has all its images, where there is such a file.

    `image_url` is where single images lie, by file name; every address in the annotation file has to start with `host`.
    """

    name: str
    title: str
    images: int
    labels: int
    annotations: Archive
    member: str
    pictures: Archive | None = None
    image_url: str | None = None
    host: str = COCO
    image_bytes: int = 163_000  # of one image on average, to say beforehand what a download takes

    def address(self, file_name: str, coco_url: str | None) -> str | None:
        """Where one image lies; None when the annotation file names an address that is not the data set's."""
        if self.image_url:
            return self.image_url + quote(file_name)
        return coco_url if coco_url and coco_url.startswith(f"{self.host}/") else None


def mirrored(url: str, mirror: str | None) -> str:
    """The same path below `mirror`, where one is given."""
    return url if mirror is None else mirror.rstrip("/") + urlsplit(url).path


_TRAINVAL = Archive(
    f"{COCO}/annotations/annotations_trainval2017.zip",
    252_907_541,
    "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
)

CATALOGUE = {
    one.name: one
    for one in (
        DataSet(
            name="coco-val2017",
            title="COCO 2017, validation: 80 categories, boxes and masks",
            images=5_000,
            labels=36_781,
            annotations=_TRAINVAL,
            member="annotations/instances_val2017.json",
            pictures=Archive(
                f"{COCO}/zips/val2017.zip",
                815_585_330,
                "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            ),
            image_url=f"{COCO}/val2017/",
        ),
        DataSet(
            name="coco-train2017",
            title="COCO 2017, training: 80 categories, boxes and masks",
            images=118_287,
            labels=860_001,
            annotations=_TRAINVAL,
            member="annotations/instances_train2017.json",
            pictures=Archive(
                f"{COCO}/zips/train2017.zip",
                19_336_861_798,
                "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            ),
            image_url=f"{COCO}/train2017/",
        ),
        DataSet(
            name="lvis-val",
            title="LVIS v1, validation: 1,203 categories on COCO's images, boxes and masks",
            images=19_809,
            labels=244_707,
            annotations=Archive(
                f"{_LVIS}/lvis_v1_val.json.zip",
                64_026_968,
                "5cae9a3c79aadb667550c2b5dcf7f4d86e059a41ec91ef690225b667e28e9ba5",
            ),
            member="lvis_v1_val.json",
        ),
    )
}
