#!/bin/sh
# A row's evaluation by this program beside LightGBM, XGBoost and onnxruntime, in turns on the same models and rows
# (tools/measure-models.py). For a machine that does nothing else.
#
#   tools/measure-models.sh [ROUNDS]
#
# The Python packages go into .venv-models at the root. PAPERTRADER may name a program that is already built, BENCH a built
# `cargo bench --bench models`. Needs a C compiler.
set -eu
cd "$(dirname "$0")/.."

. tools/environment.sh
python .venv-models tools/requirements-models.txt
if [ -z "${BENCH:-}" ]; then
    cargo bench --quiet --bench models --no-run --message-format json >"$work/built"
    BENCH=$(sed -n 's/.*"name":"models".*"executable":"\([^"]*\)".*/\1/p' "$work/built")
fi

"$PAPERTRADER" generate --output "$work/market.l2.zst" --frames 6000 --levels 2000
"$PAPERTRADER" features "$work/market.l2.zst" --output "$work/rows.parquet" >"$work/said"
.venv-models/bin/python tools/measure-models.py "$BENCH" "$work/rows.parquet" --rounds "${1:-9}"
