"""The venue's public Python client against a local exchange: subscribes, checks what arrives, keeps a book and the prints of its
own, and writes both when the exchange closes the connection. With --compare-prints OURS THEIRS it compares two lists of prints."""

import argparse
import json
import ssl
import sys
import time
from decimal import Decimal

import websockets
from coinbase.websocket import WSClient


class Failure(Exception):
    """Something is not as the venue has it."""


class Follower:
    """Takes messages, checks their numbers, and keeps the book."""

    def __init__(self, product):
        self.product = product
        self.sides = {"bid": {}, "offer": {}}
        self.counts = {"snapshot": 0, "update": 0, "heartbeats": 0, "subscriptions": 0, "prints": 0}
        self.prints = []
        self.prints_before = 0
        self.next_sequence_num = 0
        self.failure = None

    def take(self, text):
        try:
            self.take_message(json.loads(text))
        except Exception as error:  # The client's thread would swallow it.
            self.failure = self.failure or error

    def take_message(self, message):
        if message["sequence_num"] != self.next_sequence_num:
            raise Failure(f"sequence_num {message['sequence_num']} where {self.next_sequence_num} was due")
        self.next_sequence_num += 1
        channel = message["channel"]
        if channel in self.counts:
            self.counts[channel] += 1
        elif channel == "l2_data":
            for event in message["events"]:
                self.take_event(event)
        elif channel == "market_trades":
            for event in message["events"]:
                self.take_prints(event)
        else:
            raise Failure(f"a message of channel {channel}")

    def take_event(self, event):
        if event["product_id"] != self.product:
            raise Failure(f"levels of {event['product_id']}")
        self.counts[event["type"]] += 1
        if event["type"] == "snapshot":
            for levels in self.sides.values():
                levels.clear()
        for update in event["updates"]:
            levels, price = self.sides[update["side"]], Decimal(update["price_level"])
            quantity = Decimal(update["new_quantity"])
            if quantity == 0:
                levels.pop(price, None)
            else:
                levels[price] = quantity


    def take_prints(self, event):
        # Newest first, and the side is the maker's: a SELL is a purchase by the taker.
        for trade in reversed(event["trades"]):
            if trade["product_id"] != self.product:
                raise Failure(f"a print of {trade['product_id']}")
            if event["type"] == "snapshot":
                self.prints_before += 1
                continue
            number = int(trade["trade_id"])
            if self.prints and number != self.prints[-1][0] + 1:
                raise Failure(f"trade_id {number} behind {self.prints[-1][0]}")
            aggressor = {"SELL": "buy", "BUY": "sell"}[trade["side"]]
            self.prints.append((number, aggressor, Decimal(trade["price"]), Decimal(trade["size"])))
            self.counts["prints"] += 1


def plain(number):
    return f"{number.normalize():f}"


def write_prints(prints, path):
    """In the form of examples/client_book.rs."""
    with open(path, "w", encoding="utf-8") as file:
        for number, aggressor, price, size in prints:
            file.write(f"{number} {aggressor} {plain(price)} {plain(size)}\n")


def compare_prints(ours, theirs):
    """The client's prints are a stretch of ours without a gap: the same numbers, sides, prices and sizes in the same order."""
    with open(ours, encoding="utf-8") as file:
        ours = file.read().splitlines()
    with open(theirs, encoding="utf-8") as file:
        theirs = file.read().splitlines()
    if len(theirs) < 10:
        raise Failure(f"only {len(theirs)} prints to compare")
    first = next((at for at, line in enumerate(ours) if line == theirs[0]), None)
    if first is None or ours[first:first + len(theirs)] != theirs:
        raise Failure(f"the prints from '{theirs[0]}' on are not ours")
    sides = {line.split()[1] for line in theirs}
    if sides != {"buy", "sell"}:
        raise Failure(f"prints of one side alone: {sides}")
    print(f"coinbase_client: {len(theirs)} prints, of {len(ours)} in the recording, agree in order, side, price and size")


def write_book(sides, path):
    """In the form of examples/client_book.rs: best first, no trailing zeros."""
    with open(path, "w", encoding="utf-8") as file:
        for side, best_is_highest in (("bid", True), ("offer", False)):
            for price in sorted(sides[side], reverse=best_is_highest):
                file.write(f"{side} {plain(price)} {plain(sides[side][price])}\n")


def follow(arguments):
    follower = Follower(arguments.product)

    # The client passes a context that trusts everybody. This one trusts the exchange's authority and nobody else.
    context = ssl.create_default_context(cafile=arguments.ca_cert)
    connect = websockets.connect
    websockets.connect = lambda *positional, **named: connect(*positional, **{**named, "ssl": context})

    client = WSClient(
        base_url=arguments.url,
        # Raw messages: the client's typed WebsocketResponse needs a client_id, which the venue no longer sends.
        on_message=follower.take,
        max_size=64 * 1024 * 1024,
        retry=False,
    )
    client.open()
    client.subscribe([arguments.product], ["level2"])
    client.subscribe([arguments.product], ["market_trades"])
    client.subscribe([], ["heartbeats"])

    deadline = time.monotonic() + arguments.patience
    # The client's handler ends when the exchange has closed and everything before that is taken.
    while not client._task.done() and not follower.failure:
        if time.monotonic() > deadline:
            raise Failure(f"the exchange did not close within {arguments.patience} s")
        time.sleep(0.02)
    # The client's handler ends with the close frame and leaves what came right before it in the websocket's queue.
    for message in getattr(client.websocket, "messages", ()):
        follower.take(message)
    if follower.failure:
        raise follower.failure
    return follower


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compare-prints", nargs=2, metavar=("OURS", "THEIRS"))
    parser.add_argument("--url")
    parser.add_argument("--ca-cert")
    parser.add_argument("--product", default="BTC-USD")
    parser.add_argument("--patience", type=float, default=120, help="seconds")
    parser.add_argument("--updates", type=int, default=1, help="updates that must have come at least")
    parser.add_argument("--out", help="where to write the book")
    parser.add_argument("--prints", help="where to write the prints")
    arguments = parser.parse_args()
    if arguments.compare_prints:
        compare_prints(*arguments.compare_prints)
        return
    missing = [name for name in ("url", "ca_cert", "out", "prints") if getattr(arguments, name) is None]
    if missing:
        parser.error("missing: " + ", ".join("--" + name.replace("_", "-") for name in missing))

    follower = follow(arguments)
    for name, least in (("snapshot", 1), ("update", arguments.updates), ("heartbeats", 2), ("subscriptions", 3),
                        ("prints", 10)):
        if follower.counts[name] < least:
            raise Failure(f"{follower.counts[name]} of {name}; at least {least} are expected")
    write_book(follower.sides, arguments.out)
    write_prints(follower.prints, arguments.prints)
    counts = ", ".join(f"{count} {name}" for name, count in follower.counts.items())
    print(f"coinbase_client: {follower.next_sequence_num} messages numbered without a gap: {counts}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"coinbase_client: {failure}")
