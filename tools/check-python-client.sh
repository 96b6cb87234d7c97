#!/bin/sh
# The venue's public Python client works with the exchange: it follows a market over TLS, and its book at the end is
# papertrader's, level by level; its prints are those of papertrader's replay of the same market. Then the latency files of a run are read by the HdrHistogram library for Python.
#
#   tools/check-python-client.sh [FRAMES]
#
# The Python packages go into .venv at the root; PAPERTRADER may name a program that is already built, and then
# CLIENT_BOOK the example client_book.
set -eu
cd "$(dirname "$0")/.."

frames=${1:-3000}
rate=500
work=$(mktemp -d)
pids=
clean_up() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

if [ -z "${PAPERTRADER:-}" ]; then
    cargo build --quiet --bin papertrader --example client_book
    PAPERTRADER=target/debug/papertrader
    CLIENT_BOOK=target/debug/examples/client_book
fi
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tools/requirements.txt

# A line of a file that a process in the background writes.
wait_for_line() {
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { echo "check-python-client: no '$2' in $1" >&2; cat "$1" >&2; exit 1; }
        sleep 0.1
    done
}

"$PAPERTRADER" generate --output "$work/market.l2" --frames "$frames" --levels 5000 --rate "$rate"
"$PAPERTRADER" exchange --listen 127.0.0.1:0 --tls --ca-out "$work/ca.pem" --source "$work/market.l2" \
    --rate "$rate" --close-at-end >"$work/exchange" 2>&1 &
pids="$pids $!"
wait_for_line "$work/exchange" ' at wss://'
url=$(sed -n 's/.* at \(wss:.*\)$/\1/p' "$work/exchange")

# Both begin at about the same time; the one that comes later gets the book as of then.
"$CLIENT_BOOK" --url "$url" --ca-cert "$work/ca.pem" --out "$work/ours" &
ours=$!
pids="$pids $ours"
.venv/bin/python tools/coinbase_client.py --url "$url" --ca-cert "$work/ca.pem" --updates $((frames / 2)) \
    --out "$work/theirs" --prints "$work/their-prints"
wait "$ours"
cmp "$work/ours" "$work/theirs"
echo "check-python-client: both books have the same $(wc -l <"$work/ours") levels"
"$CLIENT_BOOK" --capture "$work/market.l2" --out "$work/replayed" --prints "$work/our-prints"
cmp "$work/ours" "$work/replayed"
.venv/bin/python tools/coinbase_client.py --compare-prints "$work/our-prints" "$work/their-prints"

"$PAPERTRADER" replay "$work/market.l2" --model models/imbalance.json --out "$work" --name run --speed max --fused \
    >"$work/report"
.venv/bin/python tools/check_histograms.py "$work/report" "$work/run"
