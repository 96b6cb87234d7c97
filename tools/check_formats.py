"""Files for other programs, read by those programs.

    check_formats.py book CAPTURE EVENTS.npz        hftbacktest's book after every event, from a capture's own JSON
    check_formats.py record RUN.csv MIDS.csv        hftbacktest's record and the returns of a run, from its trades and mids
    check_formats.py table TABLE.csv TABLE.parquet  the same table by pyarrow, polars and pandas
    check_formats.py levels ROWS.csv ROWS.parquet   rows of levels: Tardis' CSV, and Parquet with the same columns

MIDS.csv is what `papertrader features CAPTURE --features mid -o MIDS.csv` writes. `--self-test` falsifies what was read and demands
that each falsification is found.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
DEPTH, CLEAR, SNAPSHOT = 1, 3, 4
DAY_NS = 86_400_000_000_000
STEP_NS = 10_000_000_000


def fail(text):
    sys.exit(f"check_formats: {text}")


def demand(good, text):
    if not good:
        fail(text)


# The book


def rows_of(capture):
    """Rows that hftbacktest should see of a capture in Coinbase's format, with the number of the frame of each."""
    opened = gzip.open if capture.suffix == ".gz" else open
    rows, frame, local, exch = [], -1, -1, -1
    with opened(capture, "rt") as lines:
        for line in lines:
            at, message = line.split(" ", 1)
            message = json.loads(message)
            if message["channel"] != "l2_data":
                continue
            for event in message["events"]:
                frame += 1
                # Rows of one time would be one frame.
                local = max(int(at), local + 1)
                is_snapshot = event["type"] == "snapshot"
                kind = SNAPSHOT if is_snapshot else DEPTH
                times = [pd.Timestamp(update["event_time"]).value for update in event["updates"][:1]]
                wanted = times[0] if times and times[0] else local
                exch = min(max(wanted, exch), local)
                if is_snapshot:
                    rows.append((frame, CLEAR | EXCH | LOCAL, exch, local, 0.0, 0.0))
                for update in event["updates"]:
                    side = {"bid": BUY, "offer": SELL}[update["side"]]
                    size = float(update["new_quantity"])
                    if size > 0 or not is_snapshot:
                        flags = kind | side | EXCH | LOCAL
                        rows.append((frame, flags, exch, local, float(update["price_level"]), size))
    names = "frame ev exch_ts local_ts px qty".split()
    kinds = [np.int64, np.uint64, np.int64, np.int64, np.float64, np.float64]
    return {name: np.array(column, kind) for name, column, kind in zip(names, zip(*rows), kinds)}


def decimals_of(numbers):
    return max(len(np.format_float_positional(number, trim="-").partition(".")[2]) for number in numbers)


def check_rows(expected, data):
    demand(len(data) == len(expected["ev"]), f"{len(data)} rows instead of {len(expected['ev'])}")
    for name in ("ev", "exch_ts", "local_ts", "px", "qty"):
        different = np.flatnonzero(data[name] != expected[name])
        if len(different):
            row = different[0]
            fail(f"row {row}: {name} is {data[name][row]} instead of {expected[name][row]}")
    for name in ("order_id", "ival", "fval"):
        demand(not data[name].any(), f"{name} is not 0 everywhere")


def compiled():
    """The comparison."""
    from numba import njit

    @njit
    def compare(hbt, frames, ends, sides, ticks, sizes, resets, prices):
        """Frame by frame: both books, all prices that ever occur. Gives the first frame that differs, or −1, and what was compared."""
        bids, asks = np.zeros(len(prices)), np.zeros(len(prices))
        compared, row = 0, 0
        for frame in range(frames):
            # 2: a message; after the last one the data has ended.
            if hbt.wait_next_feed(False, 10**15) != (2 if frame + 1 < frames else 1):
                return frame, compared
            while row < ends[frame]:
                if resets[row]:
                    bids[:] = 0.0
                    asks[:] = 0.0
                elif sides[row] > 0:
                    bids[ticks[row]] = sizes[row]
                else:
                    asks[ticks[row]] = sizes[row]
                row += 1
            depth = hbt.depth(0)
            best_bid, best_ask = -1, -1
            for at in range(len(prices)):
                tick = prices[at]
                if bids[at] > 0:
                    best_bid = at
                if asks[at] > 0 and best_ask < 0:
                    best_ask = at
                if depth.bid_qty_at_tick(tick) != bids[at] or depth.ask_qty_at_tick(tick) != asks[at]:
                    return frame, compared
                compared += 2
            if best_bid >= 0 and (depth.best_bid_tick != prices[best_bid] or depth.best_bid_qty != bids[best_bid]):
                return frame, compared
            if best_ask >= 0 and (depth.best_ask_tick != prices[best_ask] or depth.best_ask_qty != asks[best_ask]):
                return frame, compared
        return -1, compared

    return compare


