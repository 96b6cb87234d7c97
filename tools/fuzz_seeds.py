#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets to fuzz/seeds, from nothing but this script: the same bytes each time.

    tools/fuzz_seeds.py
"""

import base64
import gzip
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


def prints(number, kind, trades, client=False):
    envelope = {"channel": "market_trades"}
    if client:
        envelope["client_id"] = ""
    envelope |= {"timestamp": "2024-08-08T23:54:16.609369665Z", "sequence_num": number}
    envelope["events"] = [{"type": kind, "trades": trades}]
    return envelope


def trade(number, price, size, side, product="BTC-USD"):
    return {"product_id": product, "trade_id": str(number), "price": price, "size": size,
            "time": "2024-08-08T23:54:16.512Z", "side": side}


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

PRINTS = [
    prints(1, "snapshot", [trade(7, "61804.7", "1", "BUY"), trade(6, "61804.70", "0.00000001", "SELL")]),
    prints(2, "update", [trade(9, "61805", "0.25", "SELL"), trade(8, "61804.7", "0.00314", "BUY")]),
    prints(3, "update", [trade(10, "61805.125", "12", "SELL")], client=True),
    prints(4, "update", [trade(11, "0", "-1", "buy"), trade("x", "1", "1", "SELL", "ETH-USD")]),
]


def level2():
    scales = [bytes([0, 2, 8]), bytes([1, 0, 0]), bytes([0, 18, 18])]
    texts = [compact(message) for message in FRAMES + OTHERS]
    yield scales[0] + "\n".join(texts).encode()
    for scale in scales:
        for text in texts[:3]:
            yield scale + text.encode()
    for scale in scales:
        for message in PRINTS:
            yield scale + compact(message).encode()
    yield scales[0] + "\n".join(compact(message) for message in FRAMES[:1] + PRINTS).encode()
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
    written = {"features": ["mid", {"imb5": IMBALANCE}], "intercept": 0, "coefficients": [0, 1]}
    yield json.dumps(written).encode()
    yield json.dumps(written | {"features": ["mid", {"imb5": "ln(bid_sise_3)"}]}).encode()
    yield compact(BOOSTER).encode()
    yield ubjson(BOOSTER)
    yield from onnx()


# XGBoost's: two trees.
def booster_tree(left, right, feature, split, weights):
    nodes = len(left)
    return {"base_weights": weights, "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
            "default_left": [0] * nodes, "id": 0, "left_children": left, "loss_changes": [0.0] * nodes,
            "parents": [2147483647] + [0] * (nodes - 1), "right_children": right, "split_conditions": split,
            "split_indices": feature, "split_type": [0] * nodes, "sum_hessian": [0.0] * nodes,
            "tree_param": {"num_deleted": "0", "num_feature": "2", "num_nodes": str(nodes), "size_leaf_vector": "1"}}


BOOSTER = {"learner": {
    "attributes": {}, "feature_names": ["mid", "imbalance_1"], "feature_types": ["float", "float"],
    "gradient_booster": {"model": {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "2"}, "iteration_indptr": [0, 1, 2], "tree_info": [0, 0],
        "trees": [booster_tree([1, -1, -1], [2, -1, -1], [1, 0, 0], [0.25, -0.5, 0.5], [0.0, -0.5, 0.5]),
                  booster_tree([-1], [-1], [0], [0.0625], [0.0625])]}, "name": "gbtree"},
    "learner_model_param": {"base_score": "[5E-1]", "boost_from_average": "1", "num_class": "0", "num_feature": "2",
                            "num_target": "1"},
    "objective": {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}}, "version": [3, 2, 0]}


def ubjson(value):
    """Universal Binary JSON, arrays of numbers with their type in front."""
    text = lambda value: b"L" + struct.pack(">q", len(value)) + value.encode()
    if isinstance(value, dict):
        return b"{" + b"".join(text(key) + ubjson(entry) for key, entry in value.items()) + b"}"
    if isinstance(value, list):
        for kind, marker, form in (int, b"l", ">i"), (float, b"d", ">f"):
            if value and all(type(entry) is kind for entry in value):
                packed = b"".join(struct.pack(form, entry) for entry in value)
                return b"[$" + marker + b"#L" + struct.pack(">q", len(value)) + packed
        return b"[" + b"".join(map(ubjson, value)) + b"]"
    return b"S" + text(value) if isinstance(value, str) else b"d" + struct.pack(">f", value)


def onnx():
    """Graphs by the field numbers of onnx.proto."""
    def field(number, value):
        if isinstance(value, int):
            return varint(number << 3) + varint(value & 2**64 - 1)
        if isinstance(value, float):
            return varint(number << 3 | 5) + struct.pack("<f", value)
        value = value.encode() if isinstance(value, str) else value
        return varint(number << 3 | 2) + varint(len(value)) + value

    fields = lambda *pairs: b"".join(field(number, value) for number, value in pairs)
    ints = lambda name, *numbers: fields((1, name), *((8, number) for number in numbers), (20, 7))
    floats = lambda name, *numbers: fields((1, name), *((7, number) for number in numbers), (20, 6))
    texts = lambda name, *values: fields((1, name), *((9, value) for value in values), (20, 8))
    tensor = lambda name, dims, numbers: fields(*((1, dim) for dim in dims), (2, 1), *((4, number) for number in numbers), (8, name))
    value = lambda name, width: fields((1, name), (2, field(1, fields((1, 1), (2, field(1, b"") + field(1, field(1, width)))))))

    def node(operator, inputs, outputs, *attributes):
        return fields(*((1, name) for name in inputs), *((2, name) for name in outputs), (4, operator),
                      *((5, attribute) for attribute in attributes))

    def model(nodes, weights):
        graph = fields(*((1, entry) for entry in nodes), *((5, entry) for entry in weights), (11, value("x", 2)), (12, value("p", 2)))
        return fields((1, 8), (7, graph), (8, field(2, 17)), (14, fields((1, "features"), (2, "mid,imbalance_1"))))

    product = node("Gemm", ["filled", "w", "b"], ["score"], fields((1, "alpha"), (2, 0.5), (20, 1)))
    yield model([node("Scaler", ["x"], ["scaled"], floats("offset", 1.0, 2.0), floats("scale", 0.5, 2.0)),
                 node("Imputer", ["scaled"], ["filled"], floats("imputed_value_floats", 0.5)), product,
                 node("Softmax", ["score"], ["p"])], [tensor("w", [2, 2], [1.0, -1.0, 0.5, 0.25]), tensor("b", [2], [0.0, 0.5])])
    lists = {"nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0], "nodes_truenodeids": [1, 0, 0],
             "nodes_falsenodeids": [2, 0, 0], "class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 0],
             "classlabels_int64s": [0, 1]}
    yield model([node("TreeEnsembleClassifier", ["x"], ["label", "p"], *(ints(name, *numbers) for name, numbers in lists.items()),
                      texts("nodes_modes", "BRANCH_LEQ", "LEAF", "LEAF"), floats("nodes_values", 0.125, 0.0, 0.0),
                      floats("class_weights", 0.25, 0.75))], [])
    yield model([node("Conv", ["x", "w"], ["p"], ints("pads", 1, 1))], [tensor("w", [1, 1, 3], [1.0, 2.0, 3.0])])


IMBALANCE = "(sum(bid_size, 1..5) - sum(ask_size, 1..5)) / (sum(bid_size, 1..5) + sum(ask_size, 1..5))"


def expressions():
    for text in (IMBALANCE, "ln(bid_size_1)", "bid_price_1 - ask_price_1", "sum(bid_price * bid_size, 1..10) / sum(bid_size, 1..10)",
                 "(mid - mean(mid, 20)) / std(mid, 500ms); ema(ofi_3_5, 2s)", "delta(mid, 3) / lag(mid, 3)", "-clip(mid, 1, 2e3) >= 0",
                 "min(ln(ask_size), 2..9) != max(bid_size_1, 3)", "mean(mean(lag(abs(microprice_minus_mid), 300ms), 2), 3)",
                 "1 / (bid_size_1 - bid_size_1)", "mid / 0", "sqrt(-1)", "bid_sise_3", "lag(mid, 10001)", "((((((mid))))))",
                 "sum(sum(bid_size, 1..10) * ask_size, 1..10)", "std(sum(ask_size, 1..3), 60s); seconds_since_print + print_count_5"):
        yield text.encode()


def exchange():
    head = ("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode()
    for text in (head, head[:60], b'{"type":"subscribe","channel":"level2","product_ids":["BTC-USD"]}'):
        yield text
        yield b"\1" + text
    yield from noise("exchange")


TRADES = ("buy_sequence_number,sell_sequence_number,buy_amount,sell_amount,volume,profit,buy_venue_sequence_num,"
          "sell_venue_sequence_num,buy_ts_recv_ns,sell_ts_recv_ns,probability,buy_mid,sell_mid,unsold_volume\n")


def trade(n, every_ns=40_000_000_000):
    bought_ns = 1_723_161_256_000_000_000 + n * every_ns
    won = (n % 5 - 2) / 1000
    return (f"{n},{n + 20},5.0,{5 + won},0.00008,{won},{n},{n + 20},{bought_ns},{bought_ns + 1_000_000_000},"
            f"{0.6 + n % 7 / 100},61804.75,{'' if n % 3 == 0 else 61804.75 + won},0.0\n")


def run_file():
    """A RUN.json of two bins and three buckets."""
    outcomes = {"up": 3, "down": 2, "tied": 1, "unknown": 1}
    nobody = dict.fromkeys(outcomes, 0)
    names = {"feed": ("messages", "frames", "snapshots", "level_updates", "heartbeats", "acknowledgements",
                      "other_products_frames", "other_messages", "scale_refinements", "faults"),
             "book": ("frames", "frames_live", "frames_empty", "frames_syncing", "frames_invalid", "connections", "snapshots",
                      "updates_passed_over", "crossed_or_locked", "window_moves", "rebuilt_at_finer_scale", "faults"),
             "trading": ("evaluations", "none_book_too_thin", "none_warming_up", "purchases_withheld",
                         "purchases_without_asks", "closed_trades", "sold_in_part", "open_positions")}
    counters = {part: dict.fromkeys(fields, 1) for part, fields in names.items()}
    counters["feed"] |= {"faults_by_kind": [{"fault": "sequence gap", "count": 1}], "fault_notes": ["line 3"]}
    counters["book"] |= {"faults_by_kind": [], "state_at_the_end": "live"}
    counters["trading"] |= {"open_cost": 5.0, "open_mark": None}
    feature = {"name": "imbalance_1", "coefficient": 2.0, "trained_mean": 0.1, "trained_scale": 0.5}
    times = ("min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns")
    stage = {"stage": "total", "name": "received", "count": 9, "out_of_range": 0, "curve": [[0.0, 400], [0.5, 900], [1.0, 2000]]}
    shares = {"from": 0.6, "moved": 5, "mean_probability": 0.62, "up_share": 0.6, "tied": 1}
    extents = [[value, value - 0.5, value + 0.5, value, value] for value in (1.0, 1.5, 2.0)]
    return {
        "schema": "papertrader-run", "schema_version": 1, "program_version": "0.1.0",
        "run": {"title": "replay", "product": "BTC-USD", "streamed_as": None, "passed_over": [], "tick": "0.01", "lot": "1",
                "stopped": False, "fault": None},
        "settings": {"threshold": 0.6, "lag_updates": 20, "horizon_updates": 20, "buy_amount": 5.0, "fee_bps": 0.5,
                     "model": {"path": "m.json", "intercept": 0.0, "features": [feature]}},
        "counters": counters, "trades": None,
        "observed": {
            "live_frames": 9, "one_sided_frames": 0, "horizon_updates": 20,
            "calibration": {"evaluations": 7, "not_a_number": 0, "outcomes": outcomes, "at_or_above": outcomes, "below": nobody,
                            "score": dict.fromkeys(("auc", "log_loss", "brier", "accuracy", "base_rate", "ece"), 0.5),
                            "reliability": [shares], "bin_count": 2000, "bins": [[1000, 1, 1, 0, 0], [1300, 2, 1, 1, 1]],
                            "logit_bins": [[-5, 1, 1], [250, 2, 1]]},
            "features": {"every": 16, "rows": 4, "features": [{"name": "imbalance_1", "mean": 0.2, "standard_deviation": 0.4}]},
            "book": {"frames_per_bucket": 1, "sequence": [0, 1, 2], "frames": [1, 1, 1],
                     "ts_recv_ns": [1_723_161_256_000_000_000 + n for n in range(3)],
                     "mid": extents, "spread": extents, "imbalance": [[0.5] * 5] * 3}},
        "timing": {"finished_unix_ns": 1, "elapsed_s": 1.5, "frames_per_s": 6.0, "fused": False, "feed_core": 2,
                   "engine_core": None, "wait": "block", "source": [["a", "b"]], "full_ring_waits": 0,
                   "ring_high_water_events": 1, "writer_waits": 0, "stamp_floor_ns": 16,
                   "stages": [stage | {name: 400 + 100 * n for n, name in enumerate(times)}]}}


def interval_log():
    """Three intervals of one value each, in HdrHistogram's encoding V2."""
    lines = ["#[StartTime: 1723161256.000 (seconds since epoch)]"]
    for second in range(3):
        # A run of empty cells as a negative count, then one; ZigZag LEB128.
        counts = bytes([0xCD, 0x01, 0x02])
        head = struct.pack(">iiiiqqd", 0x1C849313, len(counts), 0, 3, 1, 60_000_000_000, 1.0)
        lines.append(f"Tag=total,{second}.000,1.000,0.000,{base64.b64encode(head + counts).decode()}")
    return "\n".join(lines) + "\n"


