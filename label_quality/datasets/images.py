"""Fetches images one by one, each verified by its length and by decoding it. Failures are gathered, not hidden."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from PIL import Image

from label_quality.datasets.fetch import PAUSES, DownloadError, fetch, session

_THREADS = 8
MAX_BYTES = 64 << 20
_GIVE_UP = 5  # images in a row of which none came: the server is gone


def fetch_images(
    wanted: Sequence[tuple[str, Path]],
    advance: Callable[[int], None],
    pauses: tuple[float, ...] = PAUSES,
) -> None:
    """Fetches pairs of address and file, those that are not there yet. Files appear whole and verified, or not at all.

    Raises DownloadError that says how many failed and why; the others are there.
    """
    missing = [(url, target) for url, target in wanted if not target.exists()]
    advance(len(wanted) - len(missing))
    failures: list[str] = []
    gone = threading.Event()

    def one(place: tuple[str, Path]) -> str | None:
        return None if gone.is_set() else _fetch(client, *place, pauses)

    with session(_THREADS) as client, ThreadPoolExecutor(_THREADS) as pool:
        in_a_row = 0
        for error in pool.map(one, missing):
            in_a_row = in_a_row + 1 if error else 0
            if error:
                failures.append(error)
            elif not gone.is_set():
                advance(1)
            if in_a_row >= _GIVE_UP:
                gone.set()
    if failures:
        here = sum(target.exists() for _, target in wanted)
        raise DownloadError(
            f"{here:,} of {len(wanted):,} images are there; the same command fetches the others. The first failure: {failures[0]}"
        )


def _fetch(
    client: requests.Session, url: str, target: Path, pauses: tuple[float, ...]
) -> str | None:
    """None, or why it failed. OSError stops everything: the disk will not take the next image either."""
    arrived = target.with_name(f".{target.name}.unverified")
    try:
        fetch(client, url, arrived, most=MAX_BYTES, pauses=pauses)
        if fault := _undecodable(arrived):
            arrived.unlink()
            return f"{url}: {fault}"
    except DownloadError as error:
        return str(error)
    arrived.replace(target)
    return None


def _undecodable(path: Path) -> str | None:
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image.load()
    except (
        Exception
    ) as error:  # Pillow's plugins raise whatever their format makes them stumble over
        text = str(error).replace(str(path), "").splitlines()
        return f"what was received cannot be decoded ({text[0] if text else type(error).__name__})"
    return None
