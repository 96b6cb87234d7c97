#!/bin/sh
# Builds benches/peers, which is large, and prints its tables. ROUNDS=n changes the number of rounds.
set -eu
cd "$(dirname "$0")/../benches/peers"
cargo build --release --quiet
target/release/papertrader-peers --bench
