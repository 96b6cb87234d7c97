#!/bin/sh
# A long run against a busy exchange: examples/soak.rs holds the exchange and a session whose book it compares at the end;
# the program itself is a second client, which trades and records, and whose memory is sampled each minute.
#
#   tools/soak.sh [MINUTES [FRAMES_PER_SECOND]]
#   tools/soak.sh storm [MINUTES [FRAMES_PER_SECOND [SECONDS_BETWEEN_FAULTS]]]
#
# Twenty minutes at 1,500 frames a second pass more than 10 million level updates. With `storm` all faults that a session
# survives strike at random instead, thirty minutes long, and examples/storm.rs checks at the end that the recording's
# replay is the session, the book the exchange's, memory flat and every counter explained. PROFILE=debug uses a debug build.
set -eu
cd "$(dirname "$0")/.."

profile=${PROFILE:-release}
if [ "${1:-}" = storm ]; then
    case $profile in
        debug) cargo build --quiet --example storm ;;
        *) cargo build --quiet --release --example storm ;;
    esac
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    "${CARGO_TARGET_DIR:-target}/$profile/examples/storm" --minutes "${2:-30}" --rate "${3:-300}" --mean "${4:-2}" --out "$work"
    exit
fi
minutes=${1:-20}
rate=${2:-1500}
case $profile in
    debug) cargo build --quiet --bin papertrader --example soak ;;
    *) cargo build --quiet --release --bin papertrader --example soak ;;
esac
bin=${CARGO_TARGET_DIR:-target}/$profile
work=$(mktemp -d)
soak= live=
clean_up() {
    for pid in $soak $live; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

"$bin/examples/soak" --minutes "$minutes" --rate "$rate" --ca-out "$work/ca.pem" >"$work/soak" 2>&1 &
soak=$!
tries=0
until grep -q '^exchange at ' "$work/soak"; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { cat "$work/soak" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^exchange at //p' "$work/soak")
"$bin/papertrader" live --url "$url" --ca-cert "$work/ca.pem" --model models/imbalance.json --out "$work" --name live \
    --record "$work/live.l2.zst" >"$work/report" 2>&1 &
live=$!

echo "minute  VmRSS of papertrader live, KiB   its CPU time, s"
seconds=$(awk "BEGIN { print int($minutes * 60) }")
ticks=$(getconf CLK_TCK)
at=0
# Its first second is its start.
sleep 2
while [ "$((at + 10))" -lt "$seconds" ] && kill -0 "$live" 2>/dev/null; do
    if [ $((at % 60)) -eq 0 ]; then
        resident=$(awk '/^VmRSS:/ { print $2 }' "/proc/$live/status")
        cpu=$(awk -v ticks="$ticks" '{ print int(($14 + $15) / ticks) }' "/proc/$live/stat")
        printf '%6d  %30s   %15s\n' $((at / 60)) "$resident" "$cpu"
    fi
    sleep 5
    at=$((at + 5))
done
kill -INT "$live" 2>/dev/null || true
wait "$live" || { cat "$work/report" >&2; exit 1; }
live=
grep -E '^  (connected|ran for|recorded|frames|level updates|full-ring waits|faults|state at the end|closed trades|(received|arrived) → decided) ' \
    "$work/report"
code=0
wait "$soak" || code=$?
soak=
cat "$work/soak"
exit "$code"
