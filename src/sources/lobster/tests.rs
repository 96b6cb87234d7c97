use super::*;
use crate::sources::detect::{Format, detect};
use proptest::prelude::*;
use std::io::Read;

const STEM: &str = "AMZN_2012-06-21_34200000_57600000";

fn sample(word: &str) -> Option<PathBuf> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/samples/lobster");
    let path = Path::new(path).join(format!("{STEM}_{word}_1.csv.gz"));
    if !path.is_file() {
        eprintln!("SKIPPED: {} is missing", path.display());
        return None;
    }
    Some(path)
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_book_after_every_message_is_that_of_the_file() {
    let (Some(messages), Some(books)) = (sample("message"), sample("orderbook")) else { return };
    assert_eq!(detect(&messages).unwrap(), Some(Format::Lobster));
    let (messages_text, books_text) = (text(&messages), text(&books));
    let mut reader = LobsterReader::open(&books, &ReaderSettings::default()).unwrap();
    let (mut frame, mut has_frame) = (RawFrame::default(), true);
    let (mut book, mut rows, mut prints, mut updates) = (Vec::new(), 0, 0, 0);
    // 2012-06-21 00:00 in New York is 04:00 UTC.
    let midnight_ns = 1_340_251_200_000_000_000;
    let advance = |reader: &mut LobsterReader, frame: &mut RawFrame| reader.next(frame).unwrap();
    has_frame &= advance(&mut reader, &mut frame);
    for (message, row) in messages_text.lines().zip(books_text.lines()) {
        let cells: Vec<&str> = message.split(',').collect();
        let (seconds, fraction) = cells[0].split_once('.').unwrap();
        let ns: i64 = seconds.parse::<i64>().unwrap() * 1_000_000_000
            + format!("{fraction:0<9}").parse::<i64>().unwrap()
            + midnight_ns;
        rows += 1;
        if matches!(cells[1], "4" | "5") {
            assert!(has_frame);
            assert_eq!((frame.kind, frame.ts_recv_ns, frame.ts_event_ns), (RawKind::Prints, ns, ns));
            let print = frame.prints[0];
            // An order to buy that rested was taken by a seller.
            assert_eq!(print.aggressor, if cells[5] == "1" { Side::Ask } else { Side::Bid });
            assert_eq!(print.price.at(4), cells[4].parse().ok());
            assert_eq!(print.size.at(0), cells[3].parse().ok());
            prints += 1;
            has_frame = advance(&mut reader, &mut frame);
        }
        let expected: Vec<u64> = row.split(',').map(|cell| cell.parse().unwrap()).collect();
        let expected = [(Side::Ask, expected[0], expected[1]), (Side::Bid, expected[2], expected[3])];
        // One frame at most of each message changes the book.
        if has_frame && frame.kind != RawKind::Prints && book != expected {
            assert_eq!((frame.kind == RawKind::Snapshot, frame.ts_recv_ns), (rows == 1, ns));
            for level in &frame.levels {
                let (price, size) = (level.price.at(4).unwrap(), level.size.at(0).unwrap());
                book.retain(|(side, at, _)| (*side, *at) != (level.side, price));
                if size > 0 {
                    book.push((level.side, price, size));
                }
            }
            book.sort_unstable_by_key(|level| level.0 == Side::Bid);
            updates += 1;
            has_frame = advance(&mut reader, &mut frame);
        }
        assert_eq!(book, expected, "after message {rows}");
    }
    assert!(!has_frame);
    assert_eq!((rows, prints, reader.counts().rows), (15_000, 2_932, 15_000));
    assert!(updates > 10_000, "{updates}");
    assert_eq!((reader.product(), reader.has_event_times_only()), ("AMZN", true));
}

/// The frames of a pair in short, and the error.
fn read(stem: &str, messages: &str, books: &str, settings: &ReaderSettings) -> (Vec<String>, ReaderCounts, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |word: &str| folder.path().join(format!("{stem}_{word}_1.csv"));
    std::fs::write(path("message"), messages).unwrap();
    std::fs::write(path("orderbook"), books).unwrap();
    let text = |error: ReadError| error.to_string().replace(&format!("{}/", folder.path().display()), "");
    let (mut frames, mut frame) = (Vec::new(), RawFrame::default());
    let mut reader = match LobsterReader::open(&path("message"), settings) {
        Ok(reader) => reader,
        Err(error) => return (frames, ReaderCounts::default(), text(error)),
    };
    loop {
        match reader.next(&mut frame) {
            Ok(true) => {
                let levels =
                    frame.levels.iter().map(|level| format!(" {:?} {}x{}", level.side, level.price, level.size));
                let prints =
                    frame.prints.iter().map(|print| format!(" {:?} {}x{}", print.aggressor, print.price, print.size));
                frames.push(format!("{:?}{}", frame.kind, levels.chain(prints).collect::<String>()));
            }
            Ok(false) => return (frames, reader.counts(), String::new()),
            Err(error) => return (frames, reader.counts(), text(error)),
        }
    }
}

#[test]
fn halts_crosses_and_empty_sides() {
    let messages = "34200.5,1,1,5,100000,1\n34201,7,0,0,-1,-1\n34202,3,1,5,100000,1\n34203,7,0,0,0,-1\n\
        34204,7,0,0,1,0\n34205,6,-1,100,110000,1\n34206.000000001,1,2,7,120000,-1\n";
    let books = "9999999999,0,100000,5\n9999999999,0,100000,5\n9999999999,0,-9999999999,0\n\
        9999999999,0,-9999999999,0\n110000,3,-9999999999,0\n110000,3,-9999999999,0\n110000,10,-9999999999,0\n";
    let (frames, counts, error) = read(STEM, messages, books, &ReaderSettings::default());
    assert_eq!(error, "");
    assert_eq!(frames, ["Snapshot Bid 10x5", "Lost(StaleProduct)", "Snapshot Ask 11x3", "Update Ask 11x10"]);
    assert_eq!((counts.rows, counts.before_snapshot, counts.prints_without_side), (7, 1, 1));
}

