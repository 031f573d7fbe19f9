"""Names that become parts of paths: batches, runs and models. Nothing here touches the disk.

A batch name is a file name and a Dagster partition key at once, so it is held to letters, digits, ``.``, ``_`` and
``-``: no separator, no comma, no leading dot (which the store keeps for itself).
"""

from __future__ import annotations

import re
import unicodedata

from label_quality.store.errors import StoreError

MAX_LENGTH = 100
_BATCH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_RUN = re.compile(r"[A-Za-z0-9_-]+")  # no dot: it parts the run from the attempt in a file's name


def batch_name(text: str) -> str:
    """A batch name made from any text, such as a folder's name; a valid name stays as it is.

    Raises StoreError when no letter or digit is left to make a name from.
    """
    if is_batch_name(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._")[:MAX_LENGTH].rstrip("._")
    if not re.search(r"[A-Za-z0-9]", name):
        raise StoreError(f"{text!r} holds no letter or digit to name a batch by")
    return name


def is_batch_name(text: str) -> bool:
    """Whether `text` can be a batch's name as it stands."""
    return len(text) <= MAX_LENGTH and _BATCH.fullmatch(text) is not None


def check_batch(text: str) -> str:
    """`text`, when it is a valid batch name; StoreError otherwise."""
    if not is_batch_name(text):
        raise StoreError(
            f"{text!r} is not a batch name: letters, digits, '.', '_' and '-', not starting with a dot, "
            f"at most {MAX_LENGTH} of them"
        )
    return text


def check_run(text: str) -> str:
    """`text`, when it is a valid run id; StoreError otherwise."""
    if len(text) > MAX_LENGTH or _RUN.fullmatch(text) is None:
        raise StoreError(f"{text!r} is not a run id: letters, digits, '_' and '-'")
    return text


def check_model(text: str) -> str:
    """`text`, when it can name a model: some printable text without ``=`` or a path separator; StoreError otherwise."""
    if (
        not text.strip()
        or not text.isprintable()
        or len(text) > MAX_LENGTH
        or set(text) & set("=/\\")
    ):
        raise StoreError(
            f"{text!r} is not a model's name: printable text without '=', '/' and '\\'"
        )
    return text
