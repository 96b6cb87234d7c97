"""The numbers of RUN.json from their sources, by the formulas of simulations/README.md: `trades` from the trade log,
`executions` from the logs of orders, fills, markouts and legs, `observed` from the evaluations and the features, `timing.stages` from the interval log.

Nothing is taken from the program but those files, so that tools/check_report.py can compare.
"""

import json

import numpy as np
import pandas as pd
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from scipy.stats import t as students_t

FEES_BPS = [0.0, 0.5, 1.0, 2.5, 10.0, 60.0]
# The lowest taker fee that a venue publishes: no verdict counts less.
LOWEST_TAKER_FEE_BPS = 0.5
# The share of an amount that rounding may leave of it.
ROUNDING = 1e-12
SHARES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
REPLICATES, SEED = 1000, 1
TRADES_MIN, BLOCKS_MIN, BLOCKS_MAX = 30, 20, 50
INTERVALS = ["gross_bps", "verdict_bps", "net_bps"]
CELLS_PER_BLOCK, CELLS_MAX = 10, 50_000
HOUR_NS = 3_600_000_000_000
BINS, IMBALANCE_BINS, TENTHS, BUCKETS, EVERY = 2000, 1999, 10, 2048, 16
WINDOW_ROWS, DRIFT_WINDOWS, SHARE_FLOOR, SHIFTED, USUAL_TIMES = 2048, 20, 1e-4, 0.25, 2
SLICES, CELLS, HORIZONS_PER_BLOCK = 128, 2048, 10
ASINH_STEP, ASINH_STEPS_MAX = 0.002, 7_500
# Range and precision of the program's histograms.
LOWEST_NS, HIGHEST_NS, DIGITS = 1, 60_000_000_000, 3


def over(part, whole):
    return float(part / whole) if whole > 0 else None


# -- trades


def quantiles(values):
    """Nearest rank: the ⌈share · n⌉-th smallest."""
    if values.empty:
        return None
    ordered = np.sort(values.to_numpy(dtype=float))
    ranks = {name: min(max(int(np.ceil(share * len(ordered))), 1), len(ordered)) for name, share in SHARES.items()}
    return {name: float(ordered[rank - 1]) for name, rank in ranks.items()}


def grouped(trades, key, groups):
    """Number, winners and profit of the trades by group, empty groups included."""
    table = trades.groupby(key).profit.agg(trades="size", winners=lambda profit: (profit > 0).sum(), profit="sum")
    table = table.reindex(groups, fill_value=0)
    return [
        {"trades": int(row.trades), "winners": int(row.winners), "profit": float(row.profit)} for row in table.itertuples()
    ]


class Xoshiro:
    """xoshiro256++ (Blackman and Vigna), its state filled by splitmix64."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & self.MASK
            mixed = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
            mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & self.MASK
            self.state.append(mixed ^ (mixed >> 31))

    def next(self):
        a, b, c, d = self.state
        rotated = lambda value, by: ((value << by) | (value >> (64 - by))) & self.MASK
        result = (rotated((a + d) & self.MASK, 23) + a) & self.MASK
        c, d, shifted = c ^ a, d ^ b, (b << 17) & self.MASK
        b, a = b ^ c, a ^ d
        self.state = [a, b, c ^ shifted, rotated(d, 45)]
        return result


def cells_of(times_ns, block_s, tenths):
    """The cell of each time, a cell being so many tenths of a block, and the cells of a block; no hole is longer than one."""
    cell_s, per_block = block_s / CELLS_PER_BLOCK * tenths, -(-CELLS_PER_BLOCK // tenths)
    number = np.maximum.accumulate(((times_ns - times_ns[0]).astype(float) / max(cell_s * 1e9, 1.0)).astype(np.int64))
    return np.concatenate([[0], np.cumsum(np.minimum(np.diff(number), per_block))]), cell_s, per_block


def dependence_cells(series):
    """The block length by Politis and White (2004) and Patton, Politis and White (2009), for the circular bootstrap."""
    n = len(series)
    if n < BLOCKS_MIN:
        return 0.0
    successive = max(5, int(np.ceil(np.sqrt(np.log10(n)))))
    lag_max = min(int(np.ceil(np.sqrt(n))) + successive, n - 1)
    centred = series - series.mean()
    covariances = np.array([centred[lag:] @ centred[: n - lag] for lag in range(lag_max + 1)]) / n
    if not covariances[0] > 0:
        return 0.0
    stands_out = np.abs(covariances) >= 2 * np.sqrt(np.log10(n) / n) * covariances[0]
    quiet = (lag for lag in range(lag_max - successive + 1) if not stands_out[lag + 1 : lag + 1 + successive].any())
    window = min(2 * max(next(quiet, np.flatnonzero(stands_out)[-1]), 1), lag_max)
    lags = np.arange(1, window + 1)
    weights = 2 * np.minimum(2 * (1 - lags / window), 1.0) * covariances[1 : window + 1]
    spectrum, slope = covariances[0] + weights.sum(), (weights * lags).sum()
    if spectrum <= 0:
        return 0.0
    length = np.cbrt(2 * slope**2 / (4 / 3 * spectrum**2) * n)
    return min(length, np.ceil(min(3 * np.sqrt(n), n / 3)))


def is_in_time(trades):
    """Whether no sale's receive time lies more than a second before an earlier one's."""
    times_ns = trades.sell_ts_recv_ns
    return not trades.empty and (times_ns.cummax() - times_ns).max() <= 1_000_000_000


def resamples(count, per_block):
    """How often each cell is in each resample: circular blocks of so many cells."""
    for replicate in range(REPLICATES):
        random = Xoshiro(SEED ^ (replicate << 32 | 0x0B007057))
        edges = np.zeros(2 * count + 1)
        for drawn in range(0, count, per_block):
            start = (random.next() * count) >> 64
            edges[start] += 1
            edges[start + min(per_block, count - drawn)] -= 1
        # What reaches over the end goes on at the beginning.
        yield np.cumsum(edges[:-1]).reshape(2, count).sum(axis=0)


def half_widths(resampled, blocks):
    """Of 95 % intervals, by Student's t."""
    factor = students_t.ppf(0.975, blocks - 1) * np.sqrt(blocks / (blocks - 1))
    return factor * np.std(resampled, axis=0, ddof=1)


