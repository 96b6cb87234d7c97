#!/usr/bin/env bash
# The same replay twenty times, by a debug and a release build, pinned and not, fused and not: the same trade log, the
# same probabilities, the same numbers in the report but those of time.
#
#   tools/determinism.sh [PROGRAM PROGRAM…]
#
# Without arguments it builds both. With CAPTURE in the environment it replays that instead of a synthetic market.
set -euo pipefail
cd "$(dirname "$0")/.."

programs=("$@")
if [ ${#programs[@]} -eq 0 ]; then
    cargo build --quiet
    cargo build --quiet --release
    target=${CARGO_TARGET_DIR:-target}
    programs=("$target/debug/papertrader" "$target/release/papertrader")
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
capture=${CAPTURE:-$work/market.l2.zst}
[ -e "$capture" ] || "${programs[0]}" generate --frames 5000 --levels 2000 --output "$capture"
cores=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status | awk -F'[,-]' '{ print $1 "," ($2 == "" ? $1 : $2) }')
one=${cores%,*}
ways=("" "--fused" "--pin-cores $one" "--wait yield" "--speed 500x")
[ "$cores" = "$one,$one" ] || ways+=("--pin-cores $cores --wait yield")

first=
for ((run = 0; run < 20; run++)); do
    program=${programs[run % ${#programs[@]}]}
    way=${ways[run / ${#programs[@]} % ${#ways[@]}]}
    # The way is a list of words.
    # shellcheck disable=SC2086
    "$program" replay "$capture" --model models/synthetic.json --threshold 0.55 --name run --force --out "$work" \
        --probabilities "$work/probabilities" $way |
        sed -e '/^\(latency\|work\), ns/,$d' -e '/^ *\(threads\|bound by\|feed waited\|ran for\|full-ring waits\|writer waits\) /d' >"$work/numbers"
    sum=$(cat "$work/run.csv" "$work/probabilities" "$work/numbers" | sha256sum | cut -c1-16)
    printf '%2d  %s  %s %s\n' "$((run + 1))" "$sum" "$program" "$way"
    [ "${first:=$sum}" = "$sum" ] || { echo 'another result' >&2; exit 1; }
done
printf '20 replays, one result: %s trades, %s probabilities\n' "$(($(wc -l <"$work/run.csv") - 1))" "$(wc -l <"$work/probabilities")"