LOGS = (
    "account,order_id,leg,purpose,kind,side,price,volume,decided_sequence,decided_ts_recv_ns,probability,decided_bid,decided_ask,"
    "leg_sequence,leg_mid,due_sequence,arrived_sequence,arrived_ts_ns,arrived_bid,arrived_ask,queue_ahead,ended_sequence,"
    "ended_ts_ns,outcome,reason,filled_volume,filled_value,fee",
    "account,fill_id,order_id,leg,purpose,side,liquidity,sequence,venue_sequence_num,ts_ns,price,volume,value,fee,mid,best",
    "account,order_id,mid_1,mid_5,mid_20,mid_100",
    "account,leg,side,decided_sequence,decided_ts_recv_ns,probability,decided_mid,due_sequence,entered_volume,entry_value,"
    "entry_fee,exited_volume,exit_value,exit_fee,profit,net,closed_sequence,closed_ts_ns,"
    "snapshots_while_held,open_volume,open_mark_mid,open_mark_walk",
)


def executions(legs):
    """The four logs: of each account as many legs, of makers every third without a fill, the last one open."""
    orders, fills, markouts, closed = rows = [], [], [], []
    for account in ("taker", "maker-through", "maker-queue", "maker-touch"):
        takes = account == "taker"
        kind, liquidity, fee = ("take", "taker", 0.05) if takes else ("post", "maker", -0.01)
        for leg in range(legs):
            at, at_ns, order = 30 * leg, 1_723_161_256_000_000_000 + leg * 40_000_000_000, 2 * leg
            is_long, is_filled, is_open = leg % 2 == 0, takes or leg % 3 > 0, leg == legs - 1
            begin, end = ("buy", "sell") if is_long else ("sell", "buy")
            price, later = 100 + leg % 4 / 8, 100 + leg % 7 / 8
            best = lambda price: price if takes else ""
            decided = f"{at},{at_ns},0.75,99.5,100.5,{at},100.0,{at + 20},{at},{at_ns + 5_000_000},99.5,100.5,{'' if takes else 3.0}"
            ended, ended_ns = at + 9, at_ns + 900_000_000
            how = f"filled,,1.0,{price},{fee}" if is_filled else "cancelled,timeout,0.0,0.0,0.0"
            orders.append(f"{account},{order},{leg},entry,{kind},{begin},{price},1.0,{decided},{ended},{ended_ns},{how}")
            markouts.append(f"{account},{order},100.0,100.25,{99.5 + leg % 3},{'' if is_open else 101.0}")
            head = f"{account},{leg},{'long' if is_long else 'short'},{at},{at_ns},0.75,100.0,{at + 20}"
            if not is_filled:
                closed.append(f"{head},0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,{ended},{ended_ns},0,0.0,,")
                continue
            fills.append(f"{account},{order},{order},{leg},entry,{begin},{liquidity},{ended},{ended},{ended_ns},{price},1.0,"
                         f"{price},{fee},100.0,{best(price)}")
            if is_open:
                closed.append(f"{head},1.0,{price},{fee},0.0,0.0,0.0,0.0,{-fee},{ended},{ended_ns},0,1.0,100.0,99.5")
                continue
            orders.append(f"{account},{order + 1},{leg},exit,{kind},{end},{later},1.0,{decided},{at + 20},{ended_ns + 1},"
                          f"filled,,1.0,{later},{fee}")
            fills.append(f"{account},{order + 1},{order + 1},{leg},exit,{end},{liquidity},{at + 20},{at + 20},{ended_ns + 1},"
                         f"{later},1.0,{later},{fee},,{best(later)}")
            profit = later - price if is_long else price - later
            closed.append(f"{head},1.0,{price},{fee},1.0,{later},{fee},{profit},{profit - 2 * fee},{at + 20},{ended_ns + 1},"
                          "0,0.0,,")
    return ["\n".join([header, *log]) + "\n" for header, log in zip(LOGS, rows)]


