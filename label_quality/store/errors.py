"""The errors of the store: one clear sentence each, meant for the person who made the call."""

from __future__ import annotations


class StoreError(Exception):
    """A user's mistake or a damaged store, told in one clear sentence."""


class BatchBusy(StoreError):
    """Another run holds the lock of the batch."""
