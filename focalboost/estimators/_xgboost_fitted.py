"""What a fitted FocalXGBClassifier does: predict, be saved, be loaded."""

import hashlib
import os
import re
import tempfile
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from xgboost import XGBClassifier

from focalboost._files import write_in_one_step
from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.estimators._rows import features
from focalboost.xgboost._file import booster_of_content, content_of
from focalboost.xgboost._model import DIGEST, provenance_of
from focalboost.xgboost._params import has_base_scores, require_model_of

__all__ = ["FittedXGBClassifier"]

_Iterations = tuple[int | np.integer[Any], int | np.integer[Any]] | None

#: What stands in the place of a digest when it is taken.
_ZEROS = "0" * 64
_PATTERN = re.compile(
    DIGEST.encode() + rb'(?:":"|SL\x00{7}@)(.{64})',  # in JSON, or in UBJSON
    flags=re.DOTALL,
)


class FittedXGBClassifier(FocalClassifierMixin, XGBClassifier):
    """XGBoost's classifier, of which the raw predictions are a focal loss's."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.no_validation = tags.input_tags.string = False
        tags.non_deterministic = self.booster == "gblinear"  # without locks
        several = has_base_scores()
        tags.classifier_tags.multi_class = tags.classifier_tags.multi_label = several
        return tags

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> Any:
        """Return the likeliest label, or with ``output_margin`` the raw prediction."""
        raw = self._raw(X, validate_features, base_margin, iteration_range)
        return raw if output_margin else self._likeliest(raw, self.classes_)

    def predict_proba(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the class-posterior in the order of classes_, (n_samples, K).

        For labels (n, T) it is the probability of 1 for each, (n_samples, T).
        """
        return self._posterior(
            self._raw(X, validate_features, base_margin, iteration_range)
        )

    def decision_function(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior, or the log posterior of each class."""
        return self._decision(
            self._raw(X, validate_features, base_margin, iteration_range)
        )

    def _raw(self, X: Any, validate: bool, base_margin: Any, iterations: Any) -> Any:
        self.get_booster()  # not fitted: XGBoost words this error
        raw = super().predict(
            features(X, self),
            output_margin=True,
            validate_features=validate,
            base_margin=base_margin,
            iteration_range=iterations,
        )
        if len(raw) > 0:
            return raw
        n_scores = np.size(self.intercept_)  # of classes, or of labels
        return raw.reshape((0, n_scores) if n_scores > 1 else 0)

    def apply(self, X: Any, iteration_range: _Iterations = None) -> NDArray[Any]:
        """Return the leaf of every tree for each row, as ``XGBClassifier.apply``."""
        self.get_booster()
        return super().apply(features(X, self), iteration_range)

    def save_model(self, fname: str | os.PathLike[str]) -> None:
        """Save the model in XGBoost's own format, JSON or UBJSON by the file's name.

        XGBoost loads it without focalboost, and ``load_model`` with gamma, alpha and
        the labels. Raises ValueError for labels that JSON has no form for.
        """
        booster = self.get_booster().copy()
        self._require_labels_with_a_form()
        booster.set_attr(**{DIGEST: _ZEROS})
        # XGBoost's method sets an attribute as well, and other threads may be saving.
        apart = copy(self)
        apart._Booster = booster
        with tempfile.TemporaryDirectory() as folder:
            unsigned = Path(folder, Path(fname).name)
            XGBClassifier.save_model(apart, unsigned)
            write_in_one_step(fname, _signed(unsigned.read_bytes()))

    def load_model(self, fname: Any) -> None:
        """Load a model that an estimator of this class has saved, and no other.

        Takes a path, or the bytes of a file; no code in it is run. focal_gamma and
        focal_alpha become those of the model, so that ``fit`` trains with them.
        Raises ValueError for a file that is of another kind, has been edited, or is
        cut short; the estimator is left as it was.
        """
        content = content_of(fname, "fname")
        _refuse_wrong_digest(content, fname)
        booster = booster_of_content(content, "fname", fname)
        known = provenance_of(booster, "fname")
        if known is None or known.classes is None:
            reject(
                "fname",
                "a model saved by FocalXGBClassifier",
                fname,
                "Load others with xgboost.XGBClassifier or xgboost.Booster.",
            )
        require_model_of(known.loss, booster, "fname")
        kept = {"objective": self.objective, "base_score": self.base_score}
        super().load_model(bytearray(content))
        self.__dict__.update(kept)  # those of the model would not suit other labels
        self.__dict__.pop("evals_result_", None)
        self.get_booster().set_attr(**{DIGEST: None})
        self.focal_loss_, self._classes = known
        self.focal_gamma, self.focal_alpha = known.loss.gamma, known.loss.alpha


def _signed(content: bytes) -> bytes:
    """The content of a file with its digest in the place of zeros."""
    found = _PATTERN.search(content)
    if found is None:
        raise RuntimeError("XGBoost has written the model without a place to sign it")
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[: found.start(1)] + digest + content[found.end(1) :]


def _refuse_wrong_digest(content: bytearray, fname: Any) -> None:
    """Reject a file that is not as it was saved; Booster.save_model signs none."""
    found = _PATTERN.search(content)
    if found is None:
        return
    unsigned = content[: found.start(1)] + _ZEROS.encode() + content[found.end(1) :]
    if hashlib.sha256(unsigned).hexdigest().encode() != found[1]:
        reject(
            "fname",
            "a file as FocalXGBClassifier.save_model has written it",
            fname,
            "It has been edited, damaged or cut short. If XGBoost has saved it again, "
            f"load it there, call booster.set_attr({DIGEST}=None) and save it.",
        )