def report():
    few, many = "".join(map(trade, range(3))), "".join(map(trade, range(40)))
    json_text, log = compact(run_file()), interval_log()
    border = b"\n\xff\xff\n"
    for parts in (TRADES + many, json_text, log), (TRADES + few, "", log), (TRADES + few, json_text, ""), (TRADES, json_text, log):
        yield border.join(part.encode() for part in parts)
    for legs, parts in (30, (TRADES + many, json_text, log)), (4, (TRADES, "", "")), (0, (TRADES + few, json_text, "")):
        yield border.join(part.encode() for part in (*parts, *executions(legs)))
    yield border.join(part.encode() for part in (TRADES, "", "", *executions(1)[:3], ""))
    bare = TRADES[:TRADES.index(",buy_venue")] + "\n"
    yield (bare + "0,20,100,101,1,1\n").encode()
    yield (bare + "0,20,100,101,1").encode()
    yield (bare + 2 * f"{2**64 - 1},{2**64 - 1},1e50,1e-300,1,-1e50\n").encode()
    yield b"\xef\xbb\xbf" + (bare + "0,20,100,101,1,1\n").replace("\n", "\r\n").encode()


def noise(name):
    """Bytes for targets whose input is a list of operations: any will do."""
    for n in range(24):
        blocks = [hashlib.sha256(f"{name} {n} {block}".encode()).digest() for block in range(1 + n % 12)]
        yield b"".join(blocks)


