#!/bin/sh
# Runs every benchmark on this machine but tools/bench-peers.sh and prints all tables, for benches/README.md.
#
#   tools/bench-all.sh [FEED_CORE,ENGINE_CORE]
#
# Give two cores on a quiet machine; without them nothing is pinned. ROUNDS=n changes the number of rounds.
set -eu
cd "$(dirname "$0")/.."
cores=${1:-}
data=../shared/data
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo "## $(date -u '+%Y-%m-%d %H:%M UTC'), $(git describe --always --dirty 2>/dev/null || echo 'no repository'), $(rustc --version)"
lscpu 2>/dev/null | sed -n 's/^\(Model name\|CPU(s)\|L1d cache\|L2 cache\|L3 cache\): */\1: /p'
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"

cargo build --release --quiet
for bench in parse book features path; do
    echo; echo "### cargo bench --bench $bench"
    cargo bench --quiet --bench "$bench"
done
echo; echo "### CORES=$cores cargo bench --bench ring"
if [ -n "$cores" ]; then CORES=$cores cargo bench --quiet --bench ring; else cargo bench --quiet --bench ring; fi

papertrader=target/release/papertrader
if [ -d "$data" ]; then
    model=$data/models/20_update_log_classifier.txt
    capture=$data/captures/btc-perp-a.l2.gz
else
    model=models/imbalance.json
    capture=$out/synthetic.l2
    "$papertrader" generate --output "$capture" >/dev/null
fi
pins=${cores:+--pin-cores $cores}

echo; echo "### replay throughput: a capture of 500,000 frames, uncompressed"
python3 tools/repeat_capture.py "$capture" 500000 "$out/repeated.l2"
for threads in "$pins" "--fused"; do
    for run in 1 2 3; do
        # shellcheck disable=SC2086  # arguments, or none
        "$papertrader" replay "$out/repeated.l2" --model "$model" --speed max --out "$out" --name replay $threads |
            sed -n "s/^  ran for */replay ${threads:-two threads}, run $run: /p; s/^  bound by */  bound by /p"
    done
done

echo; echo "### papertrader profile"
# shellcheck disable=SC2086
"$papertrader" profile "$capture" --model "$model" --out "$out" $pins || true
# shellcheck disable=SC2086
"$papertrader" profile "$capture" --model "$model" --out "$out" --rates 10k,100k --fused ${cores:+--pin-cores ${cores%%,*}} || true

echo; echo "### instructions of the path"
tools/count-instructions.sh
echo; echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
