"""What the readers raise. No reading here."""

from __future__ import annotations


class UnreadableFile(ValueError):
    """A file that cannot be read at all; the message names the file, the place and what is wrong there."""


class Refused(ValueError):
    """The fast reader will not vouch for this file: the tolerant reader has to look at every record."""
