#!/bin/sh
# Counts the instructions of the whole fused path on a fixed capture of the synthetic market, with callgrind. The figure
# depends on the compiler and not on the machine or what else it does.
#
#   tools/count-instructions.sh [FRAMES]
#
# Start-up and reading are taken out by counting two captures, one with twice the frames, and telling the difference.
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "needs valgrind" >&2; exit 1; }
frames=${1:-10000}
papertrader=target/release/papertrader
[ -x "$papertrader" ] || cargo build --release --quiet
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

count() {
    "$papertrader" generate --seed 7 --frames "$1" --output "$out/$1.l2" >/dev/null
    valgrind --tool=callgrind --callgrind-out-file="$out/$1.callgrind" "$papertrader" replay "$out/$1.l2" \
        --model models/imbalance.json --fused --speed max --out "$out" --name run >"$out/report" 2>"$out/valgrind"
    sed -n 's/^summary: //p' "$out/$1.callgrind"
}

once=$(count "$frames")
twice=$(count $((2 * frames)))
echo "$(rustc --version), seed 7, frames $frames to $((2 * frames)): $(((twice - once) / frames)) instructions a frame,"
echo "capture reader, latency recording and status included"