def compare_books(compare, expected, data):
    """Shows hftbacktest `data` and follows `expected` beside it."""
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest

    is_level = (expected["ev"] & 0xFF) != CLEAR
    decimals = decimals_of(np.unique(expected["px"][is_level]))
    tick_of = np.rint(expected["px"] * 10.0**decimals).astype(np.int64)
    prices = np.unique(tick_of[is_level])
    lot = 10.0 ** -decimals_of(np.unique(expected["qty"]))
    asset = (
        BacktestAsset()
        .data([np.ascontiguousarray(data)])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(float(f"1e-{decimals}"))
        .lot_size(lot)
    )
    hbt = HashMapMarketDepthBacktest([asset])
    frames = int(expected["frame"][-1]) + 1
    ends = np.searchsorted(expected["frame"], np.arange(frames), side="right")
    sides = np.where(expected["ev"] & BUY, 1, -1)
    at = np.searchsorted(prices, np.where(is_level, tick_of, prices[0]))
    found, compared = compare(hbt, frames, ends, sides, at, expected["qty"], ~is_level, prices)
    hbt.close()
    return found, compared, frames, len(prices)


def check_book(capture, npz, self_test):
    expected, data = rows_of(capture), np.load(npz)["data"]
    check_rows(expected, data)
    compare = compiled()
    found, compared, frames, prices = compare_books(compare, expected, data)
    demand(found < 0, f"{capture.name}: hftbacktest's book is another after frame {found}")
    print(
        f"check_formats: {npz.name}: {len(data)} rows; hftbacktest's book equals the capture's after each of {frames} "
        f"frames at {prices} prices on both sides ({compared} quantities, all of them)"
    )
    if self_test:
        false = data.copy()
        row = np.flatnonzero((false["ev"] & 0xFF) == DEPTH)[len(false) // 2]
        false["qty"][row] += 1
        found, *_ = compare_books(compare, expected, false)
        demand(found == expected["frame"][row], "a falsified quantity was not found")
        print(f"check_formats: {npz.name}: a falsified quantity was found in frame {found}")


# A run's record and returns


def states(trades, sequences, fee_rate):
    """Position, balance, fee, number, volume and value of trades after frames."""
    table = np.zeros((len(sequences), 6))
    for side, amounts in (("buy", trades.buy_amount), ("sell", trades.sell_amount)):
        happened = np.searchsorted(trades[f"{side}_sequence_number"].to_numpy(), sequences, side="right")
        sign = 1 if side == "buy" else -1
        filled = trades.volume - (trades.unsold_volume if side == "sell" else 0)
        sums = [sign * trades.volume, -sign * amounts, fee_rate * amounts, 0 * amounts + 1, filled, amounts]
        for column, values in enumerate(sums):
            table[:, column] += np.concatenate([[0.0], np.cumsum(values)])[happened]
    return table


def check_record(run, mids, self_test):
    from hftbacktest.stats import LinearAssetRecord

    trades, report = pd.read_csv(run), json.loads(run.with_suffix(".json").read_text())
    frames = pd.read_csv(mids)
    times, prices = frames.ts_recv_ns.to_numpy(), frames.mid.to_numpy()
    demand((np.diff(times) >= 0).all(), f"{mids}: times go back")
    fee_rate, bought = report["settings"]["fee_bps"] / 1e4, max(report["trades"]["bought"], 1.0)
    archive = np.load(run.with_suffix(".equity.npz"))
    demand(archive.files == ["0"], f"the archive holds {archive.files}")
    record = archive["0"]

    from hftbacktest.types import record_dtype

    demand(record.dtype == np.dtype(record_dtype.descr), f"the dtype is {record.dtype}")
    # Row by row: the first is before any trade, the last after all, those between stand at whole multiples of ten seconds.
    at = np.searchsorted(times, record["timestamp"], side="right") - 1
    expected = states(trades, frames.sequence.to_numpy()[at], fee_rate)
    expected[0] = 0
    expected[-1] = states(trades, np.array([2**62]), fee_rate)[0]
    grid = np.arange(-(-(times[0] + 1) // STEP_NS) * STEP_NS, times[-1], STEP_NS)
    expected_times = np.concatenate([times[:1], grid, times[-1:]])
    names = ["position", "balance", "fee", "num_trades", "trading_volume", "trading_value"]

    def differences(record):
        if not np.array_equal(record["timestamp"], expected_times):
            return "the times are others"
        if not np.array_equal(record["price"], prices[at]):
            return "the mids are others"
        for column, name in enumerate(names):
            scale = max(np.abs(expected[:, column]).max(), 1e-300)
            if np.abs(record[name] - expected[:, column]).max() > 1e-9 * scale:
                return f"{name} is another"
        return None

    found = differences(record)
    demand(found is None, f"{run.name}: {found}")
    stats = LinearAssetRecord(record).stats()
    equity = (stats.entire["equity_wo_fee"] - stats.entire["fee"])[-1]
    profit = report["trades"]["net_profit"]
    demand(abs(equity - profit) <= 1e-10 * bought, f"{run.name}: hftbacktest's equity is {equity}, the report's profit {profit}")
    print(
        f"check_formats: {run.stem}: {len(record)} rows of the record by trades and mids; hftbacktest's statistics end at "
        f"{equity:.9g}, the report's net profit is {profit:.9g}"
    )

    # Returns: what the account is worth at each midnight by the mid then, and at the end.
    capital = max_needed(trades, fee_rate) if arguments_capital is None else arguments_capital
    worth = pd.Series(
        record["balance"] + record["position"] * record["price"] - record["fee"],
        pd.to_datetime(record["timestamp"] - 1, utc=True),
    )
    # A day has frames after the midnight with which it begins.
    has_frames = pd.to_datetime(times[1:] - 1, utc=True).floor("D").unique()
    by_day = worth.groupby(worth.index.floor("D")).last()
    by_day = by_day[by_day.index.isin(has_frames)] + capital
    expected_returns = by_day / by_day.shift(1, fill_value=capital) - 1 if capital else by_day * 0
    returns = pd.read_csv(run.with_suffix(".returns.csv"), parse_dates=["date"], index_col="date")["return"]
    demand(list(returns.index.tz_localize("UTC")) == list(expected_returns.index), f"{run.name}: the days are others")
    error = np.abs(returns.to_numpy() - expected_returns.to_numpy()).max()
    demand(error < 1e-9, f"{run.name}: a return differs by {error}")
    total = capital * ((1 + returns).prod() - 1)
    demand(abs(total - profit) < 1e-8 * max(capital, 1), f"{run.name}: the returns come to {total} instead of {profit}")
    print(f"check_formats: {run.stem}: {len(returns)} days' returns of a capital of {capital:.9g} by pandas")
    if self_test:
        for name in ["timestamp", "price", *names]:
            false = record.copy()
            row = np.argmax(np.abs(false[name]))
            false[name][row] = false[name][row] * 1.01 + 1
            demand(differences(false) is not None, f"a falsified {name} was not found")
        print(f"check_formats: {run.stem}: {2 + len(names)} falsified columns were found")


def max_needed(trades, fee_rate):
    """The most that is held at a time, at cost, and the losses until then: event by event, sales of a frame first."""
    events = [(sequence, 1, row) for row, sequence in enumerate(trades.buy_sequence_number)]
    events += [(sequence, 0, row) for row, sequence in enumerate(trades.sell_sequence_number)]
    buys, sells = trades.buy_amount.to_numpy(), trades.sell_amount.to_numpy()
    held = net = most = 0.0
    for _, is_purchase, row in sorted(events):
        if is_purchase:
            held += buys[row]
            net -= fee_rate * buys[row]
        else:
            held -= buys[row]
            net += sells[row] - buys[row] - fee_rate * sells[row]
        most = max(most, held + max(0.0, -net))
    return most


# Tables


def check_table(csv, parquet, self_test):
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pd.read_csv(csv, dtype=str, keep_default_na=False)
    arrow, frame, panda = pq.read_table(parquet), pl.read_parquet(parquet), pd.read_parquet(parquet)
    kinds = {"time": 0, "whole": 0, "double": 0, "text": 0}

    def compare(text):
        for reader, names, rows in (
            ("pyarrow", arrow.column_names, arrow.num_rows),
            ("polars", frame.columns, frame.height),
            ("pandas", list(panda.columns), len(panda)),
        ):
            if names != list(text.columns) or rows != len(text):
                return f"{reader} reads {rows} rows of {names}"
        for name in text.columns:
            cells, column, other = text[name].to_numpy(), arrow.column(name), frame[name]
            kind = column.type
            null = cells == ""
            if name.endswith("_ns"):
                if kind != pa.timestamp("ns", "UTC") or other.dtype != pl.Datetime("ns", "UTC"):
                    return f"{name} is {kind} by pyarrow and {other.dtype} by polars"
                if str(panda[name].dtype) != "datetime64[ns, UTC]":
                    return f"{name} is {panda[name].dtype} by pandas"
                # Where the venue tells no time CSV has 0.
                null |= cells == "0" if name == "ts_event_ns" else False
                read = [column.cast(pa.int64()).to_pandas(integer_object_nulls=True).to_numpy(object), other.dt.epoch("ns").to_numpy()]
                wanted, counted = cells, "time"
            elif pa.types.is_integer(kind):
                read, counted = [column.to_pandas(integer_object_nulls=True).to_numpy(object), other.to_numpy()], "whole"
            elif pa.types.is_float64(kind):
                read, counted = [column.to_numpy(), other.to_numpy()], "double"
            elif pa.types.is_string(kind):
                read, counted = [column.to_pandas().to_numpy(object), other.to_numpy()], "text"
            else:
                return f"{name} is {kind}"
            kinds[counted] += 1
            if not np.array_equal(column.is_null().to_numpy(), null) or not np.array_equal(other.is_null().to_numpy(), null):
                return f"{name} has other empty cells"
            full = ~null
            parse = {"time": np.int64, "whole": np.int64, "double": np.float64, "text": object}[counted]
            wanted = cells[full].astype(object if parse is object else str).astype(parse)
            for reader, values in zip(("pyarrow", "polars"), read):
                if not np.array_equal(np.asarray(values)[full].astype(parse), wanted):
                    return f"{name} has other values by {reader}"
        return None

    found = compare(text)
    demand(found is None, f"{parquet.name}: {found}")
    what = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    print(f"check_formats: {parquet.name}: {len(text)} rows as in the CSV, by pyarrow, polars and pandas; columns: {what}")
    if self_test and len(text):
        for name in text.columns:
            false = text.copy()
            row = len(false) // 2
            false.loc[row, name] = "8" if false.loc[row, name] == "7" else "7"
            demand(compare(false) is not None, f"a falsified {name} was not found")
        print(f"check_formats: {parquet.name}: {len(text.columns)} falsified cells were found")


def check_levels(csv, parquet, self_test):
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pd.read_csv(csv, dtype={"price": str, "amount": str})
    arrow, frame = pq.read_table(parquet), pl.read_parquet(parquet)
    demand(arrow.num_rows == frame.height == len(text), f"{parquet.name}: {arrow.num_rows} rows instead of {len(text)}")
    for name in ("timestamp", "local_timestamp"):
        kind, other = arrow.schema.field(name).type, frame.schema[name]
        demand(kind == pa.timestamp("ns", "UTC"), f"{name} is {kind} by pyarrow")
        demand(other == pl.Datetime("ns", "UTC"), f"{name} is {other} by polars")
        # Where the venue gave no time, Tardis' rows say that of receipt.
        read = pl.coalesce(name, "local_timestamp")
        read = frame.select(read.dt.epoch("ns"))[name].to_numpy() // 1_000
        # Tardis has microseconds: frames of one have the next ones there.
        later = text[name].to_numpy() - read
        demand(later.min() >= 0 and later.max() < 1_000, f"{parquet.name}: {name} is off by {later.min()} to {later.max()} us")
        demand((later == 0).mean() > 0.99, f"{parquet.name}: {name} has other values")
    checked = 0
    for name in ("exchange", "symbol", "is_snapshot", "side"):
        if name in frame.columns:
            checked += 1
            demand(list(frame[name]) == list(text[name]), f"{parquet.name}: {name} has other values")
            demand(arrow.column(name).to_pylist() == list(text[name]), f"{parquet.name}: {name} has other values by pyarrow")
    demand({"is_snapshot", "side"} <= set(frame.columns), f"{parquet.name}: it has {frame.columns}")
    for name in ("price", "amount"):
        wanted = text[name].astype(float).to_numpy()
        demand(np.array_equal(frame[name].cast(pl.Float64).to_numpy(), wanted), f"{parquet.name}: {name} has other values")
        demand(np.array_equal(arrow.column(name).cast(pa.float64()).to_numpy(), wanted), f"{parquet.name}: {name} by pyarrow")
    print(f"check_formats: {parquet.name}: {len(text)} rows of levels as in the CSV, by pyarrow and polars")


def main():
    global arguments_capital
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["book", "record", "table", "levels"])
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--capital", type=float, help="what the run was given as --capital")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    arguments_capital = arguments.capital
    checks = {"book": check_book, "record": check_record, "table": check_table, "levels": check_levels}
    checks[arguments.what](arguments.one, arguments.other, arguments.self_test)


if __name__ == "__main__":
    main()
