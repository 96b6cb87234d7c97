"""Trains models with scikit-learn, LightGBM and XGBoost and compares the program's probabilities with the libraries' own.

    python tools/check_models.py PAPERTRADER MARKET FEATURES.parquet FOLDER

FEATURES are those that `papertrader features MARKET` exported. Each model is saved by its library and, where a converter
exists, as ONNX; `papertrader replay --probabilities` runs it on MARKET. The reference of a library's own file is that
library, that of an ONNX file is onnxruntime; every row must agree within 1e-12 where the library computes in doubles and
within 1e-6 where it computes in floats (1e-5 where it adds up products of raw prices in them), and so must the decisions at the median probability, but for rows that lie within
that of it, which are counted. So are rows whose probability hangs on whether features are floats or doubles. At the end one
model is compared with another's probabilities, which must fail.
"""

import argparse
import subprocess
import sys
import warnings

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pandas as pd
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from skl2onnx.common import data_types
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DOUBLE, FLOAT = 1e-12, 1e-6
# Sums of products of raw prices in floats: onnxruntime adds in an order of its own.
FLOAT_SUMS = 1e-5


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def with_names(model, names):
    onnx.helper.set_model_props(model, {"features": ",".join(names)})
    return model


def convolution(count, names):
    """Two convolutions over the features, the mean of each channel, a logistic regression of those: seeded, not trained."""
    draw = np.random.default_rng(1)
    node, weights = onnx.helper.make_node, []

    def weight(name, *shape):
        weights.append(onnx.numpy_helper.from_array(draw.normal(0, 0.5, shape).astype(np.float32), name))
        return name

    weights.append(onnx.numpy_helper.from_array(np.array([1]), "axis"))
    same = {"kernel_shape": [3], "pads": [1, 1]}
    nodes = [
        node("Tanh", ["x"], ["bounded"]),
        node("Unsqueeze", ["bounded", "axis"], ["row"]),
        node("Conv", ["row", weight("w1", 16, 1, 3), weight("b1", 16)], ["one"], **same),
        node("Relu", ["one"], ["positive"]),
        node("Conv", ["positive", weight("w2", 16, 16, 3), weight("b2", 16)], ["two"], **same),
        node("GlobalAveragePool", ["two"], ["means"]),
        node("Flatten", ["means"], ["flat"]),
        node("Gemm", ["flat", weight("w3", 16, 1), weight("b3", 1)], ["score"]),
        node("Sigmoid", ["score"], ["p"]),
    ]
    value = lambda name, width: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, width])
    graph = onnx.helper.make_graph(nodes, "convolution", [value("x", count)], [value("p", 1)], weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return with_names(model, names)


def plain_lists():
    """skl2onnx hands Booleans to onnx.helper as integers, which newer versions of protobuf refuse."""
    make = onnx.helper.make_attribute

    def listed(value):
        if isinstance(value, (np.ndarray, np.generic)):
            return listed(value.tolist())
        if isinstance(value, list):
            return [listed(item) for item in value]
        return int(value) if isinstance(value, bool) else value

    onnx.helper.make_attribute = lambda key, value, *more, **named: make(key, listed(value), *more, **named)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papertrader")
    parser.add_argument("market")
    parser.add_argument("features")
    parser.add_argument("folder")
    parser.add_argument("--graphs", action="store_true", help="the program is built with the feature onnx-graphs: nothing else is compared")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    plain_lists()

    table = pd.read_parquet(arguments.features)
    names = list(table.columns[table.columns.get_loc("mid_ticks") + 1 : table.columns.get_loc("mid_change_ticks")])
    rows = table[names].to_numpy()
    labelled = table.label.notna().to_numpy()
    train, up = rows[labelled], (table.label[labelled] > 0).to_numpy().astype(int)
    three = table.label[labelled].to_numpy().astype(int)
    path = lambda name: f"{arguments.folder}/{name}"
    cases, hanging = [], {}

    def case(file, probabilities, tolerance, *options):
        cases.append((file, np.asarray(probabilities, dtype=float), tolerance, options))

    def by_onnxruntime(file, tolerance, *options, column=-1, dtype=np.float32):
        """The same file as onnxruntime evaluates it, row by row as the program does."""
        session = onnxruntime.InferenceSession(path(file))
        given = session.get_inputs()[0].name
        output = session.get_outputs()[-1].name
        case(file, session.run([output], {given: rows.astype(dtype)})[0][:, column], tolerance, *options)

    if arguments.graphs:
        onnx.save(convolution(len(names), names), path("convolution.onnx"))
        by_onnxruntime("convolution.onnx", FLOAT)
        return compare(arguments, cases, hanging, rows, path)

    # LightGBM, in doubles.
    for name, settings in [
        ("gbdt", {}),
        ("rf", {"boosting": "rf", "bagging_fraction": 0.7, "bagging_freq": 1}),
        ("zero", {"zero_as_missing": True}),
    ]:
        settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 1, **settings}
        booster = lightgbm.train(settings, lightgbm.Dataset(train, up, feature_name=names), 100)
        booster.save_model(path(f"lightgbm.{name}.txt"))
        case(f"lightgbm.{name}.txt", booster.predict(rows), DOUBLE)
        hanging[f"lightgbm.{name}, features as floats"] = np.abs(booster.predict(rows.astype(np.float32)) - booster.predict(rows))
    settings = {"objective": "multiclass", "num_class": 3, "num_leaves": 15, "verbose": -1}
    booster = lightgbm.train(settings, lightgbm.Dataset(train, three + 1, feature_name=names), 30)
    booster.save_model(path("lightgbm.three.txt"))
    case("lightgbm.three.txt", booster.predict(rows)[:, 2], DOUBLE, "--model-classes", "down,same,up")
    classifier = lightgbm.LGBMClassifier(n_estimators=50, num_leaves=31, verbose=-1).fit(train, up)
    inputs = [("input", FloatTensorType([None, len(names)]))]
    onnx.save(with_names(onnxmltools.convert_lightgbm(classifier, initial_types=inputs, zipmap=False), names), path("lightgbm.onnx"))
    by_onnxruntime("lightgbm.onnx", FLOAT)

    # XGBoost, in floats.
    matrix = xgboost.DMatrix(train, up, feature_names=names)
    for name, settings in [("gbtree", {}), ("dart", {"booster": "dart", "rate_drop": 0.3, "one_drop": 1})]:
        booster = xgboost.train({"objective": "binary:logistic", "max_depth": 5, "seed": 1, **settings}, matrix, 100)
        reference = booster.predict(xgboost.DMatrix(rows, feature_names=names))
        for ending in ["json", "ubj"]:
            booster.save_model(path(f"xgboost.{name}.{ending}"))
            case(f"xgboost.{name}.{ending}", reference, FLOAT)
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 4}, xgboost.DMatrix(train, three + 1), 30)
    booster.save_model(path("xgboost.three.ubj"))
    options = ["--model-classes", "down,same,up", "--model-features", ",".join(names)]
    case("xgboost.three.ubj", booster.predict(xgboost.DMatrix(rows))[:, 2], FLOAT, *options)
    part = len(train) * 2 // 3
    stopped = xgboost.XGBClassifier(n_estimators=200, max_depth=4, early_stopping_rounds=5)
    stopped.fit(train[:part], up[:part], eval_set=[(train[part:], up[part:])], verbose=False)
    stopped.save_model(path("xgboost.stopped.json"))
    case("xgboost.stopped.json", stopped.predict_proba(rows)[:, 1], FLOAT, "--model-features", ",".join(names))
    classifier = xgboost.XGBClassifier(n_estimators=50, max_depth=5).fit(train, up)
    onnx.save(with_names(onnxmltools.convert_xgboost(classifier, initial_types=inputs), names), path("xgboost.onnx"))
    by_onnxruntime("xgboost.onnx", FLOAT)

    # scikit-learn, by skl2onnx, in floats and in doubles.
    regression = lambda: scaled(LogisticRegression())
    forest = lambda: RandomForestClassifier(50, max_leaf_nodes=31, random_state=1)
    for name, model, labels in [
        ("regression", regression(), up),
        ("regression3", regression(), three),
        ("forest", forest(), up),
        ("forest3", forest(), three),
        ("histogram", HistGradientBoostingClassifier(max_iter=50), up),
        ("perceptron", scaled(MLPClassifier((16, 8), max_iter=50, random_state=1)), up),
        ("imputed", make_pipeline(SimpleImputer(), regression()), up),
        ("constant", make_pipeline(SimpleImputer(strategy="constant", fill_value=0.5), regression()), up),
        ("sigmoid", CalibratedClassifierCV(regression(), method="sigmoid", cv=3), up),
        ("isotonic", CalibratedClassifierCV(regression(), method="isotonic", cv=3), up),
        ("isotonic.forest", CalibratedClassifierCV(forest(), method="isotonic", cv=2), up),
    ]:
        model.fit(train, labels)
        own = model.predict_proba(rows)[:, -1]
        for dtype, kind in [(np.float32, "float"), (np.float64, "double")]:
            if name in ("histogram", "isotonic.forest") and kind == "double":
                continue  # skl2onnx mixes types in these: onnxruntime refuses its files.
            file = f"sklearn.{name}.{kind}.onnx"
            onnx.save(with_names(to_onnx(model, train[:1].astype(dtype), options={"zipmap": False}), names), path(file))
            # What a graph says of doubles its operators of ai.onnx.ml still do as floats.
            has_floats = kind == "float" or any(node.domain == "ai.onnx.ml" and "Ensemble" in node.op_type for node in onnx.load(path(file)).graph.node)
            options = ["--model-classes", "down,same,up"] if name == "regression3" and kind == "double" else []
            has_sums = kind == "float" and name in ("regression", "regression3", "perceptron", "imputed", "constant")
            if name in ("imputed", "constant") and kind == "double":
                case(file, own, DOUBLE)  # onnxruntime has no Imputer of doubles.
                continue
            by_onnxruntime(file, FLOAT_SUMS if has_sums else FLOAT if has_floats else DOUBLE, *options, dtype=dtype)
            hanging[f"{file}, beside scikit-learn's own"] = np.abs(cases[-1][1] - own)
        if name == "imputed":
            # As of a DataFrame: an input for each column, whose name is the feature.
            file = f"sklearn.{name}.columns.onnx"
            by_column = make_pipeline(ColumnTransformer([("all", "passthrough", names)]), model).fit(pd.DataFrame(train, columns=names), labels)
            columns = [(column, data_types.FloatTensorType([None, 1])) for column in names]
            onnx.save(to_onnx(by_column, initial_types=columns, options={"zipmap": False}), path(file))
            session = onnxruntime.InferenceSession(path(file))
            given = {column: rows[:, [at]].astype(np.float32) for at, column in enumerate(names)}
            case(file, session.run([session.get_outputs()[-1].name], given)[0][:, -1], FLOAT_SUMS)
        if name == "regression":
            file = f"sklearn.{name}.zipmap.onnx"
            onnx.save(with_names(to_onnx(model, train[:1]), names), path(file))
            case(file, own, DOUBLE)

    compare(arguments, cases, hanging, rows, path)


