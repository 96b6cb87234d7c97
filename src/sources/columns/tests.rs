//! Columns of every type, what bounds them, and damage.

use super::pages::{DICTIONARY_VALUES_MAX, LIST_PAGE_VALUES_MAX};
use super::writing::{Given, list, write, write_as};
use super::*;
use crate::sources::table::cells::Held;
use parquet::basic::{Encoding, GzipLevel, ZstdLevel};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaDataBuilder;
use parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;
use tempfile::TempDir;

fn room() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    (folder, path)
}

/// All cells of the columns chosen, row by row, as debug text; and the error that ends them.
fn cells(columns: &mut Columns, chosen: &[usize]) -> (Vec<String>, Option<String>) {
    columns.choose(chosen);
    let mut rows = Vec::new();
    loop {
        match columns.advance() {
            Ok(true) => rows.push(format!("{:?}", chosen.iter().map(|&at| columns.cell(at)).collect::<Vec<_>>())),
            Ok(false) => return (rows, None),
            Err(error) => {
                assert!(!columns.advance().unwrap(), "nothing comes behind an error");
                return (rows, Some(error.to_string()));
            }
        }
    }
}

#[test]
fn every_type_says_what_it_means() {
    let (_folder, path) = room();
    let ns = 1_723_161_256_600_000_000_i64;
    let fields = "required int32 small (UINT_8); required int32 wide (UINT_32); required int64 large (UINT_64); \
                  required int64 whole; required boolean truth; required float short; optional double real; \
                  required binary text (UTF8); required int32 cents (DECIMAL(9,2)); required int64 units (DECIMAL(18,8)); \
                  required fixed_len_byte_array(16) database (DECIMAL(38,18)); required int64 ms (TIMESTAMP(MILLIS,true)); \
                  required int64 us (TIMESTAMP(MICROS,false)); required int64 ns (TIMESTAMP(NANOS,true)); \
                  required int64 old_ms (TIMESTAMP_MILLIS); required fixed_len_byte_array(8) narrow; \
                  required fixed_len_byte_array(16) broad; required fixed_len_byte_array(3) letters; \
                  required binary number (DECIMAL(9,1));";
    let given = [
        Given::Small(vec![7, 255]),
        Given::Small(vec![-1, 1]),
        Given::Whole(vec![-1, 1]),
        Given::Whole(vec![-1, i64::MAX]),
        Given::Truth(vec![true, false]),
        Given::Short(vec![0.1, 61_804.7]),
        Given::Real(vec![None, Some(0.1)]),
        Given::Text(vec!["bid".into(), String::new()]),
        Given::Small(vec![6_180_470, -5]),
        Given::Whole(vec![6_180_470_000_000, 1]),
        Given::Fixed(vec![(-25_i128 * 10_i128.pow(17)).to_be_bytes().into(), 3_i128.to_be_bytes().into()]),
        Given::Whole(vec![ns / 1_000_000, i64::MIN]),
        Given::Whole(vec![ns / 1_000, ns / 1_000]),
        Given::Whole(vec![ns, i64::MIN]),
        Given::Whole(vec![ns / 1_000_000, 0]),
        Given::Fixed(vec![1_500_000_000_i64.to_le_bytes().into(), (-1_i64).to_le_bytes().into()]),
        Given::Fixed(vec![(15 * 10_i128.pow(15)).to_le_bytes().into(), i128::MIN.to_le_bytes().into()]),
        Given::Fixed(vec![b"BTC".to_vec(), b"ETH".to_vec()]),
        Given::Text(vec!["\u{1}\u{0}".into(), "\u{7f}".into()]),
    ];
    write(&path, fields, &given, 2, 2, Compression::SNAPPY);
    let mut columns = Columns::open(&path).unwrap();
    let mut next = || {
        assert!(columns.advance().unwrap());
        let held = (0..columns.names().len()).map(|at| match columns.cell(at) {
            Cell::Text(text) => Held::Text(text.to_vec().into()),
            Cell::Float(value) => Held::Float(value),
            Cell::Int(value) => Held::Int(value),
            Cell::Decimal(count, decimals) => Held::Decimal(count, decimals),
            Cell::Fixed(count, decimals) => Held::Fixed(count, decimals),
            Cell::Time(ns) => Held::Time(ns),
            Cell::List(values) => Held::List(values.to_vec()),
            Cell::Absent => Held::Absent,
        });
        held.collect::<Vec<_>>()
    };
    let text = |text: &str| Held::Text(text.as_bytes().to_vec().into());
    let due = [
        Held::Int(7),
        Held::Int(u32::MAX.into()),
        Held::Decimal(u64::MAX.into(), 0),
        Held::Int(-1),
        Held::Int(1),
        Held::Float(0.1),
        Held::Absent,
        text("bid"),
        Held::Decimal(6_180_470, 2),
        Held::Decimal(6_180_470_000_000, 8),
        Held::Decimal(-25 * 10_i128.pow(17), 18),
        Held::Time(ns),
        Held::Time(ns),
        Held::Time(ns),
        Held::Time(ns),
        Held::Fixed(1_500_000_000, 9),
        Held::Fixed(15 * 10_i128.pow(15), 16),
        text("BTC"),
        Held::Decimal(256, 1),
    ];
    assert_eq!(next(), due);
    let due = [
        Held::Int(255),
        Held::Int(1),
        Held::Int(1),
        Held::Int(i64::MAX),
        Held::Int(0),
        Held::Float(61_804.7),
        Held::Float(0.1),
        text(""),
        Held::Decimal(-5, 2),
        Held::Decimal(1, 8),
        Held::Decimal(3, 18),
        // No time.
        Held::Absent,
        Held::Time(ns),
        Held::Absent,
        Held::Time(0),
        Held::Fixed(-1, 9),
        Held::Fixed(i128::MIN, 16),
        text("ETH"),
        Held::Decimal(127, 1),
    ];
    assert_eq!(next(), due);
    assert!(!columns.advance().unwrap());
}