def rows(count):
    """Tardis' incremental_book_L2."""
    lines = ["exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"]
    for n in range(count):
        at = 1_585_699_200_000_000 + n // 3 * 1_000
        side, snapshot = ("bid", "ask")[n % 2], "true" if n < 6 or n % 50 < 3 else "false"
        lines.append(f"x,P,{at - n % 4},{at},{snapshot},{side},{100 + n % 7 - 20 * (n % 2)}.{n % 10},{n % 5}e-1")
    return "\n".join(lines).encode() + b"\n"


def varint(number):
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def zigzag(number):
    return varint(number << 1 ^ number >> 63)


def frames(count):
    """A file of frames in one block, as it is."""
    header = json.dumps({"product": "P", "faults": ["sequence gap"]}).encode()
    payload = b""
    for n in range(count):
        kind = 0 if n == 0 else 2 if n % 5 == 3 else 4 if n % 11 == 10 else 1
        payload += bytes([kind | 8] + ([0] if kind == 4 else [])) + zigzag(1_000 * n) + zigzag(-7)
        if kind == 2:
            payload += varint(1) + varint(2 * n + n % 2) + zigzag(100 + n % 3) + zigzag(0) + varint(1 + n)
        else:
            levels = 0 if kind == 4 else n % 4
            payload += varint(levels) + b"".join(varint(2 * n + at % 2) + zigzag(50 + at - n % 9) for at in range(levels))
    crc = lambda content: struct.pack("<I", zlib.crc32(content))
    block = struct.pack("<4sIII", b"BLCK", count, len(payload), len(payload)) + crc(payload)
    block += struct.pack("<BBBBqqI", 0, 1, 2, 1, 5_000, 1_000 * count, 0)
    at = 16 + len(header) + 4
    index = struct.pack("<4sIQqqIIQ4Q", b"INDX", 1, at, 5_000, 1_000 * count, count, 1, 0, count, 1, 0, 0)
    opening = struct.pack("<8sII", b"PTFRAMES", 1, len(header)) + header + crc(header)
    ending = index + crc(index) + struct.pack("<Q8s", at + len(block) + 4 + len(payload), b"PTFRMEND")
    return opening + block + crc(block) + payload + ending


