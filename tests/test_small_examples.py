"""The examples of a threshold, of tuning and of deployment."""

import re

import pytest
from alert_threshold import main as alert_threshold
from optional import optional
from serve_onnx import main as serve_onnx
from tune_with_optuna import main as tune_with_optuna

SMALL = ["--rows", "12000", "--imbalance", "60"]


def printed(capsys, main, *arguments):
    main([*SMALL, *map(str, arguments)])
    return capsys.readouterr().out


def test_the_threshold_of_the_costs_is_the_cheapest(capsys):
    lines = printed(capsys, alert_threshold).splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines[3:]]
    cost = {re.split("[,>]", cells[0])[0].strip(): float(cells[3]) for cells in rows}
    by_costs, searched = cost["review / loss"], cost["searched"]
    assert by_costs < 0.9 * cost["the likelier class"]
    assert by_costs < 0.7 * cost["no alert"]
    assert by_costs < 0.5 * cost["focal score"]
    assert searched == pytest.approx(by_costs, rel=0.3)
    assert "probability > 0.0250" in rows[2][0]


def test_a_review_dearer_than_the_loss_is_an_error(capsys):
    with pytest.raises(SystemExit):
        alert_threshold(["--review", "300"])
    assert "an alert never pays" in capsys.readouterr().err


def test_tuning_prunes_and_finds_more(capsys):
    optional("optuna")
    out = printed(capsys, tune_with_optuna, "--trials", 10, "--rounds", 30)
    trials, pruned = map(int, re.search(r"(\d+) trials, (\d+) of them", out).groups())
    assert trials == 10
    assert 0 < pruned < 10
    assert "best loss: FocalLoss(gamma=(" in out
    validation = {
        name: float(re.search(rf"^{name} +(\S+)", out, re.M)[1])
        for name in ("defaults", "tuned")
    }
    assert validation["tuned"] > validation["defaults"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in onnxmltools
def test_the_served_model_is_the_estimator(capsys, tmp_path):
    optional("onnxmltools")
    optional("onnxruntime")
    path = tmp_path / "model.onnx"
    out = printed(capsys, serve_onnx, "--model", path)
    assert path.stat().st_size > 10_000
    assert float(re.search(r"from predict_proba: (\S+)", out)[1]) < 2e-5
    mean, share = map(
        float, re.search(r"fraud (\S+), share of frauds (\S+)", out).groups()
    )
    assert mean == pytest.approx(share, rel=0.4)


def test_a_folder_that_is_not_there_is_an_error(capsys, tmp_path):
    with pytest.raises(SystemExit):
        serve_onnx(["--model", str(tmp_path / "nowhere" / "model.onnx")])
    assert "create its folder first" in capsys.readouterr().err


@pytest.mark.parametrize("main", [alert_threshold, serve_onnx, tune_with_optuna])
def test_a_missing_package_ends_with_what_to_install(main, monkeypatch, capsys):
    monkeypatch.setitem(main.__globals__["PACKAGES"], "no_such_module", "no-package")
    with pytest.raises(SystemExit):
        main([])
    assert "pip install no-package" in capsys.readouterr().err
