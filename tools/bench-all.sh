#!/bin/sh
# Runs every benchmark on this machine but tools/bench-peers.sh and the fit's, and prints all tables, for benches/README.md. Some
# eight minutes once everything is built.
#
#   tools/bench-all.sh [FEED_CORE,ENGINE_CORE]
#
# Give two cores on a quiet machine; without them nothing is pinned. ROUNDS=n changes the number of the benches' rounds, 31.
set -eu
cd "$(dirname "$0")/.."
cores=${1:-}
data=../shared/data
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo "## $(date -u '+%Y-%m-%d %H:%M UTC'), $(git describe --always --dirty 2>/dev/null || echo 'no repository'), $(rustc --version)"
lscpu 2>/dev/null | sed -n 's/^\(Model name\|CPU(s)\|L1d cache\|L2 cache\|L3 cache\): */\1: /p'

cargo build --release --quiet
cargo bench --quiet --no-run 2>/dev/null
papertrader=${CARGO_TARGET_DIR:-target}/release/papertrader
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"

for bench in parse prints book features path; do
    echo; echo "### cargo bench --bench $bench"
    cargo bench --quiet --bench "$bench"
done
echo; echo "### CORES=$cores cargo bench --bench ring"
if [ -n "$cores" ]; then CORES=$cores cargo bench --quiet --bench ring; else cargo bench --quiet --bench ring; fi

if [ -d "$data" ]; then
    model=$data/models/20_update_log_classifier.txt
    capture=$data/captures/btc-perp-a.l2.gz
else
    model=models/imbalance.json
    capture=$out/synthetic.l2
    "$papertrader" generate --output "$capture" >/dev/null
fi

echo; echo "### replay throughput: a capture of 500,000 frames, uncompressed"
python3 tools/repeat_capture.py "$capture" 500000 "$out/repeated.l2"
cat "$out/repeated.l2" >/dev/null
for threads in "" ${cores:+"--pin-cores $cores"} "--fused" ${cores:+"--fused --pin-cores ${cores%%,*}"}; do
    for run in 1 2 3 4 5; do
        # shellcheck disable=SC2086  # arguments, or none
        "$papertrader" replay "$out/repeated.l2" --model "$model" --speed max --out "$out" --name replay --force $threads |
            sed -n "s/^  ran for */replay ${threads:-two threads}, run $run: /p; s/^  bound by */  bound by /p; s/^  feed waited */  feed waited /p"
    done
done

echo; echo "### start: from the process's start to the first decision and to its end, a replay of a snapshot and 99 updates"
head -n 100 "$out/repeated.l2" >"$out/start.l2"
python3 - "$out/decisions" "$papertrader" replay "$out/start.l2" --model "$model" --out "$out" --name start --force <<'EOP'
import subprocess
import sys
import time

decisions, command = sys.argv[1], sys.argv[2:] + ["--decisions", sys.argv[1]]
first_ms, whole_ms = [], []
for _ in range(31):
    started_ns = time.time_ns()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole_ms.append((time.time_ns() - started_ns) / 1e6)
    with open(decisions) as lines:
        first_ms.append((int(lines.readline().split()[1]) - started_ns) / 1e6)
for what, times_ms in [("first decision", sorted(first_ms)), ("end", sorted(whole_ms))]:
    print(f"31 runs, {what}: least {times_ms[0]:.1f} ms, median {times_ms[15]:.1f} ms, most {times_ms[30]:.1f} ms")
EOP

echo; echo "### papertrader profile"
# shellcheck disable=SC2086
"$papertrader" profile "$capture" --model "$model" --out "$out" ${cores:+--pin-cores $cores} || true
# shellcheck disable=SC2086
"$papertrader" profile "$capture" --model "$model" --out "$out" --rates 10k,100k --fused ${cores:+--pin-cores ${cores%%,*}} || true

if command -v valgrind >/dev/null; then
    echo; echo "### instructions"
    tools/count-instructions.sh
fi
echo; echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
