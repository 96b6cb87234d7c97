#!/bin/sh
# Counts the instructions of the path's stages and of the whole fused path with callgrind, frame by frame behind the snapshot.
# The figures depend on the compiler and its target, not on the machine or on what else it does.
#
#   tools/count-instructions.sh [CAPTURE...]
#
# Captures are btc-perp-a and btc-spot-a, the recorded ones beside the project, or synthetic. Without any: the recorded ones
# where they are, else the synthetic one.
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "needs valgrind" >&2; exit 1; }
if [ $# -eq 0 ]; then
    if [ -d ../shared/data/captures ]; then set -- btc-perp-a btc-spot-a; else set -- synthetic; fi
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo bench --bench instructions --no-run --message-format json 2>"$out/cargo" >"$out/built" || { cat "$out/cargo" >&2; exit 1; }
program=$(sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' "$out/built")

echo "$(rustc --version), $(rustc -vV | sed -n 's/^host: //p'), RUSTFLAGS=\"${RUSTFLAGS:-}\""
for capture; do
    # Name, frames, levels and bytes of what is counted.
    read -r name frames levels bytes <<EOT
$(valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" "$program" "$capture" 2>"$out/valgrind" | tail -n 1)
EOT
    echo "$name: $frames frames, $((levels / frames)) levels and $((bytes / frames)) bytes a frame"
    # A function that was inlined into has a line for each file; the whole is the largest.
    callgrind_annotate --inclusive=yes --threshold=100 "$out/callgrind" 2>/dev/null | tr -d , |
        sed -n 's/^ *\([0-9]*\) .*instructions::stage_\([a-z_]*\).*/\2 \1/p' | sort -k 1,1 -k 2,2nr | sort -s -u -k 1,1 |
        awk -v frames="$frames" -v levels="$levels" \
            '{ gsub("_", " ", $1); printf "  %-12s %10.0f a frame %8.1f a level\n", $1, $2 / frames, $2 / levels }'
done
