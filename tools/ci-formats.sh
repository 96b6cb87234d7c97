#!/bin/sh
# Files for other programs, read by those programs: hftbacktest's book of our npz is ours after every event, its statistics of a
# run's record end at the run's profit, and tables in Parquet hold what those in CSV hold, by pyarrow, polars and pandas.
#
#   tools/ci-formats.sh
#
# The Python packages go into .venv-formats at the root (hftbacktest needs an older numpy than the other tools); PAPERTRADER may name
# a program that is already built.
set -eu
cd "$(dirname "$0")/.."

. tools/environment.sh
python .venv-formats tools/requirements-formats.txt

check() { .venv-formats/bin/python tools/check_formats.py "$@"; }
quietly() { "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }; }

# A run NAME of a market, everything that it can write for others; then its record, its returns and its tables.
run() {
    name=$1 market=$2
    shift 2
    quietly "$PAPERTRADER" replay "$market" --out "$work" --name "$name" --parquet --equity-npz --returns "$@"
    quietly "$PAPERTRADER" features "$market" --features mid --output "$work/$name.mids.csv"
}

# Levels, and rows of them, as they stand in a market.
levels() {
    quietly "$PAPERTRADER" convert "$1" --output "$work/levels.csv" --force
    quietly "$PAPERTRADER" convert "$1" --output "$work/levels.parquet" --force
    check levels "$work/levels.csv" "$work/levels.parquet"
}

self_test=--self-test
for capture in ../shared/data/captures/btc-spot-a.l2.gz ../shared/data/captures/btc-perp-a.l2.gz; do
    if [ ! -f "$capture" ]; then
        echo "SKIPPED: no real capture in $capture"
        continue
    fi
    quietly "$PAPERTRADER" convert "$capture" --output "$work/events.npz" --force
    check book "$capture" "$work/events.npz" $self_test
    self_test=
    levels "$capture"
done

# Three days of a slow market, and twenty thousand frames of one with trades, where limits leave nothing to chance.
quietly "$PAPERTRADER" generate --output "$work/slow.l2.zst" --frames 15000 --rate 0.05
quietly "$PAPERTRADER" generate --output "$work/market.l2.zst" --frames 20000
levels "$work/market.l2.zst"
model=models/synthetic.json
run slow "$work/slow.l2.zst" --model "$model" --fee-bps 1 --buy-amount 1000
run given "$work/slow.l2.zst" --model "$model" --threshold 0.55 --capital 100000 --buy-amount 1000
run market "$work/market.l2.zst" --model "$model" --threshold 0.55 --short --execution original,taker,maker \
    --fees hyperliquid-perpetuals
check record "$work/slow.csv" "$work/slow.mids.csv" --self-test
check record "$work/given.csv" "$work/given.mids.csv" --capital 100000
check record "$work/market.csv" "$work/market.mids.csv"
check table "$work/market.csv" "$work/market.trades.parquet" --self-test
for log in orders fills markouts legs; do
    check table "$work/market.$log.csv" "$work/market.$log.parquet"
done
for ending in csv parquet; do
    quietly "$PAPERTRADER" features "$work/market.l2.zst" --output "$work/rows.$ending" --prints "$work/tape.$ending"
done
check table "$work/rows.csv" "$work/rows.parquet"
check table "$work/tape.csv" "$work/tape.parquet" --self-test
