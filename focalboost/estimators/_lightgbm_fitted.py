"""What a fitted FocalLGBMClassifier does: predict, be saved, be loaded."""

import hashlib
import os
import re
from typing import Any

import numpy as np
from lightgbm import Booster, LGBMClassifier, LGBMModel
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import _num_samples, check_is_fitted

from focalboost._files import write_in_one_step
from focalboost._provenance import Provenance
from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.estimators._rows import features
from focalboost.estimators._tables import require_fitted_names, require_numbers
from focalboost.lightgbm._file import booster_of_text, text_of_file
from focalboost.lightgbm._model import provenance_of
from focalboost.lightgbm._text import (
    is_finalised,
    note_in,
    number_of_scores,
    with_note,
    without_note,
)
from focalboost.losses import FocalLoss, Loss

__all__ = ["FittedLGBMClassifier"]

#: start_iteration, num_iteration and validate_features of a prediction.
_Span = tuple[int, int | None, bool]

#: The note of the best round of an early-stopped model.
_BEST_ITERATION = "focalboost_best_iteration"

#: The digest of a file, before its last line; LightGBM passes over it. It finds
#: accidents, and says nothing of who wrote the file.
_DIGEST = re.compile(r"^focalboost_sha256:(.*)\n(?=.*\n?\Z)", flags=re.M)


class FittedLGBMClassifier(FocalClassifierMixin, LGBMClassifier):
    """LightGBM's classifier, of which the raw predictions are a focal loss's."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.target_tags.one_d_labels = True
        tags.classifier_tags.multi_label = False
        return tags

    #: False where the names of features were given apart from X.
    _has_names_of_table = True

    def _require_table(self, X: Any, fitted: bool) -> None:
        require_numbers(X)
        if fitted and self._has_names_of_table:
            require_fitted_names(X, self)

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the likeliest label, or what LightGBM returns for an option."""
        options = (raw_score, pred_leaf, pred_contrib)
        span = (start_iteration, num_iteration, validate_features)
        if any(options):
            return self._host_predict(X, options, span, kwargs)
        return self._likeliest(self._raw(X, span, kwargs), self.classes_)

    def predict_proba(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the class-posterior, shape (n_samples, K), in the order of classes_.

        With an option, return what LightGBM returns for it.
        """
        options = (raw_score, pred_leaf, pred_contrib)
        span = (start_iteration, num_iteration, validate_features)
        if any(options):
            return self._host_predict(X, options, span, kwargs)
        return self._posterior(self._raw(X, span, kwargs))

    def decision_function(
        self,
        X: Any,
        *,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior, or the log posterior of each class."""
        span = (start_iteration, num_iteration, validate_features)
        return self._decision(self._raw(X, span, kwargs))

    def _raw(self, X: Any, span: _Span, kwargs: dict[str, Any]) -> Any:
        return self._host_predict(X, (True, False, False), span, kwargs)

    def _host_predict(
        self,
        X: Any,
        options: tuple[bool, bool, bool],
        span: _Span,
        kwargs: dict[str, Any],
    ) -> Any:
        check_is_fitted(self)
        raw_score, pred_leaf, pred_contrib = options
        start_iteration, num_iteration, validate_features = span
        by_host = validate_features and hasattr(X, "iloc")  # of pandas
        least = 0 if raw_score else 1
        X = features(X, self, min_samples=least, fitted=not by_host)
        if raw_score and _num_samples(X) == 0:  # which LightGBM refuses
            n_classes = len(self.classes_)
            return np.zeros((0, n_classes) if n_classes > 2 else 0)
        return LGBMModel.predict(
            self,
            X,
            raw_score=raw_score,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            validate_features=validate_features,
            **kwargs,
        )

    def save_model(self, fname: str | os.PathLike[str]) -> None:
        """Save the model in LightGBM's own format, as text.

        LightGBM loads it without focalboost, and ``load_model`` with gamma, alpha and
        the labels. Raises ValueError for labels that JSON has no form for.
        """
        check_is_fitted(self)
        self._require_labels_with_a_form()
        text = self.booster_.model_to_string()
        if (self._best_iteration or 0) > 0:
            text = without_note(text, _BEST_ITERATION)
            text = with_note(text, str(self._best_iteration), _BEST_ITERATION)
        model, _, last = text.rstrip("\n").rpartition("\n")
        signed = f"{model}\nfocalboost_sha256:{_digest(text)}\n{last}\n"
        write_in_one_step(fname, signed.encode())

    def load_model(self, fname: str | os.PathLike[str]) -> None:
        """Load a model that an estimator of this class has saved, and no other.

        No code in the file is run. focal_gamma and focal_alpha become those of the
        model, so that ``fit`` trains with them. Raises ValueError for a file that is
        of another kind, has been edited, or is cut short; the estimator is left as it
        was.
        """
        text = text_of_file(fname, "fname")
        booster = booster_of_text(_unsigned(text, fname), "fname")
        known = provenance_of(booster, "fname")
        if known is None or known.classes is None:
            reject(
                "fname",
                "a model saved by FocalLGBMClassifier",
                fname,
                "Load others with lightgbm.Booster.",
            )
        _require_scores_of(known, booster, fname)
        names = booster.feature_name()
        self._Booster, self.fitted_ = booster, True
        self._n_features = self._n_features_in = len(names)
        default = [f"Column_{i}" for i in range(len(names))]
        self._fitted_with_feature_names = names != default
        best = note_in(text, _BEST_ITERATION) or ""
        self._evals_result, self._best_score = {}, {}
        self._best_iteration = int(best) if best.isdecimal() else -1
        self._learned(known.loss, known.classes)
        self.focal_gamma, self.focal_alpha = known.loss.gamma, known.loss.alpha

    def _learned(self, loss: Loss, classes: NDArray[Any]) -> None:
        """Set what LightGBM's class would have set without a callable objective."""
        self.focal_loss_, self._classes, self._n_classes = loss, classes, len(classes)
        self._objective = "binary" if isinstance(loss, FocalLoss) else "multiclass"
        self._class_map = {label: code for code, label in enumerate(classes)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()


def _unsigned(text: str, fname: Any) -> str:
    """The text without its digest, if that is right; Booster.save_model signs none."""
    found = _DIGEST.search(text)
    unsigned = text if found is None else text[: found.start()] + text[found.end() :]
    is_whole = "\npandas_categorical:" in text
    if not is_whole or (found is not None and found[1] != _digest(unsigned)):
        reject(
            "fname",
            "a file as FocalLGBMClassifier.save_model writes it",
            fname,
            "It is of another kind, has been edited, or is cut short: save it again.",
        )
    return unsigned


def _require_scores_of(known: Provenance, booster: Booster, fname: Any) -> None:
    """Reject a model whose trees are not those of its loss."""
    text = booster.model_to_string(num_iteration=1)
    expected = 1 if isinstance(known.loss, FocalLoss) else known.loss.n_classes
    if not is_finalised(text) or number_of_scores(text) != expected:
        reject("fname", f"a model of {known.loss}", fname, "Save it again.")
