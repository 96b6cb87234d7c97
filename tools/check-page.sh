#!/bin/sh
# The report pages of real runs, of a training, of an evaluation and of sweeps: the runs' numbers computed anew with pandas, every
# figure looked at in headless Chromium.
#
#   tools/check-page.sh [PICTURES]
#
# Needs /usr/bin/chromium. The Python packages go into .venv at the root; PAPERTRADER may name a program that is already
# built. Screenshots are kept in the folder PICTURES. A real capture in ../shared/data gets a page too.
set -eu
cd "$(dirname "$0")/.."

pictures=${1:-}
work=$(mktemp -d)
pids=
clean_up() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

if [ -z "${PAPERTRADER:-}" ]; then
    cargo build --quiet --bin papertrader
    PAPERTRADER=target/debug/papertrader
fi
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt

model=models/synthetic.json
capture=../shared/data/captures/btc-perp-a.l2.gz
capture_model=../shared/data/models/20_update_log_classifier.txt
known=imbalance_1,spread_ticks,microprice_minus_mid,ofi_1_20
# A level model that says the same of every book.
{ echo 0.5; yes 0 | head -28; } >"$work/constant.txt"

# A run, its files beginning with the first argument, of the capture in the second; what it prints goes to a file.
replay() {
    name=$1 market=$2
    shift 2
    "$PAPERTRADER" replay "$market" --out "$work" --name "$name" "$@" >"$work/$name.report" 2>&1 ||
        { cat "$work/$name.report" >&2; exit 1; }
}
# The tables that a run's evaluations are computed from: the run, its capture, the features of its model.
tables() {
    "$PAPERTRADER" features "$2" --output "$work/$1.rows.csv" --features "$3" >"$work/$1.rows"
    "$PAPERTRADER" features "$2" --output "$work/$1.book.csv" --features mid,spread_ticks,imbalance_1 >"$work/$1.book"
}
check() {
    name=$1
    shift
    .venv/bin/python tools/check_report.py "$work/$name.csv" "$@"
}

"$PAPERTRADER" generate --output "$work/market.l2.zst" --frames 20000 >"$work/generate"
# Three hours of a slow market.
"$PAPERTRADER" generate --output "$work/slow.l2.zst" --frames 11000 --rate 1 >"$work/generate"

# At a pace, so that latency has a course over several seconds; the others meanwhile.
replay market "$work/market.l2.zst" --model "$model" --fee-bps 1 --speed 30x --probabilities "$work/market.probabilities" &
pids="$pids $!"
if [ -f "$capture" ] && [ -f "$capture_model" ]; then
    replay real "$capture" --model "$capture_model" --speed 100x --probabilities "$work/real.probabilities" &
    pids="$pids $!"
else
    echo "SKIPPED: no real capture in $capture"
fi
replay slow "$work/slow.l2.zst" --model "$model"
replay empty "$work/market.l2.zst" --model "$model" --threshold 0.999999
replay constant "$work/market.l2.zst" --model "$work/constant.txt"
# Everything that trades, some of it still open at the end; once more in contracts that are worth quote currency.
replay executions "$work/market.l2.zst" --model "$model" --threshold 0.55 --short --execution original,taker,maker \
    --order-latency 5ms --fees hyperliquid-perpetuals
replay inverse "$work/market.l2.zst" --model "$model" --execution original,taker,maker --inverse --contract-size 10000 \
    --buy-amount 100 --maker-then take --maker-fee-bps -0.5 --taker-fee-bps 2
tables market "$work/market.l2.zst" "$(sed -n '/"features"/,/\]/s/^ *"\([a-z0-9_]*\)",\{0,1\}$/\1/p' "$model" | paste -sd, -)"
[ ! -f "$capture" ] || tables real "$capture" seed
for pid in $pids; do wait "$pid"; done
pids=
# Between the two highest probabilities of those that can be sold in time.
threshold=$(head -19000 "$work/market.probabilities" | sort -k2,2gr | head -2 |
    awk '{ sum += $2 } END { printf "%.12g", sum / 2 }')
replay one "$work/market.l2.zst" --model "$model" --threshold "$threshold"
# At the higher rate the market begins again: receive times go back, and there is no interval.
"$PAPERTRADER" profile "$work/market.l2.zst" --model "$model" --rates 2k,10k --seconds 3 --out "$work" --name profile \
    >"$work/profile.report" 2>&1
"$PAPERTRADER" report --compare "$work/market.csv" "$work/slow.csv" "$work/constant.csv" --output "$work/compared.html" \
    >"$work/compared.report" 2>&1
"$PAPERTRADER" train "$work/market.l2.zst" --output "$work/trained.json" --cv --block 2 --resamples 200 \
    >"$work/trained.report" 2>&1
