"""Text from the data as XML can hold it. Escaping is the writers' own."""

from __future__ import annotations

import re

# What XML 1.0 forbids, also as a character reference (its production "Char").
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """`text` with U+FFFD for each character that no XML document may hold: else a reader would refuse the whole file."""
    return _FORBIDDEN.sub("\ufffd", text)
