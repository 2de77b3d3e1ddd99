"""The file of a comparison, to which every fit is added, and that goes on from there.

JSON, one line for each fit after a first line that says what is compared.
"""

import base64
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._json import as_python
from focalboost._validation import reject
from focalboost.diagnostics._scores import Scores

__all__ = ["Fit", "Journal"]

_FORMAT = "focalboost comparison 1"


@dataclass(frozen=True, eq=False)
class Fit:
    """A method on one fold.

    Attributes
    ----------
    method : str
        Its name.
    fold : int
        Counted from 0.
    scores : Scores or None
        On the fold's test rows; None if it failed.
    error : str or None
        Why it failed.
    warnings : tuple of str
        What the host or the estimator warned of.
    params : dict
        The grid point that was best.
    n_rounds : int
        Boosting rounds of the best.
    seconds : float
        Wall time of the whole search.
    odds_factor : float
        By what weights and resampling multiplied the odds of a positive.
    log_odds : ndarray of float32, shape (n_test,), or None
        What the method predicts for the test rows, the logit of its probability.
    """

    method: str
    fold: int
    scores: Scores | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    n_rounds: int = 0
    seconds: float = 0.0
    odds_factor: float = 1.0
    log_odds: NDArray[np.float32] | None = None


class Journal:
    """Fits that are kept as they come; without a path they are kept in memory only."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self._path = path
        self._fits: dict[tuple[str, int], Fit] = {}
        if path is not None:
            self._open(path, fingerprint)

    def __getitem__(self, key: tuple[str, int]) -> Fit:
        return self._fits[key]

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Whether there is a fit; one that failed is tried again."""
        return key in self._fits and self._fits[key].error is None

    def add(self, settings: str, fit: Fit) -> None:
        """Keep a fit of a method, which the settings describe."""
        self._fits[settings, fit.fold] = fit
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                entry = {"settings": settings, **_plain(fit)}
                file.write(json.dumps(entry, default=_number) + "\n")

    def _open(self, path: Path, fingerprint: str) -> None:
        head = json.dumps({"format": _FORMAT, "fingerprint": fingerprint})
        text = path.read_text("utf-8") if path.exists() else ""
        lines = text.splitlines() or [head]
        if lines[0] != head:
            reject(
                "file",
                "new, or of a comparison of the same data, folds, estimator and grid",
                str(path),
                "Name another file, or delete this one.",
            )
        kept = [line for line in lines[1:] if self._take(line)]
        if len(kept) < len(lines) - 1 or not text.endswith("\n"):
            # The process ended while it wrote a line.
            path.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")

    def _take(self, line: str) -> bool:
        """Take the fit of a line, if the line is whole."""
        try:
            entry = json.loads(line)
        except ValueError:
            return False
        settings = entry.pop("settings")
        self._fits[settings, entry["fold"]] = _fit(entry)
        return True


def _plain(fit: Fit) -> dict[str, Any]:
    entry = {**fit.__dict__, "scores": fit.scores and asdict(fit.scores)}
    if fit.log_odds is not None:
        packed = zlib.compress(fit.log_odds.astype("<f4").tobytes())
        entry["log_odds"] = base64.b64encode(packed).decode("ascii")
    return entry


def _number(value: Any) -> Any:
    """A NumPy number of a user's grid as one of Python."""
    plain = as_python(value)
    if plain is None:
        raise TypeError(f"the grid holds {value!r}: use numbers and text")
    return plain


def _fit(entry: dict[str, Any]) -> Fit:
    entry["scores"] = entry["scores"] and Scores(**entry["scores"])
    entry["warnings"] = tuple(entry["warnings"])
    if entry["log_odds"] is not None:
        packed = zlib.decompress(base64.b64decode(entry["log_odds"]))
        entry["log_odds"] = np.frombuffer(packed, dtype="<f4")
    return Fit(**entry)
