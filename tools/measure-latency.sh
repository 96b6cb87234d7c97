#!/bin/sh
# Send -> decision over loopback, beside a receiver that does nothing with a frame but note the time.
#
#   tools/measure-latency.sh CAPTURE [SECONDS [ROUNDS]]
#
# The exchange serves the capture evenly paced and notes the wall clock just before each frame is given to the socket
# (or to TLS); `papertrader live --decisions` notes it at each decision, examples/bare_receiver.rs when a frame is in
# hand. The numbers of the frames join them. Session and receiver take turns, for so many rounds of so many seconds.
# Beside them stands what the session's own report says: arrived -> decided and received -> decided, the median of the
# rounds. What it lacks of the first is the exchange's own time, and that of frames older than the newest of their read.
#
# Two settings: spinning on core 0 with the exchange spinning on core 1; and unpinned, blocking, as without options.
# For the machine's quietest hour. MODEL names a model (models/imbalance.json), RATES the frames a second (200 2000).
set -eu
cd "$(dirname "$0")/.."

capture=${1:?the capture to serve}
seconds=${2:-20}
rounds=${3:-3}
model=${MODEL:-models/imbalance.json}
rates=${RATES:-200 2000}
product=${PRODUCT:-BTC-PERP}
cargo build --quiet --release --bin papertrader --example bare_receiver
bin=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
exchange=
clean_up() {
    [ -z "$exchange" ] || kill "$exchange" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# start_exchange SPIN TLS RATE SEND_LOG
start_exchange() {
    set -- "$1" "$2" --source "$capture" --product "$product" --loop --rate "$3" --send-log "$4"
    spin=$1 tls=$2
    shift 2
    [ "$tls" = plain ] || set -- "$@" --tls --force --ca-out "$work/ca.pem"
    [ "$spin" = block ] || set -- "$@" --spin
    if [ "$spin" = spin ]; then pin='taskset -c 1'; else pin=; fi
    $pin "$bin/papertrader" exchange --listen 127.0.0.1:0 "$@" >"$work/exchange" 2>&1 &
    exchange=$!
    tries=0
    until grep -q ' at ws' "$work/exchange"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { cat "$work/exchange" >&2; exit 1; }
        sleep 0.1
    done
    url=$(sed -n 's/.* at \(wss*:.*\)$/\1/p' "$work/exchange")
}

# Its send log is written when it ends.
stop_exchange() {
    kill -INT "$exchange"
    wait "$exchange"
    exchange=
}

for wait in spin block; do
    for tls in plain tls; do
        for rate in $rates; do
            name=$wait-$tls-$rate
            for round in $(seq "$rounds"); do
                authority=
                [ "$tls" = plain ] || authority="--ca-cert $work/ca.pem"
                start_exchange "$wait" "$tls" "$rate" "$work/bare-$name-$round.sent"
                if [ "$wait" = spin ]; then pin='taskset -c 0'; else pin=; fi
                $pin "$bin/examples/bare_receiver" --url "$url" $authority --product "$product" --wait "$wait" \
                    --seconds "$seconds" --out "$work/bare-$name-$round.got" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
                stop_exchange
                start_exchange "$wait" "$tls" "$rate" "$work/live-$name-$round.sent"
                threads=
                [ "$wait" = block ] || threads='--wait spin --fused --pin-cores 0'
                "$bin/papertrader" live --url "$url" $authority --product "$product" --model "$model" $threads \
                    --duration "$seconds" --out "$work" --name live --force --decisions "$work/live-$name-$round.got" \
                    >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
                cp "$work/live.json" "$work/live-$name-$round.json"
                stop_exchange
            done
            echo "$name" >>"$work/names"
        done
    done
done

python3 - "$work" "$rounds" <<'END'
import json
import statistics
import sys

work, rounds = sys.argv[1], int(sys.argv[2])
# The snapshot and what follows it at once, caches and branch predictors still cold.
WARM_UP = 100


def read(path):
    with open(path, encoding="ascii") as file:
        return {int(number): int(wall_ns) for number, wall_ns in map(str.split, file)}


def latencies_us(who, name):
    times = []
    for round_number in range(1, rounds + 1):
        sent = read(f"{work}/{who}-{name}-{round_number}.sent")
        got = read(f"{work}/{who}-{name}-{round_number}.got")
        common = sorted(sent.keys() & got.keys())[WARM_UP:]
        times += [(got[number] - sent[number]) / 1e3 for number in common]
    return sorted(times)


def reported_us(name, stage, field):
    """What the reports say of a stage, the median of the rounds; None where they say nothing."""
    values = []
    for round_number in range(1, rounds + 1):
        with open(f"{work}/live-{name}-{round_number}.json", encoding="utf-8") as file:
            stages = json.load(file)["timing"]["stages"]
        values += [one[field] for one in stages if one["stage"] == stage and one[field] is not None]
    return statistics.median(values) / 1e3 if values else None


def quantile(times, share):
    return times[min(int(share * len(times)), len(times) - 1)]


print("send -> decision, and the bare receiver beside it, us")
print(f"{'wait, transport, frames/s':<26} {'frames':>8} {'p50':>8} {'p99':>8} {'bare p50':>9} {'p99':>8} {'ratio p50':>10} {'p99':>6} "
      f"{'arrived p50':>12} {'p99':>8} {'received p50':>13} {'p99':>8}")
for name in open(f"{work}/names", encoding="ascii").read().split():
    live, bare = latencies_us("live", name), latencies_us("bare", name)
    if not live or not bare:
        sys.exit(f"measure-latency: {name}: nothing to join")
    p50, p99, bare_p50, bare_p99 = (quantile(times, share) for times in (live, bare) for share in (0.5, 0.99))
    print(
        f"{name.replace('-', ', '):<26} {len(live):>8} {p50:>8.1f} {p99:>8.1f} {bare_p50:>9.1f} {bare_p99:>8.1f} "
        f"{p50 / bare_p50:>10.2f} {p99 / bare_p99:>6.2f} "
        + " ".join(
            f"{'—' if value is None else f'{value:.1f}':>{width}}"
            for width, value in zip((12, 8, 13, 8), (
                reported_us(name, stage, field) for stage in ("arrival", "total") for field in ("p50_ns", "p99_ns")))
        )
    )
END
