"""Models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _papertrader as native
from ._options import Path

if TYPE_CHECKING:
    from typing_extensions import Self

Floats = npt.NDArray[np.float64]


class Model:
    """A model that is ready for use: papertrader's own, or LightGBM's, XGBoost's or ONNX as a library saves it.

    To scikit-learn it is a fitted classifier of two classes, 0 (not up) and 1 (up): `predict_proba` has a column for each. It is not
    fitted again: `fit` leaves it as it is and `sklearn.base.clone` gives it back, as with scikit-learn's FrozenEstimator.

    Attributes:
        path: The file it was read from, or the name it was made by.
        features: What it looks at, in the order of a row: names, and `NAME = EXPRESSION`.
        horizon_updates: How many book updates ahead it predicts; None where its file does not say so.
        label: The rule of the label that it predicts; None where its file does not say so.
        ties: How rows counted whose mid stayed: "drop", "down" or "three"; None where its file does not say so.
        threshold: The probability from which its maker would buy; None where its file does not say so.
    """

    _estimator_type = "classifier"

    def __init__(self, path: Path, features: str | Sequence[str] | None = None, classes: str | None = None) -> None:
        """Reads a model file; see `Model.load`."""
        self._given: dict[str, Any] = {"path": path, "features": features, "classes": classes}
        self._file = native.ModelFile.read(os.fspath(path), _list(features), classes)

    @classmethod
    def load(cls, path: Path, features: str | Sequence[str] | None = None, classes: str | None = None) -> Self:
        """Reads a model file.

        Args:
            path: The file: .txt or .json of papertrader, LightGBM's .txt, XGBoost's .json or .ubj, .onnx.
            features: Features of a library's model in the order of its training columns; what its file calls them by default.
            classes: Classes of a library's model in their order, such as "down,same,up"; as its file says by default.

        Raises:
            InputError: The file cannot be read, or is not a model that the program can run.
        """
        return cls(path, features, classes)

    @classmethod
    def _of(cls, file: native.ModelFile, given: Mapping[str, Any]) -> Self:
        model = cls.__new__(cls)
        model._given = dict(given)
        model._file = file
        return model

    @classmethod
    def from_bytes(
        cls, name: Path, content: bytes, features: str | Sequence[str] | None = None, classes: str | None = None
    ) -> Self:
        """A model of a file's bytes. The name's ending says of which kind it is.

        Raises:
            InputError: They are not a model that the program can run.
        """
        file = native.ModelFile.parse(os.fspath(name), content, _list(features), classes)
        return cls._of(file, {"path": name, "features": features, "classes": classes})

    @classmethod
    def from_sklearn(
        cls,
        estimator: Any,
        features: Sequence[str] | None = None,
        *,
        horizon_updates: int | None = None,
        label: str | None = None,
        ties: str | None = None,
        threshold: float | None = None,
        provenance: Mapping[str, Any] | None = None,
        name: str = "sklearn",
    ) -> Self:
        """A fitted estimator of scikit-learn.

        A LogisticRegression of two classes, alone or behind a StandardScaler, becomes a .json model with the same numbers. Others go
        through skl2onnx, which must be installed, to a model in doubles.

        Args:
            estimator: Fitted on classes 0 (not up) and 1 (up), or on labels -1, 0, 1.
            features: What its columns are, in their order: names, and `NAME = EXPRESSION`, as `Rows.features` has them; the names that it
                was fitted with by default.
            horizon_updates: How many book updates ahead it predicts.
            label: The rule of the label that it was fitted to.
            ties: What became of rows whose mid stayed: "drop", "down" or "three".
            threshold: The probability from which to buy.
            provenance: What else the file shall say of where it comes from (.json models).
            name: The model's name in reports, without ending.

        Raises:
            InputError: It is not fitted to such classes, its columns have no names, or the program cannot run it.
        """
        from ._sklearn import model_file

        if features is None:
            features = getattr(estimator, "feature_names_in_", None)
        if features is None:
            from ._errors import InputError

            raise InputError("the estimator was fitted to columns without names: give features")
        told = {
            "horizon_updates": horizon_updates,
            "label": label,
            "ties": ties,
            "threshold": threshold,
            "provenance": provenance,
        }
        said = {key: value for key, value in told.items() if value is not None}
        ending, content = model_file(estimator, [str(feature) for feature in features], said)
        return cls.from_bytes(f"{name}.{ending}", content)

    def save(self, path: Path, force: bool = False) -> None:
        """Writes the model's file, byte for byte as it was read or made.

        Args:
            path: The file; its ending is that of the model's kind.
            force: Replace a file that exists.

        Raises:
            InputError: The ending is another, or the file exists or cannot be written.
        """
        self._file.save(os.fspath(path), force)

    def is_in_its_file(self) -> bool:
        """Whether the file that it is named after holds it now."""
        try:
            return self.path.read_bytes() == self._file.bytes
        except OSError:
            return False

    @property
    def path(self) -> _Path:
        return _Path(self._file.path)

    @property
    def features(self) -> list[str]:
        return self._file.features

    @property
    def horizon_updates(self) -> int | None:
        return self._file.horizon_updates

    @property
    def label(self) -> str | None:
        return self._file.label

    @property
    def ties(self) -> str | None:
        return self._file.ties

    @property
    def threshold(self) -> float | None:
        return self._file.threshold

    def __repr__(self) -> str:
        return f"<Model {self.path} of {len(self.features)} features>"

    def __reduce__(self) -> tuple[Any, ...]:
        path, features, classes = self._given.values()
        return _restore, (type(self), os.fspath(path), self._file.bytes, features, classes)

    # What scikit-learn asks of a classifier.

    @property
    def classes_(self) -> npt.NDArray[np.int64]:
        """0, not up, and 1, up."""
        return np.array([0, 1])

    @property
    def n_features_in_(self) -> int:
        """The width of a row."""
        return len(self.features)

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Names of the columns of a row."""
        return np.array(self._file.names, dtype=object)

    def _rows(self, rows: Any) -> Floats:
        columns = getattr(rows, "columns", None)
        if columns is not None and all(isinstance(name, str) for name in columns):
            if list(columns) != self._file.names:
                what = "The feature names should match those that were passed during fit"
                raise ValueError(f"{what}: {self._file.names}, in this order, not {list(columns)}.")
        if hasattr(rows, "toarray"):
            raise TypeError("Sparse data was passed, but dense data is required.")
        array = np.asarray(rows)
        if np.iscomplexobj(array):
            raise ValueError("Complex data not supported")
        array = np.asarray(array, dtype=np.float64)
        if array.ndim != 2:
            raise ValueError(
                f"Expected 2D array, got {array.ndim}D array instead. Reshape your data either using array.reshape(-1, 1) "
                "if your data has a single feature or array.reshape(1, -1) if it contains a single sample."
            )
        if array.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {array.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input."
            )
        if array.shape[0] == 0:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        if not np.isfinite(array).all():
            raise ValueError("Input X contains NaN or infinity.")
        return array

    def decision_function(self, X: Any) -> Floats:
        """Log-odds that the mid will be higher, calibrated where the model is: shape (rows,).

        Args:
            X: Rows of features in the model's order, shape (rows, features), finite.

        Raises:
            ValueError: They have another shape, other names, or numbers that are not finite.
        """
        return self._file.evaluate(self._rows(X))[0]

    def predict_proba(self, X: Any) -> Floats:
        """Probabilities that the mid will not be higher, and that it will: shape (rows, 2).

        Args and Raises as for `decision_function`.
        """
        up = self._file.evaluate(self._rows(X))[1]
        return np.column_stack([1.0 - up, up])

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """1 where the mid is more likely to be higher than not, else 0: shape (rows,). The threshold to trade by is another matter.

        Args and Raises as for `decision_function`.
        """
        return (self.decision_function(X) > 0).astype(np.int64)

    def score(self, X: Any, y: Any) -> float:
        """The share of rows whose class (0 or 1) `predict` tells."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def fit(self, X: Any, y: Any = None) -> Self:
        """Leaves the model as it is."""
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What the model was read with."""
        return dict(self._given)

    def set_params(self, **params: Any) -> Self:
        """Reads the model again where a parameter is another."""
        unknown = set(params) - set(self._given)
        if unknown:
            raise ValueError(f"Invalid parameter {sorted(unknown)[0]!r} for estimator {self!r}.")
        if params:
            given = self._given | params
            self._file = type(self)(given["path"], given["features"], given["classes"])._file
            self._given = given
        return self

    def __sklearn_clone__(self) -> Self:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=False),
            classifier_tags=ClassifierTags(multi_class=False),
            input_tags=InputTags(sparse=False, allow_nan=False),
            requires_fit=False,
        )


def _list(features: str | Sequence[str] | None) -> str | None:
    return features if features is None or isinstance(features, str) else ",".join(features)


def beside(models: Sequence[Model | Path]) -> dict[str, str | None]:
    """What was said of models beside their files, as options of the program, which are said of all of them.

    Raises:
        InputError: Other things were said of some than of others.
    """
    said = {
        (_list(model._given["features"]), model._given["classes"]) if isinstance(model, Model) else (None, None)
        for model in models
    }
    if len(said) > 1:
        from ._errors import InputError

        raise InputError("other features or classes are given for some of the models than for others: sweep them one by one")
    features, classes = next(iter(said), (None, None))
    return {"model_features": features, "model_classes": classes}


def _restore(
    cls: type[Model], path: str, content: bytes, features: str | Sequence[str] | None, classes: str | None
) -> Model:
    return cls.from_bytes(path, content, features, classes)