# Parquet, as deflate in base 85: nothing in Python's own library writes it.
PARQUET = [
    # A catalogue's deltas, plain.
    "c-jka3^EjD5Y-UX&=KVVGT21f7#LU>7#J9#m<foPffz#(1Cjz54U`KI4M0-"
    "_22Z#{KnfUyOV%=B;p5hLYL+z$J;k&fNfwVrC}79I$MBB=0|YMs;sz+jH2qq19mlhm;^=fkR27&$FsBntV`yZBDnzGSp&F0EG%`uf@n9`UOv*_"
    "W6<`o$Qe}`}OH3}w%+FI5gK$}jGgDGQ96nJ2Q3eUtf}+giR2UB^Sq0><0M&8i7p0^Y#b>6d%0M)-"
    "rsX827lU+yrAvzAQ_E8GN<h*e0d}B3W?m+UFUBP)BiW<IAOm!bDg&D&%n71E88I(0FEtKN8BtK+fT9jb8Q5uXML}qa_#lcP4hE|#5-U=h!-"
    "!oO*e7sReN1SoSRkt4o`kDxV8-"
    "q?i0|Q!`^1dHKv=NA4cx<mT_r5M;0o8VA}JJ`!6wF~#sQ>67#K7p3lfV8OH)g9i;5M>Qj3a#VX0tdpl7IOAlW0sz<?Doa0AT=0A^1BYFd>!",
    # Books as lists, gzip.
    "c-jka3^EjD5p@vt@Db$@We{RukniST0E7R@JH%p-"
    "e|)plLU~GB)1@;3QVi_|DIN+yDNzQXVgnr@At1^o%7&sTsqPR1gW7z_%`6~=ETRdbX+EMnXh!QEHxy)G;5dAsucv}R{>pwSl>&#&e^_r!V&8S|"
    "g7d5rzC*Viw-`Wd(i08P5mmrqQ))s&!dylcABQ$3ZR2eB$<Lb9bQ!us^Dc-JXY&dMNrcT!K%1|CY;JVA&Q6)lOp<3jSW6O<a#DfXL|IfBBv?u^"
    "b5j{inIu?}GE<60nMB!qY=A0FStM9;GK)(@nLu*vsX3{+sd**Xq(!+@5emQtB^GB>Zjcy<q>QAE8iR}|i=-"
    "(7n}8(5rJ^ii9Aa&ZV%r$ia@069b%0^X0Mg3<3<@Toc_0m35DgJvAAwDWnTo;z8l@n1hEePbquK!`wS9~P3<LR!D8sg}sBL1#G)!zB(CKO%V)I"
    "x<7#K7p3lfV8OH)g9i;5M>Qj3Z+^YawU4D<~33?yx27#MWGh+zXG1495X8vp>J1gxw",
    # Databento's names, snappy, two row groups.
    "c-obeL5tHs6vtmClQgYi$(Ft`fgFl#9}2Og%dRI6^(K<TQuZKPEM2X*ShO~^EPGfy6%jvxpTLud2N6#my?OEAQA9-"
    "WONcX*%{FMOHY78dy#H_B{QrmST<WxtV~kq~+6YwuzYCwPA35KDoHmYUc041XgKi{so_uTo?lN-"
    "&B<^7?L8fshgm0&I833TFI0ZT5V9QTFhIubHGNe$6%?wzwe;qdxIVr@u2>NQYvzgiwtD-"
    "1i<+|F@HVl(X=nPWcZoRGAwN$Uo=C*p@{7+BjJOb^B6+E$j1@OCAHq6D`<$n<ZvP2F_s5EO>Eoe$U%d(Tg3a;flT3+sJ!Imr-UbZIvz2N{WQqT"
    "auG)a5o!OiLL>3WzYt3Q|b_HXq@2fa9!XUNy-"
    "p<Y)S%rE!TyLsJJb+y*@27qvaDCiP|$b)ULz2Kw^GGU9UIHIfMoQpDt%9)4COOco#Kr<b2jouhEGZs^<Na<r}>V~*Y&lr7KLRE6=#Ehm!;(%r*"
    "y=RLlw@A%<-"
    "4P>t#Oa;+CnbKG!X`&N=QV((!7y#|GpCn)g=jMBtwoQm6{2C{is;Z2o4#5rM8iZPsgE|jwpWNoQM>f2M6=R@XlABh(y@49))<@(M*Z=Fhl9!aa"
    "ax}a#_9h3d-V%(v(=1)ZU~UwksjfL<agxX>la1Speq",
]