def compare(arguments, cases, hanging, rows, path):
    """The program's probabilities with each case's."""
    failures = 0
    wrong = (cases[0][0], 1 - np.roll(cases[0][1], 1), DOUBLE, ())
    for file, reference, tolerance, options in cases + [wrong]:
        out = path("probabilities.txt")
        command = [arguments.papertrader, "replay", arguments.market, "--model", path(file), "--probabilities", out]
        command += ["--no-report", "--out", arguments.folder, "--name", "run", "--force", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{file:34} {done.stderr.strip()}")
            failures += 1
            continue
        ours = np.loadtxt(out, usecols=1)
        if len(ours) != len(reference):
            sys.exit(f"{file}: {len(ours)} evaluations of {len(reference)} rows")
        difference = np.abs(ours - reference)
        threshold = np.median(reference)
        near = np.abs(reference - threshold) <= tolerance
        decided = ((ours >= threshold) != (reference >= threshold)) & ~near
        good = difference.max() <= tolerance and not decided.any()
        if reference is wrong[1] and file == wrong[0]:
            if good:
                sys.exit("a wrong reference was taken for right")
            continue
        failures += not good
        verdict = "ok" if good else f"WRONG in {(difference > tolerance).sum()} rows, {decided.sum()} decisions"
        print(f"{file:34} {difference.max():.1e}  (at most {tolerance:.0e}, {near.sum()} rows at the threshold)  {verdict}")
    for name, rows_of in hanging.items():
        differing = (rows_of > FLOAT).sum()
        print(f"{name}: {differing} of {len(rows_of)} rows differ by more than {FLOAT:.0e}, by up to {rows_of.max():.1e}")
    if failures:
        sys.exit(f"{failures} of {len(cases)} models differ")
    print(f"{len(cases)} models give the libraries' probabilities on {len(rows)} rows")


if __name__ == "__main__":
    main()
