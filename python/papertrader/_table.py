"""Tables: columns as NumPy arrays, handed over as they are to Arrow and pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

    from ._papertrader import RawColumn

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        kind: "text", "whole" (int64), "whole32" (int32), "double" (float64), "time" (int64, Unix nanoseconds of UTC) or "label"
            (float64: -1, 0, 1).
        values: The values, one a row; of texts their numbers in `texts`. Where a row has none: -1, and NaN among floats.
        valid: Which rows have a value; None where all have.
        texts: The texts that the values number, of a column of texts.
    """

    kind: str
    values: Array
    valid: npt.NDArray[np.bool_] | None
    texts: list[str] | None


class Table(Mapping[str, Array]):
    """A table by the names of its columns.

    `table["price"]` is a NumPy array, one value a row: int64 for counts and times (Unix nanoseconds; -1 where there is none), float64
    for the rest (NaN where there is none), objects for texts (None where there is none). Arrays are the program's own memory and are
    not copied.
    """

    def __init__(self, columns: list[RawColumn], required: bool = False) -> None:
        self._columns = {name: Column(kind, values, valid, texts) for name, kind, values, valid, texts in columns}
        self._required = required
        self._rows = len(columns[0][2]) if columns else 0

    def __getitem__(self, name: str) -> Array:
        column = self._columns[name]
        if column.texts is None:
            return column.values
        return np.array([*column.texts, None], dtype=object)[column.values]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """The number of columns, as of every mapping; see `rows`."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._rows} rows, {len(self)} columns>"

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._rows

    def column(self, name: str) -> Column:
        """A column with its kind and with which of its rows have a value."""
        return self._columns[name]

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` over the same memory, with the types and nulls of the program's Parquet files. Needs pyarrow."""
        import pyarrow as pa

        kinds = {
            "text": pa.string(),
            "whole": pa.int64(),
            "whole32": pa.int32(),
            "double": pa.float64(),
            "time": pa.timestamp("ns", tz="UTC"),
            "label": pa.int32(),
        }
        fields, arrays = [], []
        for name, column in self._columns.items():
            kind, valid = kinds[column.kind], column.valid
            if column.texts is not None:
                mask = None if valid is None else ~valid
                codes = pa.array(column.values, mask=mask)
                texts = pa.array(column.texts, type=pa.string())
                array = pa.DictionaryArray.from_arrays(codes, texts).cast(kind)
            elif column.kind == "label":
                array = pa.array(column.values, from_pandas=True).cast(kind)
            else:
                bits = None if valid is None else pa.array(valid).buffers()[1]
                array = pa.Array.from_buffers(kind, self._rows, [bits, pa.py_buffer(column.values)])
            arrays.append(array)
            fields.append(pa.field(name, kind, nullable=not (self._required and valid is None and name not in _OPTIONAL)))
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def to_pandas(self) -> pd.DataFrame:
        """A `pandas.DataFrame` over the same memory. Times stay Unix nanoseconds as int64; counts and times of which some rows have
        none are pandas' own Int64. Needs pandas."""
        import pandas as pd

        made: dict[str, Any] = {}
        for name, column in self._columns.items():
            if column.texts is not None:
                made[name] = pd.array(self[name], dtype="str")
            elif column.valid is not None and column.kind in ("whole", "time") and not self._required:
                made[name] = pd.arrays.IntegerArray(column.values, ~column.valid)
            else:
                made[name] = column.values
        return pd.DataFrame(made, copy=False)


_OPTIONAL = ("ts_event_ns", "mid_change_ticks", "label")
"""Columns of features that may have nulls in a Parquet file, also where all rows have a value."""
