#!/bin/sh
# Models as libraries save them: scikit-learn, LightGBM and XGBoost train on exported features, and the program gives each
# model's rows the probabilities that the library, or onnxruntime, gives them. Then a convolution, by a program with the feature
# onnx-graphs, with the tests of that feature.
#
#   tools/ci-models.sh [FRAMES]
#
# The Python packages go into .venv-models at the root; PAPERTRADER may name a program that is already built.
set -eu
cd "$(dirname "$0")/.."

frames=${1:-6000}
. tools/environment.sh
python .venv-models tools/requirements-models.txt

# One thread: several that wait for each other are slow on a busy machine.
check() { OMP_NUM_THREADS=1 .venv-models/bin/python tools/check_models.py "$PAPERTRADER" "$1" "$work/rows.parquet" "$work" $2; }

"$PAPERTRADER" generate --output "$work/market.l2.zst" --frames "$frames" --levels 2000
"$PAPERTRADER" features "$work/market.l2.zst" --output "$work/rows.parquet" >"$work/said"
check "$work/market.l2.zst" ""
real=../shared/data/captures/btc-perp-a.l2.gz
if [ -f "$real" ]; then
    "$PAPERTRADER" features "$real" --output "$work/rows.parquet" --force >"$work/said"
    check "$real" ""
else
    echo "SKIPPED: no real capture in $real"
fi

# What the tests run is the program with the feature.
cargo test --quiet --features onnx-graphs --test onnx
PAPERTRADER=target/debug/papertrader
"$PAPERTRADER" features "$work/market.l2.zst" --output "$work/rows.parquet" --force >"$work/said"
check "$work/market.l2.zst" --graphs
