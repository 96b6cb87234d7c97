#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets to fuzz/seeds, from nothing but this script: the same bytes each time.

    tools/fuzz_seeds.py
"""

import hashlib
import json
import pathlib
import shutil
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "seeds"


def level(side, price, quantity, time="2024-08-08T23:54:16.609369Z"):
    return {"side": side, "event_time": time, "price_level": price, "new_quantity": quantity}


def frame(number, kind, levels, product="BTC-USD", client=False):
    envelope = {"channel": "l2_data"}
    if client:
        envelope["client_id"] = ""
    envelope |= {"timestamp": "2024-08-08T23:54:16.609369665Z", "sequence_num": number}
    envelope["events"] = [{"type": kind, "product_id": product, "updates": levels}]
    return envelope


def compact(value):
    return json.dumps(value, separators=(",", ":"))


BOOK = [level("bid", "61804.7", "0.00314"), level("offer", "61805", "1"), level("offer", "61806.5", "12")]
# Today's layout, and one frame of the older.
FRAMES = [
    frame(0, "snapshot", BOOK),
    frame(1, "update", [level("bid", "61804.70", "0.00000000"), level("bid", "61804.6", "3")], client=True),
    frame(2, "update", [level("offer", "61805.125", "0.5", "1970-01-01T00:00:00Z")]),
    frame(3, "update", [level("ask", "61805", "0")], product="ETH-USD"),
]
OTHERS = [
    {"channel": "heartbeats", "sequence_num": 4, "events": [{"heartbeat_counter": 1}]},
    {"channel": "subscriptions", "sequence_num": 5, "events": [{"subscriptions": {"level2": ["BTC-USD"]}}]},
    {"type": "error", "message": "too many L2 streams"},
    frame(6, "update", [level("buy", "-1", "1e400"), level("bid", "", "9" * 40)]),
]


def level2():
    scales = [bytes([0, 2, 8]), bytes([1, 0, 0]), bytes([0, 18, 18])]
    texts = [compact(message) for message in FRAMES + OTHERS]
    yield scales[0] + "\n".join(texts).encode()
    for scale in scales:
        for text in texts[:3]:
            yield scale + text.encode()
    yield scales[0] + json.dumps(FRAMES[0], indent=1).replace("\n", " ").encode()
    several = dict(FRAMES[1], events=FRAMES[1]["events"] + FRAMES[0]["events"] + FRAMES[3]["events"])
    yield scales[0] + compact(several).replace("bid", "\\u0062id").encode()


def decimal():
    for decimals in (0, 2, 8, 18):
        for text in ("0", "61804.70", "0.00314000", "9223372036854775807", "9223372036854775808", "007.50", "1e5", "-1",
                     "92233720368547758.08", "0.000000000000000001", "123456789.12345678", ".5", "5.", "1.2.3", ""):
            yield bytes([decimals]) + text.encode()


def capture():
    lines = [f"{1_723_161_256_000_000_000 + n} {compact(message)}" for n, message in enumerate(FRAMES)]
    control = ['1 {"papertrader":"connected","connection":1}', '2 {"papertrader":"gap","frames":3}',
               '3 {"papertrader":"disconnected","connection":1,"fault":"connection lost","cause":"x"}',
               '4 {"papertrader":"frame","base64":"AAEC"}']
    texts = ["\n".join(lines) + "\n", "\n".join(control) + "\n", "1 {}\r\n2 []\r\n3 {", "1 a\n\n2 b\n", "x\n"]
    for how in (0, 1, 128, 255):
        for text in texts:
            yield bytes([how, 7]) + text.encode()
    yield bytes([0, 0]) + gzip_stored(texts[0].encode())


def gzip_stored(content):
    """A gzip file without compression, whose bytes depend on no library's version."""
    block = b"\x01" + struct.pack("<HH", len(content), len(content) ^ 0xFFFF) + content
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block + struct.pack("<II", zlib.crc32(content), len(content))


def model():
    yield "\n".join(f"{(n - 14) / 7}" for n in range(29)).encode()
    yield b"1\n2\n"
    yield b"NaN\n"
    full = {"features": ["imbalance_1", "mid_return_20", "ofi_5_100"], "intercept": 0.5, "coefficients": [1, -2.5, 3e-3],
            "mean": [0, 1, 2], "scale": [1, 2, 0.5], "horizon_updates": 20, "threshold": 0.6, "provenance": {"a": [1]}}
    yield json.dumps(full, indent=1).encode()
    for key, value in (("features", ["what"]), ("scale", [0, 1, 1]), ("threshold", 1), ("mean", [1e308, 1, 1])):
        yield json.dumps(full | {key: value}).encode()


def exchange():
    head = ("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
    for text in (head, head[:60], b'{"type":"subscribe","channel":"level2","product_ids":["BTC-USD"]}'):
        yield text
        yield b"\1" + text
    yield from noise("exchange")


def noise(name):
    """Bytes for targets whose input is a list of operations: any will do."""
    for n in range(24):
        blocks = [hashlib.sha256(f"{name} {n} {block}".encode()).digest() for block in range(1 + n % 12)]
        yield b"".join(blocks)


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    corpora = {"level2": level2(), "decimal": decimal(), "capture": capture(), "model": model(), "exchange": exchange(),
               "book": noise("book"), "session": noise("session")}
    for target, seeds in corpora.items():
        folder = ROOT / target
        folder.mkdir(parents=True)
        for seed in seeds:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
