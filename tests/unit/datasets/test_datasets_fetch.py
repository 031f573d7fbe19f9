"""One file over HTTP: cut, resumed, changed, wrong, too long; nothing unverified under the final name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from file_server import File, serving

from label_quality.datasets.fetch import DownloadError, fetch, session

BODY = np.random.default_rng(0).bytes(700_000)
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = (0.0, 0.0)  # two more tries
PIECE = 1 << 16  # bytes that are written at a time: what is cut off of one is lost


def get(server, target: Path, *, path="/file", verify=True, **more) -> int:
    """Fetches and returns the bytes that progress was told of, in sum."""
    told: list[int] = []
    known = {"size": len(BODY), "sha256": SHA} if verify else {}
    with session(1) as client:
        fetch(
            client,
            server.url + path,
            target,
            advance=told.append,
            pauses=QUICK,
            **{**known, **more},
        )
    return sum(told)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file"


ARRIVES = {
    "at once": (File(BODY), [None]),
    "cut once": (File(BODY, cuts=[4 * PIECE + 5]), [None, f"bytes={4 * PIECE}-"]),
    "cut more often than it is tried without progress": (
        File(BODY, cuts=[PIECE] * 6),
        [None, *(f"bytes={k * PIECE}-" for k in range(1, 7))],
    ),
    "cut at once, twice": (File(BODY, cuts=[0, 0]), [None, None, None]),
    "without ranges": (
        File(BODY, ranges=False, cuts=[4 * PIECE + 5]),
        [None, f"bytes={4 * PIECE}-"],
    ),
    "without an ETag": (File(BODY, etag=None, cuts=[4 * PIECE + 5]), [None, f"bytes={4 * PIECE}-"]),
    "without a length": (File(BODY, length=False), [None]),
    "without a length, cut": (File(BODY, length=False, cuts=[PIECE]), [None, f"bytes={PIECE}-"]),
    "busy": (File(BODY, statuses=[503, 429]), [None, None, None]),
}


@pytest.mark.parametrize("case", ARRIVES)
def test_arrives(case: str, target: Path) -> None:
    file, asked = ARRIVES[case]
    with serving({"/file": file}) as server:
        told = get(server, target)
        assert server.ranges("/file") == asked
    assert target.read_bytes() == BODY
    assert told == len(BODY)
    assert [p.name for p in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("etag", ['"1"', None])
def test_a_later_command_goes_on(etag: str | None, target: Path) -> None:
    with serving({"/file": File(BODY, etag=etag, cuts=[4 * PIECE + 5, 0, 0, 0])}) as server:
        with pytest.raises(DownloadError, match="262,144 bytes are kept"):
            get(server, target)
        assert not target.exists()
        del server.asked[:]
        assert get(server, target) == len(BODY)
        assert server.ranges("/file") == [f"bytes={4 * PIECE}-"]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("verify", [True, False])
def test_a_file_that_has_changed_meanwhile_is_fetched_anew(verify: bool, target: Path) -> None:
    files = {"/file": File(BODY[::-1], etag='"old"', cuts=[4 * PIECE + 5, 0, 0, 0])}
    with serving(files) as server:
        with pytest.raises(DownloadError):
            get(server, target, verify=verify)
        files["/file"] = File(BODY, etag='"new"')
        assert get(server, target, verify=verify) == len(BODY)
        assert len(server.asked) == 5  # the server said so: nothing had to be thrown away
    assert target.read_bytes() == BODY


def test_a_wrong_beginning_is_found_by_the_checksum_and_fetched_anew(target: Path) -> None:
    (target.parent / "file.part").write_bytes(bytes(1000))
    with serving({"/file": File(BODY)}) as server:
        assert get(server, target) == len(BODY)
        assert server.ranges("/file") == ["bytes=1000-", None]
    assert target.read_bytes() == BODY


def test_a_beginning_longer_than_the_file(target: Path) -> None:
    (target.parent / "file.part").write_bytes(bytes(len(BODY) + 5))
    with serving({"/file": File(BODY)}) as server:
        get(server, target)
    assert target.read_bytes() == BODY


def test_without_checksum_or_mark_nothing_is_pieced_together(target: Path) -> None:
    (target.parent / "file.part").write_bytes(bytes(1000))
    with serving({"/file": File(BODY, etag='W/"weak"')}) as server:
        get(server, target, verify=False)
        assert server.ranges("/file") == [None]
    assert target.read_bytes() == BODY


FAILS = {
    "wrong checksum": (File(BODY), {"sha256": "0" * 64}, "its SHA-256 is"),
    "wrong size": (File(BODY), {"size": 5}, "700,000 bytes instead of 5"),
    "too short": (File(BODY[:-1], length=False), {}, "699,999 bytes instead of 700,000|kept"),
    "too long": (File(BODY, length=False), {"size": 1000}, "more than 1,000 bytes"),
    "unbounded": (File(BODY), {"size": None, "most": 10, "sha256": None}, "more than 10 bytes"),
    "missing": (File(BODY, statuses=[404]), {}, "answers 404"),
    "forbidden": (File(BODY, statuses=[403]), {}, "answers 403"),
    "always busy": (File(BODY, statuses=[503] * 9), {}, "answers 503"),
    "cut for good": (File(BODY, cuts=[0] * 9), {}, "0 bytes are kept"),
    "another part": (File(BODY, cuts=[PIECE], wrong_range=True), {}, "another part"),
}


@pytest.mark.parametrize("case", FAILS)
def test_fails_in_plain_words(case: str, target: Path) -> None:
    file, known, words = FAILS[case]
    with serving({"/file": file}) as server, pytest.raises(DownloadError, match=words) as raised:
        get(server, target, **known)
    assert "/file" in str(raised.value)
    assert not target.exists()


def test_a_wrong_checksum_leaves_nothing_behind(target: Path) -> None:
    with serving({"/file": File(BODY)}) as server, pytest.raises(DownloadError, match="deleted"):
        get(server, target, sha256="0" * 64)
    assert list(target.parent.iterdir()) == []


def test_what_is_there_and_right_is_not_fetched_again(target: Path) -> None:
    target.write_bytes(BODY)
    with serving({}) as server:
        assert get(server, target) == len(BODY)
        assert server.asked == []


def test_what_is_there_and_wrong_is_fetched(target: Path) -> None:
    target.write_bytes(BODY[:-1] + b"x")
    with serving({"/file": File(BODY)}) as server:
        get(server, target)
    assert target.read_bytes() == BODY


def test_nobody_there(target: Path) -> None:
    with serving({}) as server:
        pass
    with pytest.raises(DownloadError, match="refuses the connection"):
        get(server, target)


def test_no_room(target: Path) -> None:
    with serving({"/file": File(BODY)}) as server:
        with pytest.raises(DownloadError, match="GB are needed"):
            get(server, target, size=10**18)
        assert server.asked == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc on this machine")
def test_a_folder_that_cannot_be_written() -> None:
    # /proc takes no files, not even from root.
    with serving({"/file": File(BODY)}) as server, pytest.raises(OSError):
        get(server, Path("/proc/label_quality/file"))
