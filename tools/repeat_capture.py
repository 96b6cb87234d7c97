#!/usr/bin/env python3
"""Repeats a capture until it has so many frames: its updates again and again behind its snapshot.

    tools/repeat_capture.py CAPTURE FRAMES OUT

Receive times and sequence numbers go on from round to round, so that the result is a capture without gaps.
"""

import gzip
import re
import sys

NUMBER = re.compile(rb'"sequence_num":\d+')


def main() -> None:
    path, frames, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(path, "rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    with (gzip.open if is_gzip else open)(path, "rb") as file:
        lines = [line.rstrip(b"\n").split(b" ", 1) for line in file]
    first, last = int(lines[0][0]), int(lines[-1][0])
    with open(out, "wb") as file:
        written, shift_ns, begin = 0, 0, 0
        while written < frames:
            for time, frame in lines[begin : begin + frames - written]:
                numbered = NUMBER.sub(b'"sequence_num":%d' % written, frame, count=1)
                file.write(b"%d %s\n" % (int(time) + shift_ns, numbered))
                written += 1
            shift_ns += last - first
            begin = 1


if __name__ == "__main__":
    main()
