"""What can go wrong with a model, in two kinds: the user's mistake, and something that is not here."""

from __future__ import annotations

from label_quality.settings import SettingsError


class ModelError(SettingsError):
    """A model file, its builder or its weights are wrong; the message is for the user, and ends the run."""


class ModelAbsent(Exception):
    """torch, a library or weights are not here; the message says so in a sentence. The rest of the pipeline goes on."""
