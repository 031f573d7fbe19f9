"""Reads JSON text record by record, with the place of each record in the text. What a record means is not known here.

The standard library's scanner reads NaN and Infinity, which occur in the wild, and tells where a value ends, so the
text of a record is known to the letter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from label_quality.coco.errors import UnreadableFile

_BLANK = re.compile(r"[ \t\n\r]*")
_MAX_DIGITS = 400


class Twice(dict[str, Any]):
    """An object in which a key stands twice; `keys_twice` are those keys, in order."""

    keys_twice: list[str]


class Place(NamedTuple):
    """Where a text comes from, so that an error can say where in the file it is."""

    file: str
    line: int = 1
    column: int = 1

    def error(self, text: str, at: int, what: str) -> UnreadableFile:
        """The error for the character `at` of `text`."""
        breaks = text.count("\n", 0, at)
        column = at - text.rfind("\n", 0, at) if breaks else at + self.column
        return UnreadableFile(f"{self.file}, line {self.line + breaks}, column {column}: {what}")


class Span(NamedTuple):
    """A value and the characters it takes: ``text[start:end]``."""

    value: Any
    start: int
    end: int


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = Twice(found)
    keys = [key for key, _ in pairs]
    twice.keys_twice = [key for key in found if keys.count(key) > 1]
    return twice


def _short_int(digits: str) -> int | float:
    # Python refuses integers of thousands of digits; no field takes one, and infinity is turned down like it.
    return (
        int(digits)
        if len(digits) <= _MAX_DIGITS
        else math.copysign(math.inf, float(digits[:2] + "0"))
    )


_Scan = Callable[[str, int], tuple[Any, int]]
# The attribute is as old as the module, and what the documented raw_decode calls; it gives the place of an error.
_scan: _Scan = json.JSONDecoder(object_pairs_hook=_object).scan_once  # type: ignore[attr-defined]
_scan_long: _Scan = json.JSONDecoder(  # type: ignore[attr-defined]
    object_pairs_hook=_object, parse_int=_short_int
).scan_once


def skip_blank(text: str, at: int) -> int:
    """The first character at or after `at` that is not white space."""
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]


def _here(text: str, at: int) -> str:
    if at >= len(text):
        return "the file ends here, in the middle of its JSON (was it cut off?)"
    return f"unexpected {text[at : at + 12]!r}"


def value_at(text: str, at: int, place: Place) -> Span:
    """The JSON value that starts at `at`. Raises `UnreadableFile` where there is none."""
    try:
        try:
            value, end = _scan(text, at)
        except json.JSONDecodeError:
            raise
        except ValueError:
            value, end = _scan_long(text, at)
    except StopIteration as stop:
        raise place.error(text, stop.value, _here(text, stop.value)) from None
    except json.JSONDecodeError as bad:
        what = _here(text, bad.pos)
        if "nterminated string" in bad.msg:
            what = "this text has no closing quote: the file ends inside it (was it cut off?)"
        elif bad.pos < len(text):
            what = f"{bad.msg[0].lower()}{bad.msg[1:]}: {what}"
        raise place.error(text, bad.pos, what) from None
    except RecursionError:
        raise place.error(text, at, "the value that starts here is nested too deeply") from None
    return Span(value, at, end)


def _key_at(text: str, at: int, place: Place) -> tuple[str, int]:
    if at >= len(text) or text[at] != '"':
        raise place.error(text, at, f"a key in quotes should stand here: {_here(text, at)}")
    key: str = value_at(text, at, place).value
    end = skip_blank(text, scanstring(text, at + 1)[1])
    if end >= len(text) or text[end] != ":":
        raise place.error(text, end, f"a colon should stand here: {_here(text, end)}")
    return key, skip_blank(text, end + 1)


def _separator(text: str, at: int, closing: str, place: Place) -> tuple[int, bool]:
    """After a value: the start of the next one and False, or the character after the closing bracket and True."""
    at = skip_blank(text, at)
    if at < len(text) and text[at] == closing:
        return at + 1, True
    if at >= len(text) or text[at] != ",":
        raise place.error(text, at, f"a comma or {closing} should stand here: {_here(text, at)}")
    at = skip_blank(text, at + 1)
    if at < len(text) and text[at] == closing:
        raise place.error(text, at, f"a comma stands before this {closing}")
    return at, False


def elements(text: str, start: int, place: Place, *, whole: bool = False) -> Iterator[Span]:
    """The elements of the array whose bracket is at `start`. Raises `UnreadableFile`.

    If the array is the `whole` document, nothing but white space may stand after it.
    """
    at = skip_blank(text, start + 1)
    done = text[at : at + 1] == "]"
    at += done
    while not done:
        span = value_at(text, at, place)
        yield span
        at, done = _separator(text, span.end, "]", place)
    if whole:
        check_nothing_after(text, at, place)


def end_of_array(text: str, start: int, place: Place) -> int:
    """The character after the array whose bracket is at `start`. Raises `UnreadableFile`."""
    end = start + 1
    for span in elements(text, start, place):
        end = span.end
    return skip_blank(text, end) + 1


def members(
    text: str, start: int, place: Place, keep: tuple[str, ...] = ()
) -> Iterator[tuple[str, Span]]:
    """The members of the object whose brace is at `start`. Raises `UnreadableFile`.

    Arrays of the keys in `keep` are not built (they may be huge): their value is None.
    """
    at = skip_blank(text, start + 1)
    if at < len(text) and text[at] == "}":
        return
    done = False
    while not done:
        key, at = _key_at(text, at, place)
        if key in keep and at < len(text) and text[at] == "[":
            span = Span(None, at, end_of_array(text, at, place))
        else:
            span = value_at(text, at, place)
        yield key, span
        at, done = _separator(text, span.end, "}", place)


def member_text(text: str, start: int, key: str) -> str | None:
    """The text of the value of `key` in the object at `start`, which is known to be sound."""
    found = [span for name, span in members(text, start, Place("")) if name == key]
    return text[found[0].start : found[0].end] if found else None


def top_level(text: str, place: Place, keep: tuple[str, ...]) -> dict[str, Span]:
    """The members of the object that is the whole text. Raises `UnreadableFile`, also where a key of `keep` stands twice."""
    found: dict[str, Span] = {}
    start = skip_blank(text, 0)
    end = start
    for key, span in members(text, start, place, keep):
        if key in found and key in keep:
            raise place.error(text, span.start, f'the key "{key}" stands here a second time')
        found[key] = span
        end = span.end
    end = skip_blank(text, end if found else start + 1) + 1
    check_nothing_after(text, end, place)
    return found


def check_nothing_after(text: str, end: int, place: Place) -> None:
    """Raises `UnreadableFile` if anything but white space stands at or after `end`."""
    end = skip_blank(text, end)
    if end < len(text):
        raise place.error(text, end, f"the JSON ends before this: {_here(text, end)}")
