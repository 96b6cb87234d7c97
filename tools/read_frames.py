#!/usr/bin/env python3
"""Reads a file of frames (`papertrader convert … -o market.frames`) by nothing but its description in
src/capture/frames/mod.rs, and writes its rows: of levels as Tardis' incremental_book_L2, of prints with --prints.

    tools/read_frames.py market.frames [--prints] [--from UNIX_NS]

With --from it begins at the last block that begins with a snapshot and before that time, which the index finds.
"""

import argparse
import json
import struct
import sys
import zlib

import zstandard

BLOCK = struct.Struct("<4sIIIIBBBBqqII")
ENTRY = struct.Struct("<QqqIIQ")
KINDS = ("snapshot", "update", "prints", "connected", "invalid")
MASK = (1 << 64) - 1


def fail(what):
    sys.exit(f"read_frames: {what}")


def checked(content, crc, what):
    if zlib.crc32(content) != crc:
        fail(f"{what}: the checksum is another")
    return content


def opening(file):
    """The header, and where the blocks begin."""
    magic, version, length = struct.unpack("<8sII", file.read(16))
    if magic != b"PTFRAMES":
        fail("this is no file of frames")
    if version not in (1, 2):
        fail(f"version {version} is not known")
    text = file.read(length)
    checked(text, *struct.unpack("<I", file.read(4)), "the header")
    return json.loads(text), 16 + length + 4


def index(file):
    """Entries of all blocks, and the totals: frames, snapshots, levels, prints; of version 2 also faults, times that go back,
    venue's times, those after receipt, those more than a day after it, longest pause, least and greatest time of receipt,
    price decimals, size decimals."""
    file.seek(-16, 2)
    end = file.tell()
    at, magic = struct.unpack("<Q8s", file.read(16))
    if magic != b"PTFRMEND":
        fail("the file is cut: it has no index")
    file.seek(at)
    content = file.read(end - at - 4)
    checked(content, *struct.unpack("<I", file.read(4)), "the index")
    magic, count = struct.unpack_from("<4sI", content)
    if magic != b"INDX":
        fail("the index is none")
    entries = [ENTRY.unpack_from(content, 8 + 40 * number) for number in range(count)]
    totals = content[8 + 40 * count:]
    return entries, struct.unpack("<4Q" if len(totals) == 32 else "<9Q3q2Q", totals)


class Counted:
    """What the totals say, by the frames."""

    def __init__(self):
        self.counts, self.pause, self.before, self.span, self.scale = [0] * 9, 0, None, (0, 0), (0, 0)

    def take(self, kind, scale, ns, event_ns, rows):
        is_book = kind in ("snapshot", "update")
        lead = 0 if event_ns is None else event_ns - ns
        what = (is_book, kind == "snapshot", len(rows) * is_book, len(rows) * (kind == "prints"), kind == "invalid",
                self.before is not None and ns < self.before, event_ns is not None, lead > 0, lead > 86_400 * 10**9)
        self.counts = [count + more for count, more in zip(self.counts, what)]
        self.pause = max(self.pause, ns - (ns if self.before is None else self.before))
        self.span = (ns, ns) if self.before is None else (min(self.span[0], ns), max(self.span[1], ns))
        self.before = ns
        if is_book:
            self.scale = scale

    def totals(self):
        return (*self.counts, self.pause, *self.span, *self.scale)


class Payload:
    def __init__(self, content):
        self.content, self.at = content, 0

    def byte(self):
        self.at += 1
        return self.content[self.at - 1]

    def varint(self):
        number, shift = 0, 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def signed(self):
        number = self.varint()
        return number >> 1 ^ -(number & 1)


def frames(payload, count, first_ns, scale):
    """(kind, fault, scale, number, receive time, venue's time or None, levels or prints) of each frame."""
    ns, number, prices, print_price, trade = first_ns, MASK, [0, 0], 0, 0
    for _ in range(count):
        tag = payload.byte()
        kind = KINDS[tag & 7]
        fault = payload.byte() if kind == "invalid" else None
        own = (payload.byte(), payload.byte()) if tag & 16 else scale
        if kind != "prints":
            scale = own
        ns += payload.signed()
        event_ns = ns + payload.signed() if tag & 8 else None
        number = (number + 1 + (payload.signed() if tag & 32 else 0)) & MASK
        rows = []
        for _ in range(payload.varint()):
            word = payload.varint()
            if kind == "prints":
                print_price = (print_price + payload.signed()) & MASK
                trade = (trade + 1 + payload.signed()) & MASK
                since = payload.varint()
                time = None if since == 0 else ns + (since - 1 >> 1 ^ -(since - 1 & 1))
                rows.append((word & 1, print_price, word >> 1, trade, time))
            else:
                prices[word & 1] = (prices[word & 1] + payload.signed()) & MASK
                rows.append((word & 1, prices[word & 1], word >> 1))
        yield kind, fault, own, number, ns, event_ns, rows
    if payload.at != len(payload.content):
        fail("a block has more than its frames")


def blocks(file, at):
    """All frames from a block on."""
    file.seek(at)
    while True:
        header = file.read(BLOCK.size)
        if header[:4] == b"INDX" or len(header) < BLOCK.size:
            return
        magic, count, decoded, stored, crc, codec, price, size, _, first_ns, _, _, header_crc = BLOCK.unpack(header)
        checked(header[:-4], header_crc, "a block's header")
        content = checked(file.read(stored), crc, "a block")
        if magic != b"BLCK":
            continue
        if codec == 1:
            content = zstandard.ZstdDecompressor().decompress(content, max_output_size=decoded)
        if len(content) != decoded:
            fail("a block is not as long as it says")
        yield from frames(Payload(content), count, first_ns, (price, size))


def decimal(count, decimals):
    text = str(count).rjust(decimals + 1, "0")
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file")
    arguments.add_argument("--prints", action="store_true")
    arguments.add_argument("--from", dest="start", type=int)
    arguments = arguments.parse_args()
    with open(arguments.file, "rb") as file:
        header, at = opening(file)
        entries, totals = index(file)
        if arguments.start is not None:
            before = [offset for offset, first_ns, _, _, flags, _ in entries if flags & 1 and first_ns <= arguments.start]
            at = max(before, default=at)
        counted, last_us = Counted(), None
        write = sys.stdout.write
        columns = "id,side" if arguments.prints else "is_snapshot,side"
        write(f"exchange,symbol,timestamp,local_timestamp,{columns},price,amount\n")
        for kind, _, (price, size), _, ns, event_ns, rows in blocks(file, at):
            counted.take(kind, (price, size), ns, event_ns, rows)
            is_print = kind == "prints"
            us = ns // 1000
            if last_us is not None:
                us = max(us, last_us if is_print else last_us + 1)
            last_us = us
            if is_print != arguments.prints:
                continue
            event_us = us if event_ns is None else event_ns // 1000
            for row in rows:
                if is_print:
                    sold, ticks, lots, trade, time = row
                    event_us = us if time is None else time // 1000
                    write(f",{header['product']},{event_us},{us},{trade},{'sell' if sold else 'buy'},"
                          f"{decimal(ticks, price)},{decimal(lots, size)}\n")
                else:
                    ask, ticks, lots = row
                    snapshot = "true" if kind == "snapshot" else "false"
                    write(f",{header['product']},{event_us},{us},{snapshot},{'ask' if ask else 'bid'},"
                          f"{decimal(ticks, price)},{decimal(lots, size)}\n")
        found = counted.totals()[:len(totals)]
        if arguments.start is None and found != totals:
            fail(f"the frames come to {found}, the index says {totals}")


main()
