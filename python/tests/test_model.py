"""Models, alone and as scikit-learn sees them."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

import papertrader

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["imbalance_1", "spread_ticks", "slow = mean(imbalance_1, 20)"]


@pytest.fixture(scope="module")
def rows(synthetic: Path) -> papertrader.Rows:
    return papertrader.open(synthetic).features(NAMES)


@pytest.fixture(scope="module")
def fitted(rows: papertrader.Rows) -> Any:
    moved = np.isin(rows.label, [-1, 1])
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.matrix()[moved], rows.label[moved] > 0)


def test_a_linear_pipeline_is_exact(fitted: Any, rows: papertrader.Rows, tmp_path: Path) -> None:
    model = papertrader.Model.from_sklearn(fitted, NAMES, horizon_updates=20, threshold=0.6)
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from export_sklearn import export
    finally:
        sys.path.pop(0)
    export(fitted, NAMES, tmp_path / "theirs.json", horizon=20, threshold=0.6)
    model.save(tmp_path / "ours.json")
    assert (tmp_path / "ours.json").read_bytes() == (tmp_path / "theirs.json").read_bytes()
    np.testing.assert_allclose(model.predict_proba(rows.matrix()), fitted.predict_proba(rows.matrix()), rtol=1e-9)
    assert (model.horizon_updates, model.threshold, model.label, model.ties) == (20, 0.6, None, None)
    assert model.features == NAMES and str(model.path) == "sklearn.json"


def test_both_forms_of_a_linear_model_trade_alike(synthetic: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from export_sklearn import SEED, export
    finally:
        sys.path.pop(0)
    market = papertrader.open(synthetic)
    rows = market.features(SEED)
    moved = np.isin(rows.label, [-1, 1])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", max_iter=1000))
    pipeline.fit(rows.matrix()[moved], rows.label[moved] > 0)
    made = []
    for form in ("json", "txt"):
        export(pipeline, SEED, tmp_path / f"m.{form}")
        run = market.replay(tmp_path / f"m.{form}", threshold=0.6, lag=20, override_model=True)
        # They round differently in the last bit: the trades are the same, their probabilities nearly.
        made.append(run.trades[run.trades.columns[:6]])
    pd.testing.assert_frame_equal(made[0], made[1])
    assert len(made[0]) > 0


def test_a_pipeline_without_scaler_and_with_labels(rows: papertrader.Rows) -> None:
    moved = np.isin(rows.label, [-1, 1])
    table = rows.to_pandas()[rows.names[:2]][moved]
    regression = LogisticRegression().fit(table, rows.label[moved])
    model = papertrader.Model.from_sklearn(regression, label="mid:20", ties="drop", horizon_updates=20)
    np.testing.assert_allclose(model.predict_proba(table), regression.predict_proba(table), rtol=1e-9)
    assert (model.label, model.ties) == ("mid:20", "drop")


def test_what_is_no_classifier_of_up_is_refused(rows: papertrader.Rows, fitted: Any) -> None:
    X = rows.matrix()
    odd = LogisticRegression().fit(X, np.arange(len(X)) % 2 + 5)
    with pytest.raises(papertrader.InputError, match=r"the classes must be 0 \(not up\) and 1 \(up\), or labels"):
        papertrader.Model.from_sklearn(odd, NAMES)
    with pytest.raises(papertrader.InputError, match="2 names of features for an estimator of 3"):
        papertrader.Model.from_sklearn(fitted, NAMES[:2])
    with pytest.raises(papertrader.InputError, match="the estimator was fitted to columns without names: give features"):
        papertrader.Model.from_sklearn(fitted)
    with pytest.raises(papertrader.InputError, match="unknown feature 'momentum'"):
        papertrader.Model.from_sklearn(fitted, ["momentum", *NAMES[1:]])


def test_other_estimators_go_through_onnx(rows: papertrader.Rows, fitted: Any) -> None:
    pytest.importorskip("skl2onnx")
    X, moved = rows.matrix(), np.isin(rows.label, [-1, 1])
    estimators = [
        make_pipeline(MinMaxScaler(), LogisticRegression()).fit(X[moved], rows.label[moved]),
        GradientBoostingClassifier(n_estimators=5).fit(X[moved], rows.label[moved] > 0),
    ]
    for estimator in estimators:
        model = papertrader.Model.from_sklearn(estimator, NAMES, horizon_updates=20)
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], estimator.predict_proba(X)[:, 1], rtol=1e-6)
        assert model.path.suffix == ".onnx" and model.horizon_updates == 20 and model.features == NAMES


def test_probabilities_are_those_of_a_run(synthetic: Path, imbalance: Path, tmp_path: Path) -> None:
    market = papertrader.open(synthetic)
    market.replay(imbalance, out=tmp_path, name="run", probabilities=tmp_path / "p.txt")
    due = np.loadtxt(tmp_path / "p.txt")
    rows = market.features(["imbalance_1"])
    found = papertrader.Model.load(imbalance).predict_proba(rows.matrix())[:, 1]
    assert rows["venue_sequence_num"].tolist() == due[:, 0].tolist()
    np.testing.assert_allclose(found, due[:, 1], rtol=1e-12)


def test_a_file_stays_what_it_is(imbalance: Path, tmp_path: Path) -> None:
    model = papertrader.Model.load(imbalance)
    model.save(tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_bytes() == imbalance.read_bytes()
    with pytest.raises(papertrader.InputError, match="copy.json exists; give --force to replace it"):
        model.save(tmp_path / "copy.json")
    model.save(tmp_path / "copy.json", force=True)
    with pytest.raises(papertrader.InputError, match=r"copy.txt: the name of this model must end in \.json"):
        model.save(tmp_path / "copy.txt")
    again = pickle.loads(pickle.dumps(model))
    assert again.features == model.features and again.path == model.path and again.threshold == 0.55
    assert repr(model) == f"<Model {imbalance} of 1 features>"


def test_scikit_learns_conventions(imbalance: Path) -> None:
    model = papertrader.Model.load(imbalance)
    assert is_classifier(model)
    check_is_fitted(model)
    assert clone(model) is model and model.fit([[1.0]], [1]) is model
    assert model.get_params() == {"path": imbalance, "features": None, "classes": None}
    assert model.set_params() is model and model.set_params(path=imbalance).threshold == 0.55
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=3)
    X = np.array([[0.5], [-0.5], [0.0]])
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (3, 2) and np.allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-1.5 * X[:, 0])), rtol=1e-14)
    assert model.classes_[model.predict(X)].tolist() == [1, 0, 0] and model.decision_function(X).shape == (3,)
    assert model.score(X, [1, 0, 0]) == 1.0
    assert model.n_features_in_ == 1 and model.feature_names_in_.tolist() == ["imbalance_1"]
    assert model.predict_proba(pd.DataFrame({"imbalance_1": X[:, 0]})).tobytes() == probabilities.tobytes()
    # Any layout of memory.
    assert model.predict_proba(np.repeat(X, 2, axis=1)[:, :1]).tobytes() == probabilities.tobytes()


def test_scikit_learns_own_checks(imbalance: Path) -> None:
    model = papertrader.Model.load(imbalance)
    for check in (
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_estimators_unfitted,
    ):
        if check in (estimator_checks.check_no_attributes_set_in_init, estimator_checks.check_estimators_unfitted):
            continue  # A model is read when it is made, and is then fitted.
        check("Model", model)


def test_rows_that_do_not_fit_are_refused(imbalance: Path) -> None:
    model = papertrader.Model.load(imbalance)
    for X, message in (
        ([1.0, 2.0], "Expected 2D array, got 1D array instead"),
        ([[1.0, 2.0]], "X has 2 features, but Model is expecting 1 features as input"),
        ([[np.nan]], "Input X contains NaN or infinity"),
        ([[np.inf]], "Input X contains NaN or infinity"),
        (np.empty((0, 1)), "Found array with 0 sample"),
        ([[1j]], "Complex data not supported"),
        (pd.DataFrame({"mid": [1.0]}), "The feature names should match those that were passed during fit"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict_proba(X)


def test_a_librarys_file_takes_names_and_classes(tmp_path: Path) -> None:
    with pytest.raises(papertrader.InputError, match="m.json"):
        papertrader.Model.from_bytes("m.json", json.dumps({"features": []}).encode())
    with pytest.raises(papertrader.InputError, match="invalid value 'up' for '--model-classes <CLASSES>'"):
        papertrader.Model.load(tmp_path / "m.onnx", classes="up")
    with pytest.raises(papertrader.InputError, match="unknown feature 'nope'"):
        papertrader.Model.load(tmp_path / "m.onnx", features=["nope"])
