#!/bin/sh
# Builds benches/peers, which compiles four other projects and takes minutes the first time, and prints its tables: our book
# and parser beside those projects', on the same frames.
#
#   tools/bench-peers.sh [CAPTURE...]                   times
#   tools/bench-peers.sh --instructions [CAPTURE...]    instructions, counted by callgrind, which no other load disturbs
#
# Without a capture: the recorded ones beside the project where they are, else the synthetic market. ROUNDS=n changes the number
# of timed rounds. RUSTFLAGS="-C target-cpu=native" builds all arms for this machine alone.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
count=
if [ "${1:-}" = --instructions ]; then
    count=yes
    shift
    command -v valgrind >/dev/null || { echo "--instructions needs valgrind" >&2; exit 1; }
fi

echo "## $(date -u '+%Y-%m-%d %H:%M UTC'), $(git -C "$root" describe --always --dirty 2>/dev/null || echo 'no repository'), $(rustc --version)"
lscpu 2>/dev/null | sed -n 's/^Model name: */processor: /p'
echo "all arms: --release, fat LTO, one codegen unit, RUSTFLAGS=\"${RUSTFLAGS:-}\""
cargo build --release --quiet --manifest-path "$root/benches/peers/Cargo.toml"
peers=${CARGO_TARGET_DIR:-$root/benches/peers/target}/release/papertrader-peers

if [ -z "$count" ]; then
    echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
    "$peers" --rounds "${ROUNDS:-31}" "$@"
    echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
    exit
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# One arm on one capture: its instructions a frame and a level. What is counted are the two times that its work is done, one to
# warm up and one timed, and not what comes before.
count() { # ARM [CAPTURE]
    arm=$1
    shift
    valgrind --tool=callgrind --toggle-collect='*common::timed*' --callgrind-out-file="$out/callgrind" \
        "$peers" --rounds 1 --only "$arm" "$@" >"$out/table" 2>"$out/valgrind" || { cat "$out/valgrind" >&2; exit 1; }
    # The title ends in ": N frames, N levels, 1 rounds, medians".
    sed -n 's/^\(.*\): \([0-9]*\) frames, \([0-9]*\) levels, .*/\2 \3 \1/p' "$out/table" |
        while read -r frames levels title; do
            total=$(sed -n 's/^summary: //p' "$out/callgrind")
            printf '%s\t%s\t%s\t%s\t%s\n' "$title" "$arm" "$total" "$frames" "$levels"
        done
}

table() { # [CAPTURE]
    "$peers" --list "$@" | while read -r arm; do count "$arm" "$@"; done | awk -F '\t' '
        $1 != title { title = $1; first = $3; print title ": instructions"
            printf "  %-44s %11s %11s %8s\n", "", "a frame", "a level", "ratio" }
        { printf "  %-44s %11.0f %11.1f %7.2fx\n", $2, $3 / 2 / $4, $3 / 2 / $5, $3 / first }'
}

if [ $# -eq 0 ]; then
    data=$root/../shared/data/captures
    if [ -d "$data" ]; then set -- "$data"/btc-perp-a.l2.gz "$data"/btc-spot-a.l2.gz; else table; fi
fi
for capture in "$@"; do table "$capture"; done
