"""Deploy a model as ONNX: the served output is the probability, not the focal score.

The graph runs in ONNX Runtime, which needs neither focalboost nor XGBoost. Its answers
are compared with the estimator's on every row, and timed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from command_line import OneLineParser, at_least, check_packages

PACKAGES = {
    "numpy": "numpy",
    "pandas": "pandas",
    "xgboost": "xgboost",
    "onnxmltools": "onnxmltools",
    "onnxruntime": "onnxruntime",
    "focalboost": "focalboost",
}


def command_line() -> OneLineParser:
    """Describe the options."""
    parser = OneLineParser("serve_onnx.py", description=__doc__)
    add, count = parser.add_argument, at_least(1, int)
    shown = "; %(default)s unless given"
    add("--model", type=Path, default=Path("fraud.onnx"), help="to write" + shown)
    add("--rows", type=count, default=50_000, help="transactions simulated" + shown)
    imbalance = "honest ones for each fraud" + shown
    add("--imbalance", type=at_least(1, float), default=300, help=imbalance)
    add("--seed", type=at_least(0, int), default=0, help="of all chance" + shown)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on simulated transactions, write the graph, serve it, compare."""
    parser = command_line()
    options = parser.parse_args(arguments)
    check_packages(parser, PACKAGES)
    if not options.model.parent.is_dir():
        parser.error(f"--model {options.model}: create its folder first")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    import numpy as np
    import onnxruntime
    from fraud_data import simulated_problem

    from focalboost import FocalXGBClassifier
    from focalboost.export import to_onnx

    problem = simulated_problem(options.rows, options.imbalance, options.seed)
    X, y = problem.features.to_numpy(np.float32), problem.y_true
    labels = np.where(y == 1, "fraud", "honest")
    model = FocalXGBClassifier(focal_gamma={"fraud": 0, "honest": 2}, n_jobs=1)
    model.set_params(n_estimators=60, max_depth=4, learning_rate=0.1)
    model.fit(X[problem.train], labels[problem.train])
    options.model.write_bytes(to_onnx(model).SerializeToString())

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        options.model, settings, providers=["CPUExecutionProvider"]
    )
    start = time.perf_counter()
    label, served = session.run(["label", "probabilities"], {"X": X[problem.test]})
    seconds = time.perf_counter() - start
    expected = model.predict_proba(X[problem.test])
    difference = np.max(np.abs(served - expected) / expected)
    fraud = list(model.classes_).index("fraud")
    print(f"{problem.title}; {model.focal_loss_}")
    print(f"Model: {options.model}, {options.model.stat().st_size / 1024:.0f} KiB")
    print(
        f"Labels: {', '.join(sorted(set(label)))}; columns: {model.classes_.tolist()}"
    )
    print(
        f"Mean probability of fraud {served[:, fraud].mean():.5f}, "
        f"share of frauds {y[problem.test].mean():.5f}"
    )
    print(f"Largest relative difference from predict_proba: {difference:.1e}")
    print(f"Rows a second on one thread: {len(served) / seconds:,.0f}")


if __name__ == "__main__":
    main()
