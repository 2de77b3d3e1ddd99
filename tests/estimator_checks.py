"""scikit-learn's check_estimator on both estimators, and on the hosts' own beside them.

As a script it prints the table of all four:

    SCIPY_ARRAY_API=1 python tests/estimator_checks.py
"""

import json
import sys
import warnings
from collections import Counter

import sklearn
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm, xgboost

COUNTS_ROWS = (
    "LightGBM places its bins, and counts min_child_samples and min_data_in_bin, by "
    "rows and not by weights, so that three rows are more to it than one of weight 3"
)
ROUNDS_PRODUCTS = (
    "XGBoost takes the product of a gradient and a weight in float32, and adds up "
    "repeated rows in float64: probabilities differ by 4e-8, as XGBClassifier's do"
)
TWO_PROBLEMS = (
    "for an estimator of two classes scikit-learn relabels the shuffled and the "
    "repeated rows each by its own first row, so that it compares two problems"
)
CLASS_OF_LIGHTGBM = (
    "it looks at every base class, and LGBMModel before LightGBM 4.6 has _more_tags "
    "without __sklearn_tags__"
)
NAME_OF_THE_LINK = (
    "XGBoost's classifier writes the name of the link of several classes into its "
    "parameter objective in fit, and so does ours"
)
OVERWRITING = ("check_estimators_overwrite_params", "check_dont_overwrite_parameters")
EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def version(module):
    return tuple(int(part) for part in module.__version__.split(".")[:2])


def expected_failures(estimator):
    """Checks that cannot pass, each with the reason."""
    expected = {}
    if isinstance(estimator, FocalLGBMClassifier):
        if version(lightgbm) < (4, 6):
            expected["check_estimator_tags_renamed"] = CLASS_OF_LIGHTGBM
        if estimator.min_child_samples == 1:  # else no tree splits so few rows
            expected |= dict.fromkeys(EQUIVALENCE, COUNTS_ROWS)
    elif isinstance(estimator, FocalXGBClassifier):
        several = version(xgboost) >= (3, 1)
        reason = ROUNDS_PRODUCTS if several else TWO_PROBLEMS
        expected |= dict.fromkeys(EQUIVALENCE, reason)
        if several:
            expected |= dict.fromkeys(OVERWRITING, NAME_OF_THE_LINK)
    return expected


ESTIMATORS = {
    "FocalXGBClassifier": FocalXGBClassifier(n_jobs=1),
    "FocalLGBMClassifier": FocalLGBMClassifier(n_jobs=1),
    "FocalLGBMClassifier, trees": FocalLGBMClassifier(
        n_jobs=1, min_child_samples=1, n_estimators=20
    ),
    "XGBClassifier": xgboost.XGBClassifier(n_jobs=1),
    "LGBMClassifier": lightgbm.LGBMClassifier(n_jobs=1),
}


def report(name):
    """The status of every check, and what went wrong."""
    from sklearn.utils.estimator_checks import check_estimator

    estimator = ESTIMATORS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(
            estimator,
            expected_failed_checks=expected_failures(estimator),
            on_skip=None,
            on_fail=None,
        )
    keys = ("check_name", "status")
    return [
        {key: result[key] for key in keys} | {"error": repr(result["exception"])}
        for result in results
    ]


def main(names):
    """Print the reports as JSON, or without names a table."""
    if names:
        print("REPORTS", json.dumps({name: report(name) for name in names}))
        return
    print(f"scikit-learn {sklearn.__version__}, XGBoost {xgboost.__version__}", end="")
    print(f", LightGBM {lightgbm.__version__}")
    statuses = ("passed", "skipped", "xfail", "failed")
    for name in ESTIMATORS:
        results = report(name)
        count = Counter(result["status"] for result in results)
        cells = ", ".join(f"{count[status]} {status}" for status in statuses)
        print(f"TABLE {name}: {len(results)} checks: {cells}")
        for result in results:
            if result["status"] in ("failed", "xfail"):
                print(f"TABLE     {result['status']}: {result['check_name']}")


if __name__ == "__main__":
    main(sys.argv[1:])