"$PAPERTRADER" evaluate "$work/market.l2.zst" --model "$work/trained.json" --model "$model" --horizon 20 --threshold 0.6 \
    --block 2 --resamples 200 --report "$work/evaluated" >"$work/evaluated.report" 2>&1
# Two captures, and one setting on one.
"$PAPERTRADER" sweep "$work/market.l2.zst" "$work/slow.l2.zst" --model "$model" --threshold 0.5:0.7:0.05 --lag 5,20,50 \
    --execution original,taker --out "$work" --name grid >"$work/grid.report" 2>&1
"$PAPERTRADER" sweep "$work/market.l2.zst" --model "$model" --out "$work" --name single >"$work/single.report" 2>&1
# A model that knows what its training was like, on that market and on another one.
"$PAPERTRADER" train "$work/market.l2.zst" --output "$work/known.json" --features "$known" --resamples 100 \
    >"$work/known.report" 2>&1
replay drift "$work/market.l2.zst" --model "$work/known.json" --probabilities "$work/drift.probabilities"
tables drift "$work/market.l2.zst" "$known"
"$PAPERTRADER" generate --output "$work/coarse.l2.zst" --frames 20000 --batch 200ms --seed 3 >"$work/generate"
replay coarse "$work/coarse.l2.zst" --model "$work/known.json" --probabilities "$work/coarse.probabilities"
tables coarse "$work/coarse.l2.zst" "$known"
[ "$(wc -l <"$work/one.csv")" -eq 2 ] || { echo "check-page: one.csv has not one trade" >&2; exit 1; }

evaluated() { echo --rows "$work/$1.rows.csv" --book "$work/$1.book.csv" --probabilities "$work/$1.probabilities"; }
# shellcheck disable=SC2046 # options, none with a space
check market $(evaluated market) --self-test
# shellcheck disable=SC2046
[ ! -f "$work/real.csv" ] || check real $(evaluated real)
for name in slow empty constant one profile.2000 profile.10000 inverse; do check "$name"; done
check executions --self-test
# shellcheck disable=SC2046
check drift $(evaluated drift)
# shellcheck disable=SC2046
check coarse $(evaluated coarse) --self-test
.venv/bin/python tools/check_report.py "$work/market.csv" "$work/slow.csv" "$work/constant.csv" \
    --comparison "$work/compared.html"

# Those with a question mark may be missing: latency over time needs a run of more than a second.
profit=fig-profit-sequence,fig-profit-time,fig-profit-distribution,fig-profit-tenths,fig-holding
evaluations=fig-probability,fig-reliability,fig-roc,fig-threshold
latency=fig-latency-percentiles,fig-latency-time
brief='fig-latency-percentiles,fig-latency-time?'
book=fig-mid,fig-spread,fig-imbalance
features=fig-weights,fig-drift
executions=fig-executions-break-even,fig-executions-net,fig-executions-markouts
compared=profit,distribution,probability,reliability,roc,latency
swept=fig-sweep-map-0,fig-sweep-time,fig-sweep-sharpes
set -- \
    "$work/market.html=$profit,$evaluations,$latency,$book,$features" \
    "$work/slow.html=$profit,fig-profit-hours,$evaluations,$brief,$book,$features" \
    "$work/empty.html=$evaluations,$brief,$book,$features" \
    "$work/one.html=$profit,$evaluations,$brief,$book,$features" \
    "$work/constant.html=$profit,$evaluations,$brief,$book,fig-weights" \
    "$work/executions.html=$profit,$executions,$evaluations,$brief,$book,$features" \
    "$work/inverse.html=$profit,$executions,$evaluations,$brief,$book,$features" \
    "$work/drift.html=$profit,$evaluations,$brief,$book,fig-psi,$features" \
    "$work/coarse.html=$profit,$evaluations,$brief,$book,fig-psi,$features" \
    "$work/profile.2000.html=$profit,$latency,fig-weights" \
    "$work/compared.html=$(echo "$compared" | sed 's/[^,]*/fig-compare-&/g')" \
    "$work/grid.sweep.html=$swept,fig-sweep-map-1,fig-sweep-ranks,fig-sweep-logits" \
    "$work/single.sweep.html=$swept" \
    "$work/trained.report.html=fig-reliability-0,fig-reliability-2" \
    "$work/evaluated.report.html=fig-reliability-0,fig-reliability-1,fig-reliability-3"
[ ! -f "$work/real.html" ] || set -- "$@" "$work/real.html=$profit,$evaluations,$latency,$book,fig-weights"
.venv/bin/python tools/check_page.py "$@" --self-test ${pictures:+--pictures "$pictures"}
