#!/bin/sh
# The Python package: built as a wheel, installed, checked by mypy, tested beside the command line, and used by the notebooks.
#
#   tools/ci-package.sh
#
# The Python packages go into .venv-package at the root; PAPERTRADER may name a program that is already built. With real captures in
# ../shared/data the tests and the notebook of a run's profit read one of them too.
set -eu
cd "$(dirname "$0")/.."

. tools/environment.sh
python .venv-package python/requirements.txt
bin=$PWD/.venv-package/bin
PAPERTRADER=$(realpath "$PAPERTRADER")
export PAPERTRADER

cargo clippy --quiet --package papertrader-python -- -D warnings
# As the program is built for its tests: the crates below it are compiled already.
PATH="$bin:$PATH" maturin build --quiet --profile dev --strip --manifest-path python/Cargo.toml --interpreter "$bin/python" --out "$work"
"$bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$work"/papertrader-*.whl

(cd python && "$bin/mypy")
# The package that is installed, not the one beside the tests.
"$bin/pytest" -q -rs -p no:cacheprovider python/tests

"$PAPERTRADER" generate --output "$work/market.l2.zst" --frames 20000 --levels 5000
real=../shared/data/captures/btc-perp-a.l2.gz
MARKET="$work/market.l2.zst" MODEL="$work/model.json" MPLBACKEND=agg "$bin/python" tools/run_notebook.py tools/research.ipynb
for market in "$work/market.l2.zst" "$real"; do
    if [ -f "$market" ]; then
        MARKET="$market" MODEL="$work/model.json" MPLBACKEND=agg "$bin/python" tools/run_notebook.py tools/simulation_analysis.ipynb
    else
        echo "SKIPPED: no real capture in $market"
    fi
done