def bootstrap(times_ns, held_s, rows, spent, net_of, figures, names):
    """95 % by a circular block bootstrap with Student's t: of `figures` over the sums of columns of `rows`."""
    shortest_s = max(10.0 * held_s["p50"], 2.0 * held_s["p95"], 0.001)
    cell, cell_s, per_block = cells_of(times_ns, shortest_s, 1)
    if (tenths := -(-int(cell[-1] + 1) // CELLS_MAX)) > 1:
        cell, cell_s, per_block = cells_of(times_ns, shortest_s, tenths)
    count = int(cell[-1]) + 1
    sums = rows.groupby(cell).sum().reindex(range(count), fill_value=0.0)
    sums = {name: sums[name].to_numpy() for name in sums}
    bought, net = sums[spent], net_of(sums)
    needed = int(np.ceil(2.0 * dependence_cells(net - net.sum() / bought.sum() * bought)))
    per_block = max(per_block, needed, -(-count // BLOCKS_MAX))
    whole = count // per_block
    blocks = int((bought[: whole * per_block].reshape(whole, per_block) > 0).any(axis=1).sum())
    found = {"blocks": blocks, "settings": {"block_s": cell_s * per_block, "replicates": REPLICATES, "seed": SEED}}
    if blocks < BLOCKS_MIN:
        return found | dict.fromkeys(names)

    def of(times):
        """The figures of the cells so many times each."""
        return figures({name: times @ values for name, values in sums.items()})

    resampled = [of(times) for times in resamples(count, per_block) if times @ bought > 0]
    if 2 * len(resampled) < REPLICATES:
        return found | dict.fromkeys(names)
    halves = half_widths(resampled, blocks)
    return found | {
        name: {"low": float(figure - half), "high": float(figure + half)}
        for name, figure, half in zip(names, of(np.ones(count)), halves)
    }


def interval(trades, fee_bps, held_s):
    """Of the trades, gross and net."""
    if not is_in_time(trades):
        return None

    def bps(sums):
        """Gross profit, and net profit at the verdict's fee and at the run's."""
        gross, spent, earned = sums["profit"], sums["buy_amount"], sums["sell_amount"]
        fees = [0.0, max(fee_bps, LOWEST_TAKER_FEE_BPS), fee_bps]
        return [1e4 * (gross - fee / 1e4 * (spent + earned)) / spent for fee in fees]

    rows = trades[["profit", "buy_amount", "sell_amount"]]
    net = lambda sums: sums["profit"] - fee_bps / 1e4 * (sums["buy_amount"] + sums["sell_amount"])
    return bootstrap(trades.buy_ts_recv_ns.to_numpy(), held_s, rows, "buy_amount", net, bps, INTERVALS)


def doubtful(trades, lot):
    """Trades that no market would have made like that: held across a gap, from liquidity taken before, less than a lot."""
    columns = ["snapshots_while_held", "updates_late", "buy_volume_taken_again", "sell_volume_taken_again"]
    return (trades[columns] > 0).any(axis=1) | (trades.volume < lot * (1 - ROUNDING))


def finding(trades, sure, others=None):
    """Of so many trades and their interval; `others` gives the same of those without doubts, where there are doubts."""
    if trades == 0:
        return "no_trades"
    if sure is None or sure["verdict_bps"] is None or trades < TRADES_MIN:
        return "too_few"
    if sure["verdict_bps"]["low"] > 0:
        return "gain" if others is None or finding(*others()) == "gain" else "gain_in_doubt"
    if sure["gross_bps"]["low"] > 0:
        return "gain_before_fees_only"
    return "loss" if sure["verdict_bps"]["high"] < 0 else "undecided"


def held_across_gaps(trades):
    """Trades with a snapshot between purchase and sale or a sale that waited, and what the others come to."""
    if not {"snapshots_while_held", "updates_late"} <= set(trades.columns):
        return None
    held = (trades.snapshots_while_held > 0) | (trades.updates_late > 0)
    others = trades[~held]
    bought, sold, profit = (float(others[name].sum()) for name in ["buy_amount", "sell_amount", "profit"])
    return {
        "trades": int(held.sum()),
        "gross_profit": float(trades.profit[held].sum()),
        "others_gross_profit": profit,
        "others_gross_bps": over(1e4 * profit, bought),
        "others_break_even_fee_bps": over(1e4 * profit, bought + sold),
    }


def took_again(trades):
    """Trades that took volume which an earlier fill of the run had taken from the same level."""
    columns = ["buy_volume_taken_again", "sell_volume_taken_again"]
    return int((trades[columns] > 0).any(axis=1).sum()) if set(columns) <= set(trades.columns) else None


def trade_numbers(trades, fee_bps, lot):
    """`trades` of RUN.json from the rows of RUN.csv, the run's fee and the product's lot."""
    trades = trades.assign(profit=trades.profit.where(trades.profit.abs() > ROUNDING * trades.buy_amount, 0.0))
    bought, sold, profit = (float(trades[name].sum()) for name in ["buy_amount", "sell_amount", "profit"])
    profit = profit if abs(profit) > ROUNDING * bought else 0.0
    winners, losers = int((trades.profit > 0).sum()), int((trades.profit < 0).sum())
    verdict_fee = max(fee_bps, LOWEST_TAKER_FEE_BPS)
    bps = lambda amount: over(1e4 * amount, bought)
    net = lambda fee: profit - fee / 1e4 * (bought + sold)
    cumulative = trades.profit.cumsum()
    held_updates = trades.sell_sequence_number - trades.buy_sequence_number
    held_s = quantiles((trades.sell_ts_recv_ns - trades.buy_ts_recv_ns) / 1e9)
    tenths, hours = [], []
    if not trades.empty:
        first, last = int(trades.buy_sequence_number.min()), int(trades.sell_sequence_number.max())
        span = last - first + 1
        tenth = (trades.sell_sequence_number - first) * 10 // span
        tenths = [
            {"from_sequence": first + -(-number * span // 10)} | row
            for number, row in enumerate(grouped(trades, tenth, range(10)))
        ]
        since = trades.sell_ts_recv_ns - trades.buy_ts_recv_ns.min()
        length = int(since.max() // HOUR_NS)
        if 2 <= length <= 744 and is_in_time(trades):
            rows = grouped(trades, since.clip(lower=0) // HOUR_NS, range(length + 1))
            hours = [{"hour": hour} | row for hour, row in enumerate(rows)]
    sure = interval(trades, fee_bps, held_s)
    doubts = doubtful(trades, lot)

    def others():
        left = trades[~doubts]
        held_s = quantiles((left.sell_ts_recv_ns - left.buy_ts_recv_ns) / 1e9)
        return len(left), interval(left, fee_bps, held_s)

    return {
        "trades": len(trades),
        "winners": winners,
        "losers": losers,
        "win_rate": over(winners, len(trades)),
        "bought": bought,
        "sold": sold,
        "gross_profit": profit,
        "gross_bps": bps(profit),
        "fee_bps": fee_bps,
        "net_profit": net(fee_bps),
        "net_bps": bps(net(fee_bps)),
        "break_even_fee_bps": over(1e4 * profit, bought + sold),
        "verdict_fee_bps": verdict_fee,
        "verdict_bps": bps(net(verdict_fee)),
        "by_fee": [
            {"fee_bps": fee, "profit": net(fee), "bps": bps(net(fee)) or 0.0}
            for fee in sorted({*FEES_BPS, LOWEST_TAKER_FEE_BPS, fee_bps})
        ],
        "drawdown_max": float((cumulative.cummax().clip(lower=0) - cumulative).max()) if len(trades) else 0.0,
        "profit_bps": quantiles(1e4 * trades.profit / trades.buy_amount),
        "held_updates": quantiles(held_updates),
        "held_s": held_s,
        "sold_in_part": int((trades.unsold_volume > 0).sum()),
        "held_across_gaps": held_across_gaps(trades),
        "took_again": took_again(trades),
        "below_lot": int((trades.volume < lot * (1 - ROUNDING)).sum()),
        "interval": sure,
        "finding": finding(len(trades), sure, others if doubts.any() else None),
        "tenths": tenths,
        "hours": hours,
    }


# -- executions


ACCOUNTS = ["taker", "maker-through", "maker-queue", "maker-touch"]
OUTCOMES = ["filled", "cancelled", "refused"]
REASONS = ["", "timeout", "due", "book invalid", "end of run", "would cross", "no book", "crossed book", "nothing to take",
           "beyond cap", "below least size"]
PARTS = ["spread", "latency", "walk", "fees", "total"]


def read_executions(path):
    """A log; times that may be empty stay whole, which floats would not keep."""
    return pd.read_csv(path, dtype={"arrived_ts_ns": "Int64", "closed_ts_ns": "Int64"})


def nearest_rank(values, share):
    ordered = np.sort(np.asarray(values, dtype=float))
    return float(ordered[min(max(int(np.ceil(share * len(ordered))), 1), len(ordered)) - 1])


def ended_orders(orders):
    """By outcome and reason, what there was."""
    reasons = orders.reason.fillna("")
    rows = []
    for outcome in OUTCOMES:
        for reason in REASONS:
            purposes = orders.purpose[(orders.outcome == outcome) & (reasons == reason)]
            if len(purposes):
                counts = {"entries": int((purposes == "entry").sum()), "exits": int((purposes == "exit").sum())}
                rows.append({"outcome": outcome, "reason": reason} | counts)
    return {
        "sent": len(orders),
        "filled": int((orders.outcome == "filled").sum()),
        "cancelled": int((orders.outcome == "cancelled").sum()),
        "cancelled_in_part": int(((orders.outcome == "cancelled") & (orders.filled_volume > 0)).sum()),
        "refused": int((orders.outcome == "refused").sum()),
        "ended": rows,
    }


def shortfall_of(fills):
    """The parts of fills that have them."""
    money = {part: float(fills[part].sum()) for part in PARTS}
    value = float(fills.value.sum())
    bps = {part: 1e4 * money[part] / value for part in PARTS} if len(fills) else None
    return {"fills": len(fills), "value": value, "money": money, "bps": bps}


def shortfalls(orders, fills, inverse):
    """Spread, latency, walk and fees against the mid at the decision."""
    middle = lambda bid, ask: (bid + ask) / 2
    orders = orders.assign(
        decided_mid=middle(orders.decided_bid, orders.decided_ask), arrived=middle(orders.arrived_bid, orders.arrived_ask)
    )
    exits = orders[orders.purpose == "exit"].sort_values(["decided_sequence", "order_id"])
    first_exit = exits.drop_duplicates("leg").set_index("leg").decided_mid
    known = fills.merge(orders[["order_id", "leg_mid", "arrived"]], on="order_id", how="left")
    known["reference"] = np.where(known.purpose == "entry", known.leg_mid, known.leg.map(first_exit))
    unknown = int(known.reference.isna().sum())
    known = known[known.reference.notna()].copy()
    takes = known.liquidity == "taker"
    money = lambda at: known.value * known.price / at if inverse else known.value * at / known.price
    direction = np.where((known.side == "buy") != inverse, 1.0, -1.0)
    reference, arrived = money(known.reference), money(known.arrived.fillna(known.reference))
    best = money(known.best.fillna(known.price)).where(takes, known.value)
    cost = lambda money: (direction * money).where(money.abs() > ROUNDING * known.value, 0.0)
    known["spread"], known["latency"] = cost(best - arrived), cost(arrived - reference)
    known["walk"], known["fees"] = cost(known.value - best), known.fee
    known["total"] = cost(known.value - reference) + known.fee
    return {
        "entries": shortfall_of(known[known.purpose == "entry"]),
        "exits": shortfall_of(known[known.purpose == "exit"]),
        "all": shortfall_of(known),
        "unknown": unknown,
    }


def markouts_of(orders, markouts):
    """Where the mid went after entries, in basis points towards their side, by what became of them."""
    table = markouts.merge(orders[["order_id", "side", "leg_mid", "filled_volume"]], on="order_id")
    sign = np.where(table.side == "buy", 1e4, -1e4)
    rows = []
    for updates in [1, 5, 20, 100]:
        drift = sign * (table[f"mid_{updates}"] / table.leg_mid - 1.0)
        of = lambda mask: {
            "count": int(drift[mask].count()),
            "mean_bps": float(drift[mask].mean()) if drift[mask].count() else None,
        }
        rows.append({"updates": updates, "filled": of(table.filled_volume > 0), "unfilled": of(table.filled_volume == 0)})
    return rows


def open_legs(legs, side):
    """What is held at the end."""
    held = legs[(legs.side == side) & (legs.open_volume.fillna(0) > 0)]
    mark = lambda name: None if held.empty or held[name].isna().any() else float(held[name].sum())
    return {
        "legs": len(held),
        "entry_value": float((held.entry_value * held.open_volume / held.entered_volume).sum()),
        "mark_mid": mark("open_mark_mid"),
        "mark_walk": mark("open_mark_walk"),
    }


def with_closed(legs):
    """With the part of each leg that has been exited: its share, its entry value, its net."""
    share = 1.0 - (legs.open_volume.fillna(0.0) / legs.entered_volume).where(legs.entered_volume > 0, 0.0)
    net = legs.profit - (legs.entry_fee * share + legs.exit_fee)
    return legs.assign(closed_share=share, closed_value=legs.entry_value * share, closed_net=net)


def leg_interval(legs):
    """Of the legs that exited something, by the decisions' receive times."""
    legs = with_closed(legs)
    entered = legs[legs.closed_value > 0].sort_values(["decided_sequence", "leg"])
    times_ns = entered.decided_ts_recv_ns
    held_s = quantiles(((entered.closed_ts_ns - times_ns).clip(lower=0) / 1e9).dropna())
    if entered.empty or held_s is None or (times_ns.cummax() - times_ns).max() > 1_000_000_000:
        return None
    rows = entered[["profit", "closed_net", "closed_value"]]
    bps = lambda sums: [1e4 * sums[name] / sums["closed_value"] for name in ("profit", "closed_net")]
    names = ["gross_bps", "net_bps"]
    return bootstrap(times_ns.to_numpy(), held_s, rows, "closed_value", lambda sums: sums["closed_net"], bps, names)


def account_numbers(account, orders, fills, markouts, legs, inverse):
    """One account of `executions` of RUN.json."""
    # What a maker takes of an entry that nobody filled is a second order of its leg.
    entries = orders[(orders.purpose == "entry") & (orders.kind == ("take" if account == "taker" else "post"))]
    filled = entries[entries.outcome == "filled"]
    waited = (filled.ended_ts_ns - filled.arrived_ts_ns).dropna().clip(lower=0) / 1e9
    entered = float(legs.entry_value.sum())
    gross = float(legs.profit.sum())
    gross = gross if abs(gross) > ROUNDING * entered else 0.0
    fees = float((legs.entry_fee + legs.exit_fee).sum())
    parts = with_closed(legs)
    closed = float(parts.closed_value.sum())
    closed_net = float(parts.closed_net.sum())
    closed_net = closed_net if abs(closed_net) > ROUNDING * closed else 0.0
    share = fills.leg.map(parts.set_index("leg").closed_share).where(fills.purpose == "entry", 1.0)
    value = lambda liquidity: float((fills.value * share)[fills.liquidity == liquidity].sum())
    cumulative = legs.net.cumsum()
    fall = (cumulative.cummax().clip(lower=0) - cumulative).max() if len(legs) else 0.0
    return {
        "account": account,
        "legs": len(legs),
        "entered_legs": int((legs.entered_volume > 0).sum()),
        "open_legs": int((legs.open_volume.fillna(0) > 0).sum()),
        "orders": ended_orders(orders),
        "entries": len(entries),
        "entries_filled": len(filled),
        "fill_rate": over(len(filled), len(entries)),
        "time_to_fill_s": {"p50": nearest_rank(waited, 0.5), "p90": nearest_rank(waited, 0.9)} if len(waited) else None,
        "entered_value": entered,
        "closed_value": closed,
        "gross": gross,
        "gross_bps": over(1e4 * gross, closed),
        "fees": fees,
        "net": gross - fees,
        "net_bps": over(1e4 * closed_net, closed),
        "interval": leg_interval(legs),
        "maker_value": value("maker"),
        "taker_value": value("taker"),
        "break_even_maker_bps": over(1e4 * gross, value("maker")),
        "break_even_taker_bps": over(1e4 * gross, value("taker")),
        "drawdown_max": float(fall),
        "open_long": open_legs(legs, "long"),
        "open_short": open_legs(legs, "short"),
        "shortfall": shortfalls(orders, fills, inverse),
        "markouts": markouts_of(orders, markouts),
    }


def is_inverse(legs):
    """Whether whole legs win where their value falls; linear where none tells."""
    whole = legs[(legs.entered_volume > 0) & np.isclose(legs.exited_volume, legs.entered_volume, rtol=1e-9, atol=0.0)]
    turnover = whole.entry_value + whole.exit_value
    rise = (whole.exit_value - whole.entry_value) * np.where(whole.side == "long", 1.0, -1.0)
    tells = rise.abs() > 1e-9 * turnover
    return bool((rise[tells] * whole.profit[tells] < 0).any())


def execution_numbers(orders, fills, markouts, legs):
    """`executions` of RUN.json from the four logs."""
    inverse = is_inverse(legs)
    accounts = []
    for account in ACCOUNTS:
        of = [table[table.account == account] for table in (orders, fills, markouts, legs)]
        if len(of[0]) or len(of[3]):
            accounts.append(account_numbers(account, *of, inverse))
    makers = [row for row in accounts if row["account"] != "taker"]
    if not makers:
        return {"accounts": accounts, "makers": None}
    bracket = lambda values: None if None in values else {"low": min(values), "high": max(values)}
    ends = [row["interval"] and row["interval"]["net_bps"] for row in makers]
    wide = None if None in ends else {"low": min(end["low"] for end in ends), "high": max(end["high"] for end in ends)}
    return {
        "accounts": accounts,
        "makers": {
            "net": bracket([row["net"] for row in makers]),
            "net_bps": bracket([row["net_bps"] for row in makers]),
            "net_bps_interval": wide,
        },
    }


# -- observed


def signs(table, horizon):
    """What the mid did `horizon` updates after each row, by sequence number: 1, 0, −1, or NaN where nobody knows."""
    # In the capture's ticks: equal mids are equal doubles.
    mids = table.mid_ticks.to_numpy()
    later = pd.Series(mids, index=table.sequence).reindex(table.sequence + horizon)
    return pd.Series(np.sign(later.to_numpy() - mids), index=table.sequence)


def counts(sign):
    return {
        "up": int((sign > 0).sum()),
        "down": int((sign < 0).sum()),
        "tied": int((sign == 0).sum()),
        "unknown": int(sign.isna().sum()),
    }


def area(scores, up):
    """Under the ROC curve; None without both outcomes."""
    ranks = scores.rank()
    ups, downs = int(up.sum()), int((~up).sum())
    return over(ranks[up].sum() - ups * (ups + 1) / 2, ups * downs)


def slices(table, horizon):
    """Evaluations with a known outcome in slices of equally many, and the intervals of the areas under the curve."""
    known = table[table.sign.notna()]
    per_slice = horizon
    while len(known) > SLICES * per_slice:
        per_slice *= 2
    at = np.arange(len(known)) // per_slice
    count = int(at[-1]) + 1 if len(known) else 0
    up, down = known.sign > 0, known.sign < 0
    by_slice = lambda values: values.groupby(at).sum().reindex(range(count), fill_value=0)
    ups, downs = (by_slice(side.astype(int)).to_numpy() for side in (up, down))
    placements = {}
    for name, column in [("model", "step"), ("imbalance_1", "imbalance")]:
        score = known[column].to_numpy()
        placed = {}
        for side, own, others, sign in [("up", up, down, 1), ("down", down, up, -1)]:
            # The share of the other side that this one beats, half of those that are equal.
            other = np.sort(sign * score[others.to_numpy()])
            lower, higher = (np.searchsorted(other, sign * score, kind) for kind in ("left", "right"))
            share = pd.Series((lower + higher) / 2 / max(len(other), 1), index=known.index).where(own, 0.0)
            placed[side] = by_slice(share).to_numpy()
        placements[name] = placed
    found = {"evaluations_per_slice": per_slice, "up": ups.tolist(), "down": downs.tolist()}
    found |= {name: {side: sums.tolist() for side, sums in placed.items()} for name, placed in placements.items()}
    return found, auc_intervals(ups, downs, placements, per_slice, evaluations_needed(known, horizon))


def evaluations_needed(known, horizon):
    """How long a block must be: ten horizons, and what dependence between cells of a horizon or more asks for."""
    per_cell, shortest = horizon, HORIZONS_PER_BLOCK * horizon
    while len(known) > CELLS * per_cell:
        per_cell *= 2
    at = np.arange(len(known)) // per_cell
    moved, up = (known.sign != 0).astype(float), (known.sign > 0).astype(float)
    loss = moved * np.logaddexp(0.0, np.where(up > 0, -known.logit, known.logit))
    needed = -(-shortest // per_cell)
    for part, whole in [(loss, moved), (up, moved), (up * known.reached, moved * known.reached)]:
        part, whole = (side.groupby(at).sum().to_numpy() for side in (part, whole))
        ratio = part.sum() / whole.sum() if whole.sum() else 0.0
        needed = max(needed, int(np.ceil(2.0 * dependence_cells(part - ratio * whole))))
    return max(needed * per_cell, shortest)


def auc_intervals(ups, downs, placements, per_slice, evaluations_needed):
    """95 % of areas under the curve, to first order from placements (Obuchowski 1997), by circular blocks of slices."""
    count, all_ups, all_downs = len(ups), ups.sum(), downs.sum()
    areas = [float(placed["up"].sum() / all_ups) if all_ups and all_downs else None for placed in placements.values()]
    per_block = max(-(-evaluations_needed // per_slice), -(-count // BLOCKS_MAX), 1)
    whole = count // per_block
    blocks = int(((ups + downs)[: whole * per_block].reshape(whole, per_block) > 0).any(axis=1).sum())
    found = {"blocks": blocks, "evaluations_per_block": per_block * per_slice}
    found |= {"evaluations_needed": evaluations_needed, "replicates": REPLICATES, "seed": SEED}
    names = ["auc", "imbalance_1_auc", "difference"]
    if blocks < BLOCKS_MIN or None in areas:
        return found | dict.fromkeys(names)

    def figures(times):
        """Areas of the slices so many times each, and their difference."""
        mean = lambda placed, side, counts: times @ placed[side] / (times @ counts)
        resampled = [
            mean(placed, "up", ups) + mean(placed, "down", downs) - area for area, placed in zip(areas, placements.values())
        ]
        return [*resampled, resampled[0] - resampled[1]]

    resampled = [figures(times) for times in resamples(count, per_block) if times @ ups > 0 and times @ downs > 0]
    if 2 * len(resampled) < REPLICATES:
        return found | dict.fromkeys(names)
    halves = half_widths(resampled, blocks)
    ranges = [(0.0, 1.0), (0.0, 1.0), (-1.0, 1.0)]
    return found | {
        name: {"low": float(max(figure - half, low)), "high": float(min(figure + half, high))}
        for name, figure, half, (low, high) in zip(names, [*areas, areas[0] - areas[1]], halves, ranges)
    }


def scores(moved, tied):
    """Over the evaluations after which the mid moved; `tied` are as many after which it stayed."""
    tied_share = over(tied, len(moved) + tied)
    if moved.empty:
        names = ["auc", "imbalance_1_auc", "log_loss", "brier", "accuracy", "base_rate", "ece"]
        return dict.fromkeys(names) | {"tied_share": tied_share}
    up = moved.sign > 0
    loss = np.logaddexp(0.0, np.where(up, -moved.logit, moved.logit))
    gaps = (moved.probability - up).groupby(moved.tenth).sum().abs()
    return {
        "auc": area(moved.step, up),
        "imbalance_1_auc": area(moved.imbalance, up),
        "tied_share": tied_share,
        "log_loss": float(loss.mean()),
        "brier": float(((moved.probability - up) ** 2).mean()),
        "accuracy": float(((moved.probability >= 0.5) == up).mean()),
        "base_rate": float(up.mean()),
        "ece": float(gaps.sum() / len(moved)),
    }


def calibration(rows, book, probabilities, model, threshold, horizon):
    """`rows`: the model's features by evaluation; `book`: the mid of every live frame; `probabilities`: of the run."""
    # By the venue's numbers, which prints have too; from here on by frames of the book.
    if list(rows.venue_sequence_num) != list(probabilities.index):
        raise ValueError("the table of features has other evaluations than the run")
    probabilities = probabilities.set_axis(rows.sequence)
    logit = rows[[feature["name"] for feature in model["features"]]].to_numpy() @ np.array(
        [feature["coefficient"] for feature in model["features"]]
    )
    table = pd.DataFrame(
        {"probability": probabilities, "logit": logit + model["intercept"], "sign": signs(book, horizon)},
        index=probabilities.index,
    )
    # The probabilities of the run are those of the features.
    apart = (table.probability - 1 / (1 + np.exp(-table.logit))).abs().max()
    if not apart < 1e-9:
        raise ValueError(f"the run's probabilities are not the model's of these features: {apart} apart")
    table["bin"] = (table.probability * BINS).astype(int).clip(upper=BINS - 1)
    table["tenth"] = (table.probability * TENTHS).astype(int).clip(upper=TENTHS - 1)
    table["step"] = np.floor(np.arcsinh(table.logit) / ASINH_STEP).clip(-ASINH_STEPS_MAX, ASINH_STEPS_MAX - 1).astype(int)
    imbalance = book.set_index("sequence").imbalance_1.reindex(table.index)
    table["imbalance"] = np.floor((imbalance + 1) / 2 * IMBALANCE_BINS).clip(0, IMBALANCE_BINS - 1)
    moved = table[table.sign.notna() & (table.sign != 0)]
    table["reached"] = table.probability >= threshold
    in_slices, intervals = slices(table, horizon)
    reached = table.probability >= threshold
    reliability = []
    for tenth in range(TENTHS):
        part = moved[moved.tenth == tenth]
        reliability.append(
            {
                "from": tenth / TENTHS,
                "moved": len(part),
                "mean_probability": float(part.probability.mean()) if len(part) else None,
                "up_share": float((part.sign > 0).mean()) if len(part) else None,
                "tied": int(((table.tenth == tenth) & (table.sign == 0)).sum()),
            }
        )
    return {
        "evaluations": len(table),
        "not_a_number": 0,
        "outcomes": counts(table.sign),
        "at_or_above": counts(table.sign[reached]),
        "below": counts(table.sign[~reached]),
        "score": scores(moved, int((table.sign == 0).sum())),
        "reliability": reliability,
        "bin_count": BINS,
        "bins": [[int(bin), *counts(sign).values()] for bin, sign in table.groupby("bin").sign],
        "logit_bins": [
            [int(step), int((sign > 0).sum()), int((sign < 0).sum())] for step, sign in moved.groupby("step").sign
        ],
        "imbalance_bins": [
            [int(bin), int((sign > 0).sum()), int((sign < 0).sum())] for bin, sign in moved.groupby("imbalance").sign
        ],
        "slices": in_slices,
        "intervals": intervals,
    }


def book_series(book):
    """Buckets of equally many frames, at most 2,048: first, least, greatest, last and mean of each quantity."""
    per_bucket = 1
    while len(book) > BUCKETS * per_bucket:
        per_bucket *= 2
    unit = 10.0 ** book.price_decimals
    quantities = {"mid": book.mid_ticks / unit, "spread": book.spread_ticks / unit, "imbalance": book.imbalance_1}
    bucket = np.arange(len(book)) // per_bucket
    first = book.groupby(bucket).first()
    return {
        "frames_per_bucket": per_bucket,
        "sequence": [int(value) for value in first.sequence],
        "ts_recv_ns": [int(value) for value in first.ts_recv_ns],
        "frames": [int(value) for value in book.groupby(bucket).size()],
    } | {
        name: values.groupby(bucket).agg(["first", "min", "max", "last", "mean"]).to_numpy().tolist()
        for name, values in quantities.items()
    }


def psi(trained, seen):
    """The population stability index of counts over the same bins; None where nothing was seen."""
    if seen.sum() == 0:
        return None
    p, q = (np.maximum(counts / counts.sum(), SHARE_FLOOR) for counts in (trained, seen))
    return float(((q - p) * np.log(q / p)).sum())


def drift(model, rows):
    """How far score and features lie from what the model's file says of the training; None where it does not say."""
    if not model["path"].endswith(".json"):
        return None
    with open(model["path"]) as file:
        trained = json.load(file).get("training_distribution")
    if trained is None:
        return None
    names = [feature["name"] for feature in model["features"]]
    logit = rows[names].to_numpy() @ np.array([feature["coefficient"] for feature in model["features"]]) + model["intercept"]
    lengths, evaluations = trained["window_rows"], len(rows)
    width = WINDOW_ROWS
    while evaluations > DRIFT_WINDOWS * width or lengths and width < lengths[0] and evaluations // width >= 2:
        width *= 2
    length = max((at for at, rows_of in enumerate(lengths) if rows_of <= width), default=None)
    judged = 0 if length is None else evaluations // width

    def quantity(name, bins, values, every, slack):
        # A value on an edge belongs below it. Logits are added up in another order here.
        edges = np.array(bins["edges"])
        places = np.searchsorted(edges + slack * np.maximum(1, np.abs(edges)), values, side="left")
        counted = lambda part: np.bincount(part, minlength=len(bins["counts"]))
        parts = [places[at : at + width // every] for at in range(0, len(places), width // every)]
        windows = [psi(np.array(bins["counts"]), counted(part)) for part in parts]
        usual = None if length is None else bins["psi_max"][length]
        return {
            "name": name,
            "psi": psi(np.array(bins["counts"]), counted(places)),
            "psi_max_trained": usual,
            "windows": windows,
            "windows_out": sum(value > max(USUAL_TIMES * usual, SHIFTED) for value in windows[:judged]),
            "counts": [int(count) for count in counted(places)],
        }

    score = quantity("score", trained["score"], logit, 1, 1e-9)
    features = [
        quantity(name, bins, rows[name].to_numpy()[::EVERY], EVERY, 0) for name, bins in zip(names, trained["features"])
    ]
    out = max(part["windows_out"] for part in (score, *features)) >= max(-(-judged // 2), min(judged, 2))
    return {
        "trained_rows": trained["rows"],
        "evaluations_per_window": width,
        "sequence": [int(value) for value in rows.sequence[::width]],
        "ts_recv_ns": [int(value) for value in rows.ts_recv_ns[::width]],
        "windows_full": evaluations // width,
        "windows_judged": judged,
        "out_of_depth": None if judged == 0 else out,
        "score": score,
        "features": features,
    }


def observed(run, rows, book, probabilities):
    """`observed` of RUN.json, for a run whose book was live and two-sided from its first frame to its last."""
    settings = run["settings"]
    model, horizon = settings["model"], settings["horizon_updates"]
    sampled = rows.iloc[::EVERY]
    return {
        "live_frames": len(book),
        "one_sided_frames": 0,
        "horizon_updates": horizon,
        "label": f"mid:{horizon}",
        "calibration": calibration(rows, book, probabilities, model, settings["threshold"], horizon),
        "features": {
            "every": EVERY,
            "rows": len(sampled),
            "features": [
                {
                    "name": feature["name"],
                    "mean": float(sampled[feature["name"]].mean()),
                    "standard_deviation": float(sampled[feature["name"]].std(ddof=0)),
                }
                for feature in model["features"]
            ],
        },
        "drift": drift(model, rows),
        "book": book_series(book),
    }


# -- timing.stages


def stages(path, reported):
    """The stages of RUN.json as the HdrHistogram library for Python reads them from RUN.hlog; a histogram does not keep
    what was out of range, the stages' names, nor how fine a curve is drawn, so those are taken as `reported`."""
    reader = HistogramLogReader(str(path), HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
    totals = {}
    while (histogram := reader.get_next_interval_histogram()) is not None:
        total = totals.setdefault(histogram.get_tag(), HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
        total.add(histogram)
    found = []
    for stage in reported:
        total = totals.get(stage["stage"], HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
        # The library rounds a percentile to the nearest rank; ⌈share · n⌉ is asked for by its own.
        count = total.get_total_count()
        of_rank = lambda rank: total.get_value_at_percentile(100 * min(max(rank, 1), count) / count) if count else None
        at = lambda share: of_rank(np.ceil(share * count - 1e-9))

        def step(share, reported_ns):
            """A step of the curve; where it falls between two ranks, either is right."""
            sides = [at(share), of_rank(np.ceil(share * count + 1e-9))]
            return min(sides, key=lambda ns: abs(ns - reported_ns))

        found.append(
            {
                "stage": stage["stage"],
                "name": stage["name"],
                "count": count,
                "out_of_range": stage["out_of_range"],
                "min_ns": total.get_min_value() if count else None,
                "p50_ns": at(0.5),
                "p90_ns": at(0.9),
                "p99_ns": at(0.99),
                "p99_9_ns": at(0.999),
                "p99_99_ns": at(0.9999),
                "max_ns": total.get_max_value() if count else None,
                "curve": [[share, step(share, ns)] for share, ns in stage["curve"]],
            }
        )
    return found
