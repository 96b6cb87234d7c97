"""Fitted estimators of scikit-learn as model files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._errors import InputError

CLASSES = {-1: "down", 0: "same", 1: "up"}
"""What labels of rows mean, and in files of a library their names."""


def _linear(estimator: Any) -> tuple[Any, Any, Any] | None:
    """The scaler's means and scales and the regression, where the estimator is of these; what there is not is None."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    *before, last = steps
    if not isinstance(last, LogisticRegression) or len(last.classes_) != 2 or len(before) > 1:
        return None
    if not before:
        return None, None, last
    (scaler,) = before
    if not isinstance(scaler, StandardScaler):
        return None
    return scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None, last


def _meanings(estimator: Any) -> list[str]:
    """What the estimator's classes mean: 0 and 1, or labels."""
    classes = [int(one) if float(one).is_integer() else None for one in estimator.classes_]
    if classes == [0, 1]:
        return ["down", "up"]
    if 1 in classes and len(classes) >= 2 and all(one in CLASSES for one in classes):
        return [CLASSES[one] for one in classes if one is not None]
    raise InputError(f"the classes must be 0 (not up) and 1 (up), or labels -1, 0 and 1, not {list(estimator.classes_)}")


def linear_json(
    mean: Any, scale: Any, regression: Any, features: Sequence[str], told: Mapping[str, Any]
) -> bytes:
    """A linear model's file, as `tools/export_sklearn.py` writes it."""
    coefficients = regression.coef_[0]
    mean = np.zeros_like(coefficients) if mean is None else mean
    scale = np.ones_like(coefficients) if scale is None else scale
    numbers = [*mean, *scale, *coefficients, regression.intercept_[0]]
    if not all(math.isfinite(number) for number in numbers):
        raise InputError("the pipeline holds numbers that are not finite")
    model = {
        "features": list(features),
        "intercept": float(regression.intercept_[0]),
        "coefficients": [float(number) for number in coefficients],
        "mean": [float(number) for number in mean],
        "scale": [float(number) for number in scale],
        **told,
    }
    return (json.dumps(model, indent=2, allow_nan=False) + "\n").encode()


def onnx_bytes(estimator: Any, features: Sequence[str], meanings: Sequence[str], told: Mapping[str, Any]) -> bytes:
    """Any other estimator's file, by skl2onnx in doubles."""
    try:
        from onnx import helper
        from skl2onnx import to_onnx
    except ImportError as missing:
        what = "only a StandardScaler and a LogisticRegression of two classes go without skl2onnx: install papertrader[onnx]"
        raise InputError(what) from missing
    row = np.zeros((1, len(features)))
    model = to_onnx(estimator, row, options={"zipmap": False})
    told = {key: value for key, value in told.items() if key != "provenance"}
    helper.set_model_props(model, {"features": json.dumps(list(features)), "classes": ",".join(meanings), **{key: str(value) for key, value in told.items()}})
    content: bytes = model.SerializeToString()
    return content


def model_file(estimator: Any, features: Sequence[str], told: Mapping[str, Any]) -> tuple[str, bytes]:
    """The ending and the bytes of a fitted estimator's model file."""
    width = getattr(estimator, "n_features_in_", len(features))
    if len(features) != width:
        raise InputError(f"{len(features)} names of features for an estimator of {width}")
    meanings = _meanings(estimator)
    linear = _linear(estimator)
    if linear is not None:
        return "json", linear_json(*linear, features, told)
    return "onnx", onnx_bytes(estimator, features, meanings, told)
