"""Calibrations: what turns scores into probabilities, kept as files that are never changed. How one is fitted is not known here.

``calibrations/<version>.json`` has a hash of its content for a name, so what it says of probabilities never changes;
``calibrations/latest.json`` names the one that counts, and replacing it is the commit. A file that nothing names does no harm: a
killed run left it.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import msgspec

from label_quality.store.errors import StoreError
from label_quality.store.shared import Shared

_LATEST = "calibrations/latest.json"


class Curve(msgspec.Struct, frozen=True):
    """p_error of one error type over the score: linear between knots, constant beyond the first and the last.

    `scores` rise strictly, `p_errors` never fall; both lie in 0 to 1 and are of one length, at least 1.
    """

    scores: tuple[float, ...]
    p_errors: tuple[float, ...]

    def __post_init__(self) -> None:
        s, p = self.scores, self.p_errors
        if not s or len(s) != len(p):
            raise ValueError("a curve needs as many scores as probabilities, at least one")
        if any(a >= b for a, b in pairwise(s)) or any(a > b for a, b in pairwise(p)):
            raise ValueError("the scores of a curve rise, and its probabilities never fall")
        if not (s[0] >= 0 and s[-1] <= 1 and p[0] >= 0 and p[-1] <= 1):
            raise ValueError("scores and probabilities lie between 0 and 1")


class FittedType(msgspec.Struct, frozen=True):
    """How one error type was calibrated.

    `planted` errors of the type, of which `reached` were named by a finding of any type and score; `expected_errors` among
    the `labels` that the data holds as it is, found or not; `verdicts` that took part.
    """

    error_type: str
    curve: Curve
    planted: int
    reached: int
    expected_errors: float
    verdicts: int = 0


class Budget(msgspec.Struct, frozen=True):
    """The recall of one error type ("any": of all) when the surest findings are reviewed, as many as `budget` × labels."""

    error_type: str
    budget: float
    findings: int
    recall: float
    precision: float


class Bin(msgspec.Struct, frozen=True):
    """One bin of the reliability diagram: `findings` of mean probability `predicted`, of which the share `observed` were errors."""

    findings: int
    predicted: float
    observed: float


class Reliability(msgspec.Struct, frozen=True):
    """How far probabilities were right on planted errors of other shapes than they were fitted on.

    `error` is the expected calibration error, `slope` that of the logistic recalibration; None where it cannot be computed.
    """

    bins: tuple[Bin, ...] = ()
    error: float | None = None
    slope: float | None = None


class Calibration(msgspec.Struct, frozen=True):
    """What was fitted, and on what.

    `version` is the hash of the rest but for `fitted_on`: the same curves have the same version. `basis` says what the
    probabilities rest on: "planted errors", or "planted errors and verdicts". `images` and `labels` are those of the sample
    that errors were planted into, `verdicts` all that there were. `fitted_on` maps each batch to the version of its
    findings' scores that took part.
    """

    version: str
    basis: str
    images: int
    labels: int
    verdicts: int
    default_cut: float
    types: tuple[FittedType, ...]
    recall: tuple[Budget, ...] = ()
    reliability: Reliability = Reliability()
    fitted_on: dict[str, str] = {}

    def sealed(self) -> Calibration:
        """The same with its version."""
        said = msgspec.structs.replace(self, version="", fitted_on={})
        digest = hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:16]
        return msgspec.structs.replace(self, version=digest)


class _Latest(msgspec.Struct, frozen=True):
    version: str


class Calibrations:
    """The calibrations of one store."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def latest(self) -> Calibration | None:
        """The calibration that counts; None while there is none. StoreError when its file is not what it should be."""
        named = self._shared.read(_LATEST, _Latest)
        if named is None:
            return None
        file = self._file(named.version)
        found = self._shared.read(file, Calibration)
        if found is None:
            raise StoreError(
                f"{file}, the latest calibration, is not there; remove latest.json beside it"
            )
        if found.sealed().version != found.version:
            raise StoreError(
                f"{file} was changed after it was written; remove latest.json beside it"
            )
        return found

    def keep(self, calibration: Calibration) -> Calibration:
        """Write the calibration, sealed, and make it the latest; returns it."""
        sealed = calibration.sealed()
        # The same curves again: what they were last fitted on.
        self._shared.write(self._file(sealed.version), sealed)
        self._shared.write(_LATEST, _Latest(sealed.version))
        return sealed

    def forget(self) -> None:
        """Let none count any more: the data no longer has enough to calibrate on."""
        self._shared.remove(_LATEST)

    def _file(self, version: str) -> str:
        if not version.isalnum():
            raise StoreError(f"{version!r} is not the version of a calibration")
        return f"calibrations/{version}.json"
