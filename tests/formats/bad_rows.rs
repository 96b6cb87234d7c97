//! One table: what each text format makes of each fault of its rows, by exit code and words.

use crate::common::{papertrader, reported, stderr};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Output;

/// The faults that every format is tried with.
const FAULTS: [&str; 11] = [
    "cut",
    "columns",
    "unit",
    "exponent",
    "NaN",
    "negative",
    "zero",
    "level cut",
    "goes back",
    "before the first snapshot",
    "missing side",
];

/// What a file with a fault comes to.
enum Says {
    /// Exit code 2 and this line behind the file's name.
    Error(&'static str),
    /// The same of the file beside it.
    Of(&'static str, &'static str),
    /// No frame of the book, which the file says is lost, and this remark.
    Lost(&'static str),
    /// So many frames of the book, and this remark.
    Remark(u64, &'static str),
    /// So many frames of the book, and nothing to be said.
    Frames(u64),
}
use Says::{Error, Frames, Lost, Of, Remark};

/// A format by a file of three frames of the book, one second after the other, of the product P.
struct Format {
    name: &'static str,
    file: &'static str,
    text: &'static str,
    /// A file beside it.
    beside: Option<(&'static str, &'static str)>,
    /// A fault, what of a file it replaces, and by what.
    cases: &'static [(&'static str, &'static str, &'static str, Says)],
    /// What an empty file says.
    empty: &'static str,
}

const TARDIS: Format = Format {
    name: "tardis",
    file: "m.csv",
    text: "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n\
           x,P,1723161256000000,1723161256000100,true,bid,10,1\n\
           x,P,1723161256000000,1723161256000100,true,ask,11,1\n\
           x,P,1723161257000000,1723161257000100,false,bid,10,2\n\
           x,P,1723161258000000,1723161258000100,false,ask,11,3.5\n",
    beside: None,
    cases: &[
        ("cut", ",false,ask,11,3.5\n", "", Error(", line 5: has not eight cells; is it cut?")),
        ("cut", "3.5\n", "3", Remark(3, "1 row at the end without a line break: numbers may be cut")),
        (
            "columns",
            "price,amount\n",
            "amount,price\n",
            Error(
                ", line 1: the header is 'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,amount,price' where \
                 'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount' is due",
            ),
        ),
        (
            "unit",
            "1723161257000000,1723161257000100",
            "1723161257000000000,1723161257000100000",
            Error(
                ", line 4: timestamp '1723161257000000000' is in nanoseconds; Tardis' files have microseconds: divide it \
                 by 1000",
            ),
        ),
        (
            "unit",
            "1723161257000000,",
            "1723161257000,",
            Error(
                ", line 4: timestamp '1723161257000' is in milliseconds; Tardis' files have microseconds: multiply it by \
                 1000",
            ),
        ),
        (
            "unit",
            "1723161257000000,",
            "1723161257,",
            Error(", line 4: timestamp '1723161257' is not a time in microseconds since 1970"),
        ),
        ("exponent", "bid,10,2", "bid,1e1,2E0", Frames(3)),
        ("NaN", "bid,10,2", "bid,NaN,2", Error(", line 4: price 'NaN' is not a decimal number")),
        ("NaN", "bid,10,2", "bid,10,nan", Error(", line 4: amount 'nan' is not a decimal number")),
        ("negative", "bid,10,2", "bid,-10,2", Error(", line 4: price '-10' is negative")),
        ("negative", "bid,10,2", "bid,10,-2", Error(", line 4: amount '-2' is negative")),
        ("zero", "bid,10,2", "bid,0.00,2", Error(", line 4: price is 0")),
        ("level cut", "bid,10,2", "bid,10", Error(", line 4: has not eight cells; is it cut?")),
        ("level cut", "bid,10,2", "bid,10,", Error(", line 4: amount '' is empty")),
        (
            "goes back",
            "1723161258000100",
            "1723161257000099",
            Error(", line 5: local_timestamp goes back from 1723161257000100 to 1723161257000099; sort the rows by it"),
        ),
        (
            "before the first snapshot",
            "x,P,1723161256000000",
            "x,P,1723161255000000,1723161255000100,false,bid,10,2\nx,P,1723161256000000",
            Remark(3, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        (
            "before the first snapshot",
            "true,bid,10,1\nx,P,1723161256000000,1723161256000100,true,ask,11,1\n",
            "false,bid,10,1\n",
            Error(": holds no snapshot of the product: nothing can be made of its updates"),
        ),
        ("missing side", "x,P,1723161256000000,1723161256000100,true,ask,11,1\n", "", Frames(3)),
        ("missing side", "bid,10,2", ",10,2", Error(", line 4: side '' is neither bid nor ask")),
    ],
    empty: ": is empty: the venue sent nothing on that day",
};

const TABLE: Format = Format {
    name: "table",
    file: "m.csv",
    text: "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1\n\
           1723161256000,10,1,11,1\n\
           1723161257000,10,2,11,1\n\
           1723161258000,10,2,11,3.5\n",
    beside: None,
    cases: &[
        ("cut", ",11,3.5\n", "", Error(", line 4: has 3 cells where the header has 5; is it cut?")),
        ("cut", "3.5\n", "3", Remark(3, "1 row at the end without a line break: numbers may be cut")),
        (
            "columns",
            "time,bid_price_1,bid_size_1,ask_price_1,ask_size_1",
            "a,b,c,d,e",
            Error(
                ", line 1: names no columns of levels that are known; say how they are named by --table-pattern, such as '{side}_{field}_{level}'",
            ),
        ),
        ("columns", "ask_size_1\n", "ask_amount_of_1\n", Error(", line 1: has no column of the size of ask 1")),
        (
            "unit",
            "1723161257000,",
            "1723161257000000000,",
            Error(
                ", line 3: the time '1723161257000000000' is in nanoseconds where those before are in milliseconds; give all \
                 in one unit",
            ),
        ),
        (
            "unit",
            "1723161257000,",
            "2024-08-08T23:54:17Z,",
            Error(
                ", line 3: the time '2024-08-08T23:54:17Z' is in dates where those before are in milliseconds; give all in one unit",
            ),
        ),
        (
            "unit",
            "1723161256000,",
            "17,",
            Error(", line 2: the time '17' is neither Unix time from 1980 to 2100 nor a date with a time of day"),
        ),
        ("exponent", "10,2,11,1", "1e1,2E0,11,1", Frames(3)),
        // An absent level, as pandas writes it: the book has no bids then.
        ("NaN", "10,2,11,1", "NaN,NaN,11,1", Frames(3)),
        (
            "negative",
            "10,2,11,1",
            "-10,2,11,1",
            Error(", line 3: bid_price_1 and bid_size_1: the price '-10' is negative"),
        ),
        (
            "negative",
            "10,2,11,1",
            "10,-2,11,1",
            Error(", line 3: bid_price_1 and bid_size_1: the size '-2' is negative"),
        ),
        ("zero", "10,2,11,1", "0,0,11,1", Frames(3)),
        ("level cut", "10,2,11,1", "10,2,11", Error(", line 3: has 4 cells where the header has 5; is it cut?")),
        (
            "goes back",
            "1723161258000",
            "1723161256999",
            Error(", line 4: time goes back to '1723161256999' from 1723161257000000000 ns; sort the rows by it"),
        ),
        ("goes back", "1723161258000", "1723161257000", Remark(2, "1 row replaced by a later row of the same time")),
        (
            "before the first snapshot",
            "1723161256000,10,1,11,1",
            "1723161256000,,,,",
            Remark(2, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        ("missing side", "10,1,11,1", "10,1,,", Frames(3)),
    ],
    empty: ": is empty",
};

const DATABENTO: Format = Format {
    name: "databento",
    file: "m.csv",
    text: "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,order_id,flags,symbol\n\
           1723161256000000100,1723161256000000000,160,2,7,R,N,,0,0,8,P\n\
           1723161256000000100,1723161256000000000,160,2,7,A,B,10.0,1,1,8,P\n\
           1723161256000000100,1723161256000000000,160,2,7,A,A,11.0,1,2,128,P\n\
           1723161257000000100,1723161257000000000,160,2,7,A,B,10.0,1,3,128,P\n\
           1723161258000000100,1723161258000000000,160,2,7,A,A,11.0,2,4,128,P\n",
    beside: None,
    cases: &[
        ("cut", ",11.0,2,4,128,P\n", "", Error(", line 6: has 7 cells where 12 are due; is it cut?")),
        ("cut", ",4,128,P\n", ",4,128,P", Remark(3, "1 row at the end without a line break: numbers may be cut")),
        (
            "columns",
            "order_id",
            "orders",
            Error(", line 1: has no column order_id or bid_px_09: no book; ask Databento for mbo or mbp-10"),
        ),
        ("columns", ",price,", ",px,", Error(", line 1: lacks the column price")),
        (
            "unit",
            "1723161257000000100,",
            "1723161257000000,",
            Error(
                ", line 5: ts_recv 1723161257000000 is in microseconds; Databento's files have nanoseconds: multiply it by \
                 1000",
            ),
        ),
        (
            "unit",
            "1723161257000000100,",
            "1723161257,",
            Error(
                ", line 5: ts_recv 1723161257 is in seconds; Databento's files have nanoseconds: multiply it by 1000000000",
            ),
        ),
        ("exponent", "B,10.0,1,3", "B,1.0e1,1,3", Frames(3)),
        ("NaN", "B,10.0,1,3", "B,NaN,1,3", Error(", line 5: price 'NaN' is not a finite number")),
        ("NaN", "B,10.0,1,3", "B,10.0,NaN,3", Error(", line 5: size 'NaN' is not a whole number")),
        (
            "negative",
            "B,10.0,1,3",
            "B,-10.0,1,3",
            Error(", line 5: price -10.000000000 is negative: spreads cannot be replayed, choose an outright"),
        ),
        ("negative", "B,10.0,1,3", "B,10.0,-1,3", Error(", line 5: size '-1' is not a whole number")),
        ("zero", "B,10.0,1,3", "B,0.0,1,3", Error(", line 5: price is 0")),
        ("level cut", "B,10.0,1,3", "B,,1,3", Error(", line 5: price is undefined")),
        (
            "goes back",
            "1723161258000000100",
            "1723161257000000099",
            Error(
                ", line 6: ts_recv goes back from 1723161257000000100 to 1723161257000000099; sort the records by it",
            ),
        ),
        (
            "before the first snapshot",
            "1723161256000000100,1723161256000000000,160,2,7,R",
            "1723161256000000100,1723161256000000000,160,2,7,A,B,9.0,1,9,128,P\n\
             1723161256000000100,1723161256000000000,160,2,7,R",
            Remark(3, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        ("missing side", "A,B,10.0,1,3", "A,N,10.0,1,3", Error(", line 5: an order without a side")),
        ("missing side", "A,B,10.0,1,3", "A,,10.0,1,3", Error(", line 5: side '' is not one letter")),
    ],
    empty: ": is empty",
};

const BOOKS: &str = "P_2024-08-08_34200000_57600000_orderbook_1.csv";
const LOBSTER: Format = Format {
    name: "lobster",
    file: "P_2024-08-08_34200000_57600000_message_1.csv",
    text: "34200.1,1,1,1,100000,1\n34201.1,1,2,1,100000,1\n34202.1,1,3,2,110000,-1\n",
    beside: Some((BOOKS, "110000,1,100000,1\n110000,1,100000,2\n110000,3,100000,2\n")),
    cases: &[
        ("cut", "2,110000,-1\n", "", Error(", line 3: has fewer than six cells; is it cut?")),
        (
            "cut",
            "34202.1,1,3,2,110000,-1\n",
            "",
            Of(
                BOOKS,
                ", line 3: P_2024-08-08_34200000_57600000_message_1.csv ends after 2 rows: the files do not belong together, \
                 or one is cut",
            ),
        ),
        ("cut", "-1\n", "-1", Remark(3, "1 row at the end without a line break: numbers may be cut")),
        ("columns", "1,2,1,100000,1\n", "1,2,1,100000,1,7\n", Error(", line 2: has more than six cells")),
        ("columns", "34201.1,1,2", "34201.1,9,2", Error(", line 2: type '9' is not one from 1 to 7")),
        (
            "unit",
            "34201.1",
            "34201100000000",
            Error(", line 2: time '34201100000000' is finer than nanoseconds or too large"),
        ),
        (
            "unit",
            "34201.1",
            "34201100",
            Error(", line 2: time '34201100' is not within a day: times are in seconds after midnight"),
        ),
        ("exponent", "34201.1", "3.42011e4", Frames(3)),
        ("NaN", "34201.1,1,2,1", "34201.1,1,2,NaN", Error(", line 2: size 'NaN' is not a decimal number")),
        ("NaN", "34201.1", "NaN", Error(", line 2: time 'NaN' is not a number of seconds")),
        // A deletion's price is not used; the book's is.
        ("negative", "34201.1,1,2,1,100000", "34201.1,1,2,-1,100000", Error(", line 2: size '-1' is negative")),
        (
            "negative",
            "34201.1,1,2,1,100000",
            "34201.1,4,2,1,-100000",
            Error(", line 2: price '-100000' is not above 0"),
        ),
        ("zero", "34201.1,1,2,1,100000", "34201.1,4,2,0,100000", Error(", line 2: an execution of size 0")),
        (
            "level cut",
            "34201.1,1,2,1,100000,1",
            "34201.1,1,2,1,100000",
            Error(", line 2: has fewer than six cells; is it cut?"),
        ),
        ("goes back", "34202.1", "34201.0", Error(", line 3: time goes back; sort both files by it")),
        // Each row of the book is whole: only a halt hides it.
        (
            "before the first snapshot",
            "34200.1,1,1,1,100000,1\n",
            "34200.1,7,0,0,-1,-1\n",
            Lost("2 rows before the first snapshot: nobody knows the book that they change"),
        ),
        (
            "missing side",
            "34201.1,1,2,1,100000,1",
            "34201.1,1,2,1,100000,0",
            Error(", line 2: direction '0' is neither 1 nor -1"),
        ),
    ],
    empty: ", line 1: P_2024-08-08_34200000_57600000_message_1.csv ends after 0 rows: the files do not belong together, or \
            one is cut",
};

const BYBIT: Format = Format {
    name: "bybit",
    file: "m.data",
    text: "{\"topic\":\"orderbook.500.P\",\"type\":\"snapshot\",\"ts\":1723161256000,\"data\":{\"s\":\"P\",\"b\":[[\"10\",\"1\"]],\"a\":[[\"11\",\"1\"]],\"u\":7,\"seq\":1}}\n\
           {\"topic\":\"orderbook.500.P\",\"type\":\"delta\",\"ts\":1723161257000,\"data\":{\"s\":\"P\",\"b\":[[\"10\",\"2\"]],\"a\":[],\"u\":8,\"seq\":2}}\n\
           {\"topic\":\"orderbook.500.P\",\"type\":\"delta\",\"ts\":1723161258000,\"data\":{\"s\":\"P\",\"b\":[],\"a\":[[\"11\",\"3.5\"]],\"u\":9,\"seq\":3}}\n",
    beside: None,
    cases: &[
        (
            "cut",
            "\"a\":[[\"11\",\"3.5\"]],\"u\":9,\"seq\":3}}\n",
            "",
            Error(", line 3: is not a message as the venue sends it ("),
        ),
        (
            "columns",
            "\"type\":\"delta\"",
            "\"kind\":\"delta\"",
            Error(", line 2: is not a message as the venue sends it (missing field `type`"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257000000",
            Error(", line 2: ts '1723161257000000' is in microseconds, where milliseconds are due"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257000000000",
            Error(", line 2: ts '1723161257000000000' is in nanoseconds, where milliseconds are due"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257",
            Error(", line 2: ts '1723161257' is in seconds, where milliseconds are due"),
        ),
        ("exponent", "[\"10\",\"2\"]", "[1e1,\"2E0\"]", Frames(3)),
        ("NaN", "[\"10\",\"2\"]", "[\"NaN\",\"2\"]", Error(", line 2: price 'NaN' is not a decimal number")),
        ("NaN", "[\"10\",\"2\"]", "[\"10\",NaN]", Error(", line 2: is not a message as the venue sends it (")),
        ("negative", "[\"10\",\"2\"]", "[\"-10\",\"2\"]", Error(", line 2: price '-10' is negative")),
        ("negative", "[\"10\",\"2\"]", "[\"10\",-2]", Error(", line 2: size '-2' is negative")),
        ("zero", "[\"10\",\"2\"]", "[\"0\",\"2\"]", Error(", line 2: price is 0")),
        (
            "level cut",
            "[\"10\",\"2\"]",
            "[\"10\"]",
            Error(", line 2: is not a message as the venue sends it (missing field `size`"),
        ),
        ("goes back", "1723161258000", "1723161256999", Remark(3, "1 row whose times go back")),
        (
            "before the first snapshot",
            "\"type\":\"snapshot\"",
            "\"type\":\"delta\"",
            Error(": holds no snapshot of the product: nothing can be made of its updates"),
        ),
        (
            "before the first snapshot",
            "{\"topic\":\"orderbook.500.P\",\"type\":\"snapshot\"",
            "{\"topic\":\"orderbook.500.P\",\"type\":\"delta\",\"ts\":1723161255000,\"data\":{\"s\":\"P\",\"b\":[],\"a\":[],\"u\":6}}\n{\"topic\":\"orderbook.500.P\",\"type\":\"snapshot\"",
            Remark(3, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        ("missing side", "\"a\":[],", "", Error(", line 2: is not a message as the venue sends it (missing field `a`")),
        ("missing side", "\"a\":[[\"11\",\"1\"]]", "\"a\":[]", Frames(3)),
    ],
    empty: ": holds no snapshot of the product: nothing can be made of its updates",
};

const OKX: Format = Format {
    name: "okx",
    file: "m.data",
    text: "{\"instId\":\"P\",\"action\":\"snapshot\",\"ts\":\"1723161256000\",\"asks\":[[\"11\",\"1\",\"1\"]],\"bids\":[[\"10\",\"1\",\"1\"]]}\n\
           {\"instId\":\"P\",\"action\":\"update\",\"ts\":\"1723161257000\",\"asks\":[],\"bids\":[[\"10\",\"2\",\"1\"]]}\n\
           {\"instId\":\"P\",\"action\":\"update\",\"ts\":\"1723161258000\",\"asks\":[[\"11\",\"3.5\",\"1\"]],\"bids\":[]}\n",
    beside: None,
    cases: &[
        ("cut", "\"3.5\",\"1\"]],\"bids\":[]}\n", "", Error(", line 3: is not a message as the venue sends it (")),
        (
            "columns",
            "\"update\",\"ts\"",
            "\"update\",\"time\"",
            Error(", line 2: is not a message as the venue sends it (missing field `ts`"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257000000",
            Error(", line 2: ts '1723161257000000' is in microseconds, where milliseconds are due"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257000000000",
            Error(", line 2: ts '1723161257000000000' is in nanoseconds, where milliseconds are due"),
        ),
        (
            "unit",
            "1723161257000",
            "1723161257",
            Error(", line 2: ts '1723161257' is in seconds, where milliseconds are due"),
        ),
        ("exponent", "[\"10\",\"2\",\"1\"]", "[1e1,\"2E0\"]", Frames(3)),
        (
            "NaN",
            "[\"10\",\"2\",\"1\"]",
            "[\"NaN\",\"2\",\"1\"]",
            Error(", line 2: price 'NaN' is not a decimal number"),
        ),
        (
            "NaN",
            "[\"10\",\"2\",\"1\"]",
            "[\"10\",\"nan\",\"1\"]",
            Error(", line 2: size 'nan' is not a decimal number"),
        ),
        ("negative", "[\"10\",\"2\",\"1\"]", "[\"-10\",\"2\",\"1\"]", Error(", line 2: price '-10' is negative")),
        ("negative", "[\"10\",\"2\",\"1\"]", "[\"10\",\"-2\",\"1\"]", Error(", line 2: size '-2' is negative")),
        ("zero", "[\"10\",\"2\",\"1\"]", "[\"0\",\"2\",\"1\"]", Error(", line 2: price is 0")),
        (
            "level cut",
            "[\"10\",\"2\",\"1\"]",
            "[\"10\"]",
            Error(", line 2: is not a message as the venue sends it (missing field `size`"),
        ),
        ("goes back", "1723161258000", "1723161256999", Remark(3, "1 row whose times go back")),
        (
            "goes back",
            "1723161258000",
            "1723161137000",
            Error(", line 3: ts '1723161137000' goes back by 120 s; give parts as files, which are put into order"),
        ),
        (
            "before the first snapshot",
            "{\"instId\":\"P\",\"action\":\"snapshot\"",
            "{\"instId\":\"P\",\"action\":\"update\",\"ts\":\"1723161255000\",\"asks\":[],\"bids\":[]}\n{\"instId\":\"P\",\"action\":\"snapshot\"",
            Remark(3, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        (
            "missing side",
            "\"asks\":[],",
            "",
            Error(", line 2: is not a message as the venue sends it (missing field `asks`"),
        ),
        ("missing side", "\"asks\":[[\"11\",\"1\",\"1\"]]", "\"asks\":[]", Frames(3)),
    ],
    empty: ": holds no snapshot of the product: nothing can be made of its updates",
};

const RAW_EMPTY: &str = ": holds no snapshot of the product: nothing can be made of its updates. Record the venue's snapshot \
                         beside them";

const BINANCE: Format = Format {
    name: "raw",
    file: "m.txt",
    text: "1723161256000000100 {\"stream\":\"p@depthSnapshot\",\"data\":{\"lastUpdateId\":7,\"bids\":[[\"10\",\"1\"]],\"asks\":[[\"11\",\"1\"]]}}\n\
           1723161257000000100 {\"stream\":\"p@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161257000,\"s\":\"P\",\"U\":8,\"u\":8,\"b\":[[\"10\",\"2\"]],\"a\":[]}}\n\
           1723161258000000100 {\"stream\":\"p@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161258000,\"s\":\"P\",\"U\":9,\"u\":9,\"b\":[],\"a\":[[\"11\",\"3.5\"]]}}\n",
    beside: None,
    cases: &[
        ("cut", "\"a\":[[\"11\",\"3.5\"]]}}\n", "", Error(", line 3: is not a message as the venue sends it (")),
        ("columns", "\"U\":8,", "", Error(", line 2: is not a message as the venue sends it (missing field `U`")),
        (
            "unit",
            "1723161257000000100 ",
            "1723161257000 ",
            Error(
                ", line 2: the time '1723161257000' has 13 digits; due are Unix nanoseconds (19) or microseconds (16)",
            ),
        ),
        (
            "unit",
            "\"E\":1723161257000",
            "\"E\":1723161257000000",
            Error(", line 2: E '1723161257000000' is in microseconds, where milliseconds are due"),
        ),
        ("exponent", "[\"10\",\"2\"]", "[1e1,\"2E0\"]", Frames(3)),
        ("NaN", "[\"10\",\"2\"]", "[\"NaN\",\"2\"]", Error(", line 2: price 'NaN' is not a decimal number")),
        ("negative", "[\"10\",\"2\"]", "[\"-10\",\"2\"]", Error(", line 2: price '-10' is negative")),
        ("negative", "[\"10\",\"2\"]", "[\"10\",\"-2\"]", Error(", line 2: size '-2' is negative")),
        ("zero", "[\"10\",\"2\"]", "[\"0\",\"2\"]", Error(", line 2: price is 0")),
        (
            "level cut",
            "[\"10\",\"2\"]",
            "[\"10\"]",
            Error(", line 2: is not a message as the venue sends it (missing field `size`"),
        ),
        ("goes back", "1723161258000000100", "1723161256999000100", Remark(3, "1 row whose times go back")),
        (
            "before the first snapshot",
            "1723161256000000100 {\"stream\":\"p@depthSnapshot\",\"data\":{\"lastUpdateId\":7,\"bids\":[[\"10\",\"1\"]],\"asks\":[[\"11\",\"1\"]]}}\n",
            "",
            Error(RAW_EMPTY),
        ),
        (
            "before the first snapshot",
            "1723161256000000100 {",
            "1723161255000000100 {\"stream\":\"p@depth\",\"data\":{\"e\":\"depthUpdate\",\"E\":1723161255000,\"s\":\"P\",\"U\":6,\"u\":6,\"b\":[],\"a\":[]}}\n1723161256000000100 {",
            Remark(3, "1 row before the first snapshot: nobody knows the book that they change"),
        ),
        ("missing side", ",\"a\":[]", "", Error(", line 2: is not a message as the venue sends it (missing field `a`")),
        ("missing side", "\"asks\":[[\"11\",\"1\"]]", "\"asks\":[]", Frames(3)),
    ],
    empty: RAW_EMPTY,
};

const COINBASE: Format = Format {
    name: "raw",
    file: "m.txt",
    text: "1723161256000000100 {\"type\":\"snapshot\",\"product_id\":\"P\",\"bids\":[[\"10\",\"1\"]],\"asks\":[[\"11\",\"1\"]],\"time\":\"2024-08-08T23:54:16.000000Z\"}\n\
           1723161257000000100 {\"type\":\"l2update\",\"product_id\":\"P\",\"changes\":[[\"buy\",\"10\",\"2\"]],\"time\":\"2024-08-08T23:54:17.000000Z\"}\n\
           1723161258000000100 {\"type\":\"l2update\",\"product_id\":\"P\",\"changes\":[[\"sell\",\"11\",\"3.5\"]],\"time\":\"2024-08-08T23:54:18.000000Z\"}\n",
    beside: None,
    cases: &[
        (
            "cut",
            "\"3.5\"]],\"time\":\"2024-08-08T23:54:18.000000Z\"}\n",
            "",
            Error(", line 3: is not a message as the venue sends it ("),
        ),
        (
            "columns",
            "\"l2update\",\"product_id\"",
            "\"l2update\",\"product\"",
            Error(", line 2: is not a message as the venue sends it (missing field `product_id`"),
        ),
        (
            "unit",
            "1723161257000000100 ",
            "1723161257 ",
            Error(", line 2: the time '1723161257' has 10 digits; due are Unix nanoseconds (19) or microseconds (16)"),
        ),
        ("exponent", "\"10\",\"2\"", "1e1,\"2E0\"", Frames(3)),
        ("NaN", "\"10\",\"2\"", "\"NaN\",\"2\"", Error(", line 2: price 'NaN' is not a decimal number")),
        ("negative", "\"10\",\"2\"", "\"-10\",\"2\"", Error(", line 2: price '-10' is negative")),
        ("negative", "\"10\",\"2\"", "\"10\",\"-2\"", Error(", line 2: size '-2' is negative")),
        ("zero", "\"10\",\"2\"", "\"0\",\"2\"", Error(", line 2: price is 0")),
        (
            "level cut",
            "[\"buy\",\"10\",\"2\"]",
            "[\"buy\",\"10\"]",
            Error(", line 2: is not a message as the venue sends it (invalid length"),
        ),
        ("goes back", "1723161258000000100", "1723161256999000100", Remark(3, "1 row whose times go back")),
        ("before the first snapshot", "\"type\":\"snapshot\"", "\"type\":\"l2update\"", Error(RAW_EMPTY)),
        ("missing side", "\"buy\"", "\"\"", Error(", line 2: side '' is neither buy nor sell")),
        ("missing side", "\"asks\":[[\"11\",\"1\"]],", "", Frames(3)),
    ],
    empty: RAW_EMPTY,
};

const FORMATS: [Format; 8] = [TARDIS, TABLE, DATABENTO, LOBSTER, BYBIT, OKX, BINANCE, COINBASE];

/// What `inspect` says of a file.
fn inspect(format: &Format, content: &[u8], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format.file), content).unwrap();
    if let Some((name, text)) = format.beside {
        fs::write(folder.path().join(name), text).unwrap();
    }
    papertrader().current_dir(folder.path()).arg("inspect").arg(format.file).args(more).output().unwrap()
}

/// The one line of an error.
fn error(output: &Output) -> String {
    let text = stderr(output);
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{output:?}");
    text.trim_end().to_owned()
}

fn shown(output: &Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Lines of what was said that have no name: remarks.
fn remarks(report: &str) -> Vec<&str> {
    let of_venue = "times of receipt are the venue's";
    report
        .lines()
        .filter_map(|line| line.strip_prefix("                         "))
        .filter(|line| *line != of_venue)
        .collect()
}

#[test]
fn each_format_says_what_is_wrong_with_a_row() {
    let mut wrong = Vec::new();
    for format in &FORMATS {
        for (fault, from, to, says) in format.cases {
            assert_eq!(format.text.matches(from).count().min(1), 1, "{} {fault}: {from}", format.name);
            let text = format.text.replacen(from, to, 1);
            // What is no longer told by its content is read as what it should be.
            let as_named = ["--format", format.name];
            let output = inspect(format, text.as_bytes(), &as_named);
            let found = match says {
                Error(_) | Of(..) => error(&output),
                Frames(_) | Remark(..) | Lost(_) => {
                    let report = shown(&output);
                    format!("{} {:?}", reported(&report, "frames"), remarks(&report))
                }
            };
            let due = match says {
                Error(what) => format!("error: {}{what}", format.file),
                Of(file, what) => format!("error: {file}{what}"),
                Lost(remark) => format!("0 {:?}", ["product silent: the file says so", remark]),
                Frames(frames) => format!("{frames} []"),
                Remark(frames, remark) => format!("{frames} [{remark:?}]"),
            };
            // The parser's words behind a parenthesis are its own.
            let is_due = if due.contains("sends it (") { found.starts_with(&due) } else { found == due };
            if !is_due {
                wrong.push(format!("{}, {fault}:\n  {found}\n  {due}", format.name));
            }
        }
        let tried: BTreeSet<&str> = format.cases.iter().map(|(fault, ..)| *fault).collect();
        assert_eq!(tried, BTreeSet::from(FAULTS), "{}", format.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_format_says_that_a_file_is_empty_or_cut() {
    for format in &FORMATS {
        let as_named = ["--format", format.name];
        let file = if format.beside.is_some() { BOOKS } else { format.file };
        assert_eq!(
            error(&inspect(format, b"", &as_named)),
            format!("error: {file}{}", format.empty),
            "{}",
            format.name
        );
        // Without a name for it an empty file is one of no format, but not a panic.
        error(&inspect(format, b"", &[]));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(format.text.as_bytes()).unwrap();
        let whole = encoder.finish().unwrap();
        assert_eq!(reported(&shown(&inspect(format, &whole, &[])), "format"), format.name);
        // In an archive it is read as it is without.
        let archive = tar(format.text);
        assert_eq!(inspect(format, &archive, &[]).stdout, inspect(format, format.text.as_bytes(), &[]).stdout);
        let found = error(&inspect(format, &whole[..whole.len() - 10], &as_named));
        let says = ": the compressed data ends early; what came before was used";
        assert!(found.starts_with(&format!("error: {}, line ", format.file)) && found.ends_with(says), "{found}");
    }
}

fn tar(text: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    archive.append_data(&mut header, "folder/member", text.as_bytes()).unwrap();
    archive.into_inner().unwrap()
}

/// A part by the time of receipt, of every format told by its content.
#[test]
fn a_part_of_each_format() {
    for format in &FORMATS {
        let of = |more: &[&str]| {
            let report = shown(&inspect(format, format.text.as_bytes(), more));
            assert_eq!(reported(&report, "format"), format.name);
            let numbers = ["product", "frames", "snapshots", "lasts"].map(|name| reported(&report, name).to_owned());
            (numbers, remarks(&report).join("; "))
        };
        // LOBSTER's day is told by its name: 34200.1 s after midnight in New York.
        let seconds = if format.name == "lobster" {
            ["2024-08-08T13:30:01Z", "2024-08-08T13:30:02Z"]
        } else {
            ["2024-08-08T23:54:17Z", "2024-08-08T23:54:18Z"]
        };
        // This table has no column of products.
        let product = if format.name == "table" { "" } else { "P" };
        let numbers =
            |frames: &str, snapshots: &str, lasts: &str| [product, frames, snapshots, lasts].map(ToOwned::to_owned);
        let [from, to] = seconds;
        assert_eq!(of(&[]), (numbers("3", "1", "2.000 s"), String::new()), "{}", format.name);
        // What came before only builds the book, a snapshot of which the part begins with.
        assert_eq!(of(&["--from", from]), (numbers("3", "1", "1.000 s"), String::new()), "{}", format.name);
        assert_eq!(of(&["--to", to]), (numbers("2", "1", "1.000 s"), String::new()), "{}", format.name);
        assert_eq!(of(&["--from", from, "--to", to]), (numbers("2", "1", "0.000 s"), String::new()), "{}", format.name);
        let nothing = (numbers("0", "0", "0.000 s"), "nothing is between --from and --to".to_owned());
        assert_eq!(of(&["--from", "2024-08-09"]), nothing, "{}", format.name);
    }
}
