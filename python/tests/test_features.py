"""Features with labels: the program's table, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest
from conftest import Program, quietly, warned

import papertrader

LISTS = [
    (["seed"], []),
    (["imbalance_1", "slow = mean(imbalance_1, 50)", "walls = sum(bid_price * bid_size, 1..10)"], ["--label", "mean:30"]),
    (["mid", "spread_ticks", "ofi_1_20"], ["--label", "mid:500ms band 1tick", "--every", "3"]),
]


@pytest.mark.parametrize(("features", "options"), LISTS)
def test_rows_are_the_programs_to_the_bit(
    program: Program, capture: Path, tmp_path: Path, features: list[str], options: list[str]
) -> None:
    table, text = tmp_path / "rows.parquet", tmp_path / "rows.csv"
    for output in (table, text):
        done = program("features", capture, "--features", ",".join(features), *options, "--output", output)
    rows: papertrader.Rows
    names = dict(zip(options[::2], options[1::2]))
    found: list[papertrader.Rows] = []
    said = quietly(
        lambda: found.append(
            papertrader.open(capture).features(
                features, label=names.get("--label"), every=int(names.get("--every", "1"))
            )
        )
    )
    (rows,) = found
    assert said == warned(done.stderr)
    due = parquet.read_table(table)
    ours = rows.to_arrow()
    assert ours.schema.equals(due.schema)
    assert ours.equals(due)
    for name in rows.names:
        assert rows[name].tobytes() == due[name].to_numpy().tobytes()
    read = pd.read_csv(text)
    pd.testing.assert_frame_equal(rows.to_pandas(), read, check_dtype=False, check_exact=True)
    assert rows.rows == rows.counts["rows"] == len(read) > 0
    assert rows.matrix().shape == (rows.rows, len(rows.names))
    assert rows.features == papertrader.feature_list(",".join(features))


def test_columns_are_not_copied(synthetic: Path) -> None:
    rows = papertrader.open(synthetic).features("imbalance_1,mid")
    column = rows["mid"]
    assert rows["mid"] is column
    assert np.shares_memory(column, rows.to_pandas()["mid"].to_numpy())
    chunk = rows.to_arrow()["mid"].chunk(0)
    assert chunk.buffers()[1].address == column.ctypes.data
    times = rows.to_arrow()["ts_recv_ns"].chunk(0)
    assert times.buffers()[1].address == rows["ts_recv_ns"].ctypes.data
    # They live on without what they came from.
    last = column[-1]
    del rows, chunk, times
    assert column[-1] == last and column.flags.writeable


def test_a_table_is_a_mapping(synthetic: Path) -> None:
    rows = papertrader.open(synthetic).features(["imbalance_1"], horizon=10)
    assert list(rows)[:3] == ["capture", "sequence", "venue_sequence_num"] and list(rows)[-1] == "label"
    assert len(rows) == len(list(rows)) and "mid_ticks" in rows and "none" not in rows
    assert set(rows["capture"]) == {str(synthetic)}
    assert rows["ts_recv_ns"].dtype == np.int64 and rows.column("ts_recv_ns").kind == "time"
    unlabelled = np.isnan(rows.label)
    assert unlabelled.sum() == rows.counts["unlabelled"] == 10 and unlabelled[-10:].all()
    assert np.isin(rows.label[~unlabelled], [-1, 0, 1]).all()
    assert rows.matrix(["imbalance_1"])[:, 0].tobytes() == rows["imbalance_1"].tobytes()
    assert repr(rows) == f"<Rows of {rows.rows} rows, {len(rows)} columns>"
    assert rows.product == "BTC-USD" and rows.captures[0]["path"] == str(synthetic)


def test_several_captures_are_one_market(program: Program, synthetic: Path, tmp_path: Path) -> None:
    middle = papertrader.open(synthetic).features("mid")["ts_recv_ns"][2000]
    parts = [tmp_path / "a.frames", tmp_path / "b.frames"]
    program("convert", synthetic, "--output", parts[0], "--to", middle)
    program("convert", synthetic, "--output", parts[1], "--from", middle)
    rows = papertrader.open(parts[::-1]).features("mid")
    assert list(dict.fromkeys(rows["capture"])) == [str(part) for part in parts]
    assert [fact["path"] for fact in rows.captures] == [str(part) for part in parts]


def test_lists_of_features_are_taken_apart() -> None:
    assert papertrader.feature_list("seed")[:2] == ["bid_minus_ask", "bid_size_1"]
    assert papertrader.feature_list("mid,x = max(mid, 1)") == ["mid", "x = max(mid, 1)"]
    with pytest.raises(papertrader.InputError, match="unknown feature 'nope'"):
        papertrader.feature_list("nope")
