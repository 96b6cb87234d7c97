#!/usr/bin/env bash
# Runs the fuzz targets of fuzz/, each for so many seconds, and prints what they did. Exit 1 after a crash.
#
#   [FUZZ_SEED=N] tools/fuzz.sh SECONDS [TARGET…]
#
# Inputs begin with fuzz/seeds (tools/fuzz_seeds.py makes them) and grow in fuzz/corpus; what crashes lies in
# fuzz/artifacts. With a seed nothing is taken over from earlier runs, and two runs on one tree differ only in how far they get in
# the time. The toolchain is the stable one: RUSTC_BOOTSTRAP opens the flags that cargo-fuzz needs.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET…]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml | tail -n +2)

# More memory or time than any input deserves.
rss_mb=2048
input_seconds=10

export RUSTC_BOOTSTRAP=1
cargo fuzz build
bin=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
code=0
printf '%-10s %12s %10s %8s %10s %8s %8s\n' target executions exec/s edges features corpus crashes
for target in "${targets[@]}"; do
    corpus=fuzz/corpus/$target artifacts=fuzz/artifacts/$target
    if [ -n "${FUZZ_SEED:-}" ]; then
        corpus=$fresh/$target
    fi
    mkdir -p "$corpus" "$artifacts"
    log=$artifacts/log
    crashed=0
    "$bin/$target" "$corpus" "fuzz/seeds/$target" -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -rss_limit_mb=$rss_mb \
        -timeout=$input_seconds -artifact_prefix="$artifacts/" -print_final_stats=1 >"$log" 2>&1 || crashed=1
    stat() { sed -n "s/^stat::$1: *//p" "$log"; }
    last=$(grep -E '^#[0-9]+' "$log" | tail -1 || true)
    field() { sed -n "s/.* $1: \([0-9]*\).*/\1/p" <<<"$last"; }
    printf '%-10s %12s %10s %8s %10s %8s %8s\n' "$target" "$(stat number_of_executed_units)" \
        "$(stat average_exec_per_sec)" "$(field cov)" "$(field ft)" "$(field corp)" $crashed
    if [ $crashed -ne 0 ]; then
        code=1
        # What went wrong and on which input; the log has the stack.
        { sed -n '/panicked at/,/^stack backtrace/p' "$log"; grep -E 'ERROR:|^SUMMARY|Test unit written|^Base64' "$log" || true; } >&2
    fi
done
exit $code