# Where recordings stand among the formats.
RAW = 9


def sources():
    """The format's number, how it is read, and a file."""
    for how in range(4):
        for content in (frames(3), frames(60), rows(40), rows(400), gzip.compress(rows(100), mtime=0)):
            yield from (bytes([which, how]) + content for which in range(12))
    header = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu"
    history = (f"{header}\nP,1667347199100,20,20,b,snap,10,1,-1\nP,1667347199200,21,22,a,set,11,2,20\n"
               "P,1667347199300,25,26,b,set,9,0,24\nP,1667347199400,30,30,a,snap,12,5,-1\n")
    okx = "".join('{"instId":"P","action":"%s","ts":"%d","asks":[["11","%d","1"]],"bids":[["10","1","1"]]}\n'
                  % (action, 1_723_161_256_000 + at, at) for at, action in enumerate(["update", "snapshot", "update"]))
    yield from (bytes([which, how]) + content.encode() for which, content in ((11, history), (10, okx)) for how in range(4))
    level = '{"price":%s,"qty":%s}'
    book = '{"channel":"book","type":"%s","data":[{"symbol":"P","bids":[%s],"asks":[%s],"checksum":%d,"timestamp":"2024-08-09T00:00:00Z"}]}'
    kraken = ['{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"P"},"success":true}',
              book % ("snapshot", level % ("10.0", "1.50"), level % ("10.5", "2.00"), zlib.crc32(b"105200100150")),
              book % ("update", level % ("10.0", "0.00"), level % ("10.6", "0.50"), zlib.crc32(b"10520010650")),
              book % ("update", "", level % ("10.5", "1.00"), 7),
              '{"channel":"trade","type":"update","data":[{"symbol":"P","side":"buy","price":10.5,"qty":0.30,"ord_type":"limit","trade_id":7,'
              '"timestamp":"2024-08-09T00:00:00Z"}]}']
    book = '{"topic":"orderbook.50.P","type":"%s","ts":1723161256000,"data":{"s":"P","b":[["10","%d"]],"a":[["11","1"]],"u":%d,"seq":1}}'
    bybit = ['{"success":true,"ret_msg":"","conn_id":"x","op":"subscribe"}', book % ("snapshot", 2, 5), book % ("delta", 0, 6),
             book % ("delta", 3, 8), book % ("delta", 4, 1),
             '{"topic":"publicTrade.P","type":"snapshot","ts":1723161256001,"data":[{"T":1723161256000,"s":"P","S":"Buy","v":"0.3","p":"11",'
             '"i":"7"}]}']
    for messages in (kraken, bybit):
        recording = "".join(f"{1_723_161_256_000_000_000 + at} {message}\n" for at, message in enumerate(messages))
        yield from (bytes([RAW, how]) + recording.encode() for how in range(4))
    for content in PARQUET:
        yield from (bytes([which, 0]) + zlib.decompress(base64.b85decode(content)) for which in (3, 6, 7))


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    corpora = {"level2": level2(), "decimal": decimal(), "capture": capture(), "model": model(),
               "expressions": expressions(), "exchange": exchange(), "report": report(), "sources": sources(),
               "book": noise("book"), "session": noise("session")}
    for target, seeds in corpora.items():
        folder = ROOT / target
        folder.mkdir(parents=True)
        for seed in seeds:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


if __name__ == "__main__":
    main()