#[test]
fn faults_are_named() {
    let (message, book) = ("34200.5,1,1,5,100000,1", "110000,3,100000,5");
    let row = |message: &str, book: &str| read(STEM, message, book, &ReaderSettings::default()).2;
    let (messages_file, books_file) = (format!("{STEM}_message_1.csv"), format!("{STEM}_orderbook_1.csv"));
    assert_eq!(row(message, book), "");
    for (changed, what) in [
        ("34200.5,8,1,5,100000,1", "type '8' is not one from 1 to 7"),
        ("34200.5,1,1,5,100000,0", "direction '0' is neither 1 nor -1"),
        ("34200.5,1,1,nan,100000,1", "size 'nan' is not a decimal number"),
        ("34200.5,1,1,5,1.5,1", "price '1.5' is not a whole number"),
        ("34200.5,4,1,5,-3,1", "price '-3' is not above 0"),
        ("34200.5,4,1,0,3,1", "an execution of size 0"),
        ("34200.5,7,1,0,5,1", "a halt of state 5, which is none of -1, 0 and 1"),
        ("34200.5,1,1", "has fewer than six cells; is it cut?"),
        ("34200.5,1,1,5,100000,1,9", "has more than six cells"),
        ("34200500,1,1,5,100000,1", "time '34200500' is not within a day: times are in seconds after midnight"),
        ("-1,1,1,5,100000,1", "time '-1' is not a number of seconds"),
        ("1.0000000001,1,1,5,100000,1", "time '1.0000000001' is finer than nanoseconds or too large"),
    ] {
        assert_eq!(row(changed, book), format!("{messages_file}, line 1: {what}"));
    }
    for (changed, what) in [
        ("110000,3,100000", "has fewer than 4 cells, four for each of 1 levels; is it cut?"),
        ("110000,3,100000,5,1,1", "has more than 4 cells, four for each of 1 levels"),
        ("110000,3,-100000,5", "price '-100000' is not above 0"),
        ("110000,-3,100000,5", "size '-3' is negative"),
    ] {
        assert_eq!(row(message, changed), format!("{books_file}, line 1: {what}"));
    }
    let twice = |row: &str| format!("{row}\n{row}\n");
    let shorter = "ends after 1 rows: the files do not belong together, or one is cut";
    assert_eq!(row(&twice(message), book), format!("{messages_file}, line 2: {books_file} {shorter}"));
    assert_eq!(row(message, &twice(book)), format!("{books_file}, line 2: {messages_file} {shorter}"));
    let back = row("34200.5,1,1,5,100000,1\n34200.4,1,1,5,100000,1", &twice(book));
    assert_eq!(back, format!("{messages_file}, line 2: time goes back; sort both files by it"));
    assert_eq!(row("", ""), format!("{messages_file}: is empty"));
}

#[test]
fn names_tell_ticker_date_and_levels() {
    let named = |stem: &str| read(stem, "34200.5,1,1,5,100000,1", "110000,3,100000,5", &ReaderSettings::default()).2;
    let like = "a name like AMZN_2012-06-21_34200000_57600000_message_10.csv tells ticker, date and levels";
    assert_eq!(
        named("AMZN_2012-13-21_1_2"),
        format!("AMZN_2012-13-21_1_2_message_1.csv: '2012-13-21' is not a date; {like}")
    );
    assert_eq!(named("AMZN"), format!("AMZN_message_1.csv: {like}"));
    let old = "AMZN_2005-06-21_1_2_message_1.csv: is of 2005-06-21; LOBSTER's data begins in 2007";
    assert_eq!(named("AMZN_2005-06-21_1_2"), old);
    let settings = ReaderSettings { product: Some("MSFT".into()), ..ReaderSettings::default() };
    let other = read(STEM, "", "", &settings).2;
    assert_eq!(other, format!("{STEM}_message_1.csv: holds no MSFT; it has AMZN"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{STEM}_message_1.csv"));
    std::fs::write(&path, "").unwrap();
    let alone = LobsterReader::open(&path, &ReaderSettings::default()).err().unwrap();
    assert_eq!(alone.what, "comes without the orderbook file that belongs beside it");
    // In winter New York is five hours behind.
    for (date, utc) in [("2012-06-21", "2012-06-21T04:00:00Z"), ("2013-01-15", "2013-01-15T05:00:00Z")] {
        let zone = TimeZone::posix(NEW_YORK).unwrap();
        let midnight = date.parse::<Date>().unwrap().to_zoned(zone).unwrap().timestamp();
        assert_eq!(midnight, utc.parse().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0x20..0x7f_u8), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut messages = b"34200.5,1,1,5,100000,1\n34201,4,1,2,100000,1\n34202,7,0,0,-1,-1\n".to_vec();
        let mut books = b"110000,3,100000,5\n110000,3,100000,3\n110000,3,100000,3\n".to_vec();
        for (first, at, byte) in &changes {
            let bytes = if *first { &mut messages } else { &mut books };
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        books.truncate(cut.index(books.len() + 1));
        let (messages, books) = (String::from_utf8(messages).unwrap(), String::from_utf8(books).unwrap());
        let (frames, counts, error) = read(STEM, &messages, &books, &ReaderSettings::default());
        prop_assert!(frames.len() as u64 <= 2 * counts.rows && (error.is_empty() || error.starts_with(STEM)), "{}", error);
    }
}