#[test]
fn cells_are_shown_as_they_are_meant() {
    for (held, due) in [
        (Held::Decimal(6_180_470, 2), "61804.70"),
        (Held::Decimal(-5, 2), "-0.05"),
        (Held::Decimal(-5, 0), "-5"),
        (Held::Fixed(i128::MIN, 16), "-17014118346046923173168.7303715884105728"),
        (Held::Time(17), "17"),
        (Held::List(vec![Held::Int(1); 4]), "a list of 4 values"),
    ] {
        assert_eq!(held.cell().to_string(), due);
    }
}

#[test]
fn only_what_is_chosen_is_decoded() {
    let (_folder, path) = room();
    let rows = 2_000;
    let fields: String = (0..300).map(|at| format!("required int64 c{at}; ")).collect();
    let given: Vec<Given> = (0..300).map(|at| Given::Whole((0..rows).map(|row| row * 1_000 + at).collect())).collect();
    write(&path, &fields, &given, rows as usize, 700, Compression::SNAPPY);
    // Every page of another column is damaged.
    let mut columns = Columns::open(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for group in columns.metadata.row_groups() {
        let place = place(group.column(150)).unwrap();
        bytes[place.start as usize..place.end as usize].fill(0xff);
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(cells(&mut columns, &[150]).1.unwrap().contains("record 0: cannot be read, the file is damaged: "));

    let mut columns = Columns::open(&path).unwrap();
    columns.choose(&[7, 299, 7]);
    let (progress, mut before) = (columns.progress(), 0);
    for row in 0..rows {
        assert!(columns.advance().unwrap());
        assert_eq!((columns.cell(7), columns.cell(299)), (Cell::Int(row * 1_000 + 7), Cell::Int(row * 1_000 + 299)));
        assert_eq!((columns.cell(8), columns.cell(150), columns.cell(300)), (Cell::Absent, Cell::Absent, Cell::Absent));
        let read = progress.bytes_read();
        assert!(read >= before && read <= progress.bytes_total(), "{before} {read}");
        before = read;
    }
    assert!(!columns.advance().unwrap());
    assert_eq!(progress.bytes_read(), bytes.len() as u64);
}

#[test]
fn a_file_may_have_so_many_columns_and_not_one_more() {
    let (_folder, path) = room();
    for (count, due) in [(COLUMNS_MAX, None), (COLUMNS_MAX + 1, Some("has more than 8192 columns"))] {
        let fields: String = (0..count).map(|at| format!("required int32 c{at}; ")).collect();
        write(&path, &fields, &[], 0, 1, Compression::UNCOMPRESSED);
        assert_eq!(Columns::open(&path).err().map(|error| error.what).as_deref(), due);
    }
}

type Change = fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder;

/// The columns of a file whose metadata say something else of a column.
fn lying(path: &Path, column: usize, change: Change) -> Columns {
    let mut columns = Columns::open(path).unwrap();
    let group = columns.metadata.row_group(0).clone();
    let mut chunks = group.columns().to_vec();
    chunks[column] = change(chunks[column].clone().into_builder()).build().unwrap();
    let group = group.into_builder().set_column_metadata(chunks).build().unwrap();
    columns.metadata = columns.metadata.clone().into_builder().set_row_groups(vec![group]).build();
    columns
}

#[test]
fn what_the_footer_claims_is_checked() {
    let (_folder, path) = room();
    let fields = "required int64 whole; optional double real;";
    let given = [Given::Whole((0..900).collect()), Given::Real(vec![Some(0.5); 900])];
    let zip = Compression::GZIP(GzipLevel::default());
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_compression(zip).build();
    write_as(&path, fields, &given, 900, 900, properties);
    let cases: [(Change, Option<&str>); 7] = [
        (|chunk| chunk.set_total_uncompressed_size(CHUNK_BYTES_MAX), None),
        (
            |chunk| chunk.set_total_uncompressed_size(CHUNK_BYTES_MAX + 1),
            Some("column 'real' has 268435457 bytes in row group 0, of at most 268435456: write smaller row groups"),
        ),
        // As gzip tells no length, it could go on for ever.
        (
            |chunk| chunk.set_total_uncompressed_size(1_000),
            Some("the file is damaged: Parquet error: a page is longer than its column"),
        ),
        (
            |chunk| chunk.set_data_page_offset(-1),
            Some("the file is damaged: the place of column 'real' in the file is negative"),
        ),
        (
            |chunk| chunk.set_total_compressed_size(i64::MAX),
            Some("the file is damaged: the place of column 'real' in the file is negative"),
        ),
        (|chunk| chunk.set_num_values(899), Some("the file is damaged: column 'real' has 899 values of 900 rows")),
        (
            |chunk| chunk.set_compression(Compression::LZO),
            Some("column 'real' is compressed by LZO, which is not read: write it with zstd"),
        ),
    ];
    for (change, due) in cases {
        let (rows, error) = cells(&mut lying(&path, 1, change), &[0, 1]);
        match due {
            None => assert_eq!((rows.len(), error), (900, None)),
            Some(due) => {
                let error = error.unwrap_or_else(|| panic!("no error where this is due: {due}"));
                assert!(error.contains(due), "{error}");
                assert_eq!(rows.len(), 0);
            }
        }
        // The other column is as it was.
        assert_eq!(cells(&mut lying(&path, 1, change), &[0]).0.len(), 900);
    }
}

#[test]
fn pages_that_claim_more_than_they_hold_are_refused() {
    let (_folder, path) = room();
    let fields = format!("required int64 whole; required binary text (UTF8); {}", list("bids"));
    let given = [Given::Whole(vec![1]), Given::Text(vec!["a".into()]), Given::Lists(vec![vec![[1.0, 2.0]]])];
    write(&path, &fields, &given, 1, 1, Compression::UNCOMPRESSED);
    let columns = Columns::open(&path).unwrap();
    let check = |column: usize, page: &Page| {
        let pages = Pages::open(&columns.file, columns.metadata.row_group(0).column(column), 1).unwrap();
        pages.check(page).err().map(|error| error.to_string())
    };
    let dictionary = |num_values: u32, bytes: usize| Page::DictionaryPage {
        buf: vec![0; bytes].into(),
        num_values,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    assert_eq!(check(0, &dictionary(3, 24)), None);
    assert_eq!(check(0, &dictionary(3, 23)).unwrap(), "Parquet error: a dictionary of 3 values in 23 bytes");
    assert_eq!(check(1, &dictionary(3, 12)), None);
    assert!(check(1, &dictionary(u32::MAX, 12)).is_some());
    let bytes = 4 * (DICTIONARY_VALUES_MAX as usize + 1);
    assert_eq!(check(1, &dictionary(DICTIONARY_VALUES_MAX, bytes)), None);
    assert!(check(1, &dictionary(DICTIONARY_VALUES_MAX + 1, bytes)).is_some());

    let data = |num_values: u32, encoding: Encoding, bytes: &[u8]| Page::DataPageV2 {
        buf: bytes.to_vec().into(),
        num_values,
        encoding,
        num_nulls: 0,
        num_rows: 1,
        def_levels_byte_len: 0,
        rep_levels_byte_len: 0,
        is_compressed: false,
        statistics: None,
    };
    assert_eq!(check(2, &data(LIST_PAGE_VALUES_MAX, Encoding::PLAIN, b"")), None);
    let due = "Parquet error: a page of 16777217 values of lists";
    assert_eq!(check(2, &data(LIST_PAGE_VALUES_MAX + 1, Encoding::PLAIN, b"")).unwrap(), due);
    assert_eq!(check(0, &data(u32::MAX, Encoding::PLAIN, b"")), None);
    let mut snappy = columns.metadata.row_group(0).column(0).clone().into_builder();
    snappy = snappy.set_compression(Compression::SNAPPY).set_total_uncompressed_size(CHUNK_BYTES_MAX);
    let mut pages = Pages::open(&columns.file, &snappy.build().unwrap(), 1).unwrap();
    // Of the plain page the first byte is taken for the length, 1, and the second for a literal of as much.
    let error = pages.get_next_page().map(drop).unwrap_err().to_string();
    assert!(error.contains("snappy"), "{error}");
    // A block of 128 in 4 parts, 300 values.
    let lengths = [0x80, 0x01, 0x04, 0xac, 0x02, 0x00];
    let length = Encoding::DELTA_LENGTH_BYTE_ARRAY;
    assert_eq!(check(1, &data(300, length, &lengths)), None);
    assert_eq!(check(1, &data(299, length, &lengths)).unwrap(), "Parquet error: a page of 299 values with 300 lengths");
    assert_eq!(check(1, &data(300, length, &lengths[..3])).unwrap(), "Parquet error: a page of differences is cut");
    let front = Encoding::DELTA_BYTE_ARRAY;
    let due = "Parquet error: a page of 299 values with 300 prefixes";
    assert_eq!(check(1, &data(299, front, &lengths)).unwrap(), due);
    // One prefix, and behind it 300 lengths.
    let both = [&[0x80, 0x01, 0x04, 0x01, 0x00][..], &lengths].concat();
    assert_eq!(check(1, &data(300, front, &both)), None);
    assert_eq!(check(1, &data(1, front, &both)).unwrap(), "Parquet error: a page of 1 values with 300 lengths");
}

proptest! {
    #[test]
    fn texts_in_every_encoding_are_read(
        texts in prop::collection::vec("[a-c]{0,9}", 1..700),
        encoding in prop::sample::select(vec![Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY]),
        version in prop::sample::select(vec![WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]),
        compression in prop::sample::select(vec![
            Compression::GZIP(GzipLevel::default()), Compression::ZSTD(ZstdLevel::default()), Compression::SNAPPY,
        ]),
    ) {
        let (_folder, path) = room();
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .set_writer_version(version)
            .set_compression(compression)
            .set_data_page_row_count_limit(300)
            .set_write_batch_size(100)
            .build();
        write_as(&path, "required binary text (UTF8);", &[Given::Text(texts.clone())], texts.len(), 450, properties);
        let mut columns = Columns::open(&path).unwrap();
        for text in &texts {
            prop_assert!(columns.advance().unwrap());
            prop_assert_eq!(columns.cell(0), Cell::Text(text.as_bytes()));
        }
        prop_assert!(!columns.advance().unwrap());
    }
}

#[test]
fn lists_are_pairs_of_a_bounded_number() {
    let (_folder, path) = room();
    let levels = |count: usize| (0..count).map(|at| [at as f64 + 1.0, 2.0]).collect::<Vec<_>>();
    let lists = vec![levels(2), vec![], levels(TABLE_LEVELS_MAX), levels(1)];
    write(&path, &list("bids"), &[Given::Lists(lists.clone())], 4, 3, Compression::SNAPPY);
    let mut columns = Columns::open(&path).unwrap();
    assert_eq!(columns.names(), ["bids"]);
    for due in &lists {
        assert!(columns.advance().unwrap());
        let due: Vec<Held> = due.iter().flatten().copied().map(Held::Float).collect();
        assert_eq!(columns.cell(0), Cell::List(&due));
    }
    assert!(!columns.advance().unwrap());

    let lists = vec![levels(1), levels(TABLE_LEVELS_MAX + 1)];
    write(&path, &list("bids"), &[Given::Lists(lists)], 2, 2, Compression::SNAPPY);
    let (rows, error) = cells(&mut Columns::open(&path).unwrap(), &[0]);
    // Some rows are read ahead of the one given.
    assert!(rows.is_empty());
    assert!(error.unwrap().ends_with("column 'bids.list.element.list.element' holds a list of more than 1000 levels"));
}

/// A file of every kind of page.
fn sample(path: &Path, compression: Compression, version: WriterVersion) {
    let fields = format!(
        "required int64 time; optional double bid_price_1; required binary symbol (UTF8); \
         required fixed_len_byte_array(16) size; {}",
        list("bids")
    );
    let given = [
        Given::Whole((0..40).map(|at| 1_723_161_256_000_000_000 + at * at).collect()),
        Given::Real((0..40).map(|at| (at % 3 > 0).then_some(f64::from(at % 5) * 0.5)).collect()),
        Given::Text((0..40).map(|at| ["BTC", "ETH"][at % 2].to_owned()).collect()),
        Given::Fixed((0..40_i128).map(|at| (at * at).to_le_bytes().to_vec()).collect()),
        Given::Lists((0..40).map(|at| (0..at % 4).map(|level| [f64::from(level + 1), 0.5]).collect()).collect()),
    ];
    let properties = WriterProperties::builder().set_compression(compression).set_writer_version(version).build();
    write_as(path, &fields, &given, 40, 25, properties);
}

#[test]
fn damage_and_cuts_are_errors_or_none() {
    let (_folder, path) = room();
    for (compression, version) in [
        (Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0),
        (Compression::SNAPPY, WriterVersion::PARQUET_2_0),
        (Compression::GZIP(GzipLevel::default()), WriterVersion::PARQUET_2_0),
        (Compression::ZSTD(ZstdLevel::default()), WriterVersion::PARQUET_1_0),
        (Compression::LZ4_RAW, WriterVersion::PARQUET_2_0),
    ] {
        sample(&path, compression, version);
        let whole = std::fs::read(&path).unwrap();
        let mut refused = 0;
        let mut read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match Columns::open(&path) {
                Ok(mut columns) => {
                    let (rows, error) = cells(&mut columns, &[0, 1, 2, 3, 4]);
                    assert!(error.is_some() || rows.len() <= 40, "{} rows", rows.len());
                    refused += usize::from(error.is_some());
                }
                Err(_) => refused += 1,
            }
        };
        // Footers are alike; one file is damaged in every byte.
        let step = if compression == Compression::UNCOMPRESSED { 1 } else { 4 };
        for at in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[at] ^= [0x01, 0x80, 0x55, 0xff, 0x10][at / step % 5];
            read(&bytes);
        }
        for cut in (0..whole.len()).step_by(13) {
            read(&whole[..cut]);
        }
        assert!(refused > whole.len() / step / 4, "{refused} of {}", whole.len());
    }
}
