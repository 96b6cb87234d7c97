#!/bin/sh
# What Python says of our research: scikit-learn fits the exported features to the same optimum, and numpy finds the same in
# DeLong's test and in a sweep's tests of luck. Files of frames are read by their description alone. The package and the
# notebooks: tools/ci-package.sh.
#
#   tools/ci-python.sh [FRAMES]
#
# The Python packages go into .venv at the root; PAPERTRADER may name a program that is already built. With real captures
# in ../shared/data the comparison with scikit-learn runs on one of them too.
set -eu
cd "$(dirname "$0")/.."

frames=${1:-20000}
. tools/environment.sh
python .venv tools/requirements.txt

# Features of a capture and a model trained on it, by us and by scikit-learn.
compare() {
    "$PAPERTRADER" features "$1" --output "$work/$2.parquet" >"$work/$2.features"
    "$PAPERTRADER" train "$1" --output "$work/$2.json" --resamples 200 >"$work/$2.report" 2>"$work/$2.warnings"
    .venv/bin/python tools/check_sklearn.py "$work/$2.parquet" "$work/$2.json"
    .venv/bin/python tools/check_delong.py "$work/$2.parquet" "$work/$2.json" "$work/$2.report.json"
}

"$PAPERTRADER" generate --output "$work/market.l2.zst" --frames "$frames" --levels 5000
compare "$work/market.l2.zst" market
real=../shared/data/captures/btc-perp-a.l2.gz
if [ -f "$real" ]; then
    compare "$real" real
else
    echo "SKIPPED: no real capture in $real"
fi

# A sweep, and what its report says of luck.
"$PAPERTRADER" sweep "$work/market.l2.zst" --model models/synthetic.json --model "$work/market.json" --threshold 0.5:0.7:0.05 \
    --lag 5,20,50 --execution original,taker --out "$work" --name grid >"$work/grid.report" 2>"$work/grid.warnings"
.venv/bin/python tools/check_overfitting.py "$work/grid.sweep.json" "$work/grid.sweep.report.json"

# Row by row what a file of frames holds, by another reader than ours.
for compression in "" --no-compression; do
    "$PAPERTRADER" convert "$work/market.l2.zst" --output "$work/market.frames" --force $compression
    "$PAPERTRADER" convert "$work/market.frames" --output "$work/market.csv" --force
    .venv/bin/python tools/read_frames.py "$work/market.frames" | cmp - "$work/market.csv"
    .venv/bin/python tools/read_frames.py --prints "$work/market.frames" | cmp - "$work/market_trades.csv"
done
echo "ci-python: $(wc -l <"$work/market.csv") rows of frames, the same by read_frames.py"

