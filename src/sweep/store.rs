//! Trades of many traders at once, in memory up to a bound and then in a file without a name.

use crate::execution::ledger::{Moment, Position, Trade};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};

/// Trades that all passes of a sweep together hold in memory. One that has its share puts all of its own into its file.
pub const TRADES_HELD_MAX: usize = 1 << 21;
/// Trades for which room is made at once: what a trader has room for and does not use stays below that.
const BLOCK_TRADES: usize = 128;
/// Numbers of a trade.
const WORDS: usize = 18;
const TRADE_BYTES: usize = 8 * WORDS;

/// Where a block of a trader's trades begins in the file, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Block {
    at: u64,
    trades: usize,
}

/// The trades of one trader.
#[derive(Debug, Default)]
struct Kept {
    /// In the file.
    blocks: Vec<Block>,
    /// In memory and full.
    full: Vec<Vec<Trade>>,
    /// In memory, the last.
    last: Vec<Trade>,
}

impl Kept {
    fn push(&mut self, trade: Trade) {
        if self.last.len() == BLOCK_TRADES {
            let next = Vec::with_capacity(BLOCK_TRADES);
            self.full.push(mem::replace(&mut self.last, next));
        }
        self.last.push(trade);
    }

    /// Those in memory, in their order, which are then forgotten.
    fn take(&mut self) -> impl Iterator<Item = Trade> + use<> {
        mem::take(&mut self.full).into_iter().chain([mem::take(&mut self.last)]).flatten()
    }

    fn held(&self) -> usize {
        self.full.len() * BLOCK_TRADES + self.last.len()
    }
}

/// The trades of a pass.
#[derive(Debug)]
pub struct TradeStore {
    traders: Vec<Kept>,
    held_count: usize,
    held_max: usize,
    folder: PathBuf,
    file: Option<File>,
    length: u64,
}

fn words(trade: &Trade) -> [u64; WORDS] {
    let Trade { position, sold, sell_amount, unsold_volume, volume_taken_again, sell_mid } = trade;
    let moment = |moment: &Moment| {
        [moment.sequence, moment.venue_sequence_num, moment.ts_recv_ns.cast_unsigned(), moment.stretch]
    };
    let ([b0, b1, b2, b3], [s0, s1, s2, s3]) = (moment(&position.bought), moment(sold));
    let floats = [
        position.buy_amount,
        position.volume,
        position.volume_taken_again,
        position.logit,
        position.buy_mid,
        *sell_amount,
        *unsold_volume,
        *volume_taken_again,
        *sell_mid,
    ];
    let [f0, f1, f2, f3, f4, f5, f6, f7, f8] = floats.map(f64::to_bits);
    [b0, b1, b2, b3, s0, s1, s2, s3, position.sell_sequence, f0, f1, f2, f3, f4, f5, f6, f7, f8]
}

fn trade_of(words: [u64; WORDS]) -> Trade {
    let [b0, b1, b2, b3, s0, s1, s2, s3, sell_sequence, floats @ ..] = words;
    let moment = |[sequence, venue_sequence_num, ts, stretch]: [u64; 4]| Moment {
        sequence,
        venue_sequence_num,
        ts_recv_ns: ts.cast_signed(),
        stretch,
    };
    let [buy_amount, volume, bought_again, logit, buy_mid, sell_amount, unsold_volume, volume_taken_again, sell_mid] =
        floats.map(f64::from_bits);
    let position = Position {
        bought: moment([b0, b1, b2, b3]),
        sell_sequence,
        buy_amount,
        volume,
        volume_taken_again: bought_again,
        logit,
        buy_mid,
    };
    Trade { position, sold: moment([s0, s1, s2, s3]), sell_amount, unsold_volume, volume_taken_again, sell_mid }
}

impl TradeStore {
    /// Of so many traders, in one of so many passes at a time. The file, if there has to be one, is made in `folder` and goes with
    /// the store.
    pub fn new(traders: usize, passes: usize, folder: &Path) -> Self {
        Self::holding(TRADES_HELD_MAX / passes.max(1), traders, folder)
    }

    fn holding(held_max: usize, traders: usize, folder: &Path) -> Self {
        let traders = (0..traders).map(|_| Kept::default()).collect();
        Self { traders, held_count: 0, held_max, folder: folder.into(), file: None, length: 0 }
    }

    /// Keeps a trade of a trader.
    ///
    /// # Errors
    /// The file cannot be written.
    #[inline]
    pub fn push(&mut self, trader: usize, trade: Trade) -> io::Result<()> {
        self.traders[trader].push(trade);
        self.held_count += 1;
        if self.held_count >= self.held_max { self.put_away() } else { Ok(()) }
    }

    /// Puts all trades into the file.
    fn put_away(&mut self) -> io::Result<()> {
        let Self { traders, folder, file, length, .. } = self;
        let file = match file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(folder)?),
        };
        file.seek(SeekFrom::Start(*length))?;
        let mut writer = BufWriter::with_capacity(1 << 18, file);
        for kept in traders.iter_mut().filter(|kept| kept.held() > 0) {
            kept.blocks.push(Block { at: *length, trades: kept.held() });
            for trade in kept.take() {
                words(&trade).iter().try_for_each(|word| writer.write_all(&word.to_le_bytes()))?;
                *length += TRADE_BYTES as u64;
            }
        }
        writer.flush()?;
        self.held_count = 0;
        Ok(())
    }

    /// Gives a trader's trades in their order, which are then forgotten.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn take(&mut self, trader: usize, mut each: impl FnMut(&Trade)) -> io::Result<()> {
        let kept = &mut self.traders[trader];
        if let Some(file) = &mut self.file {
            for block in mem::take(&mut kept.blocks) {
                file.seek(SeekFrom::Start(block.at))?;
                let mut reader = BufReader::with_capacity(1 << 16, &mut *file);
                for _ in 0..block.trades {
                    let mut bytes = [0; TRADE_BYTES];
                    reader.read_exact(&mut bytes)?;
                    let (chunks, _) = bytes.as_chunks::<8>();
                    let mut words = [0; WORDS];
                    words.iter_mut().zip(chunks).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
                    each(&trade_of(words));
                }
            }
        }
        kept.take().for_each(|trade| each(&trade));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(n: u64) -> Trade {
        let moment = |sequence| Moment {
            sequence,
            venue_sequence_num: sequence ^ 0x55,
            ts_recv_ns: -7 - sequence.cast_signed(),
            stretch: n % 3,
        };
        let float = |k: f64| (n as f64 + k).sqrt();
        Trade {
            position: Position {
                bought: moment(n),
                sell_sequence: n + 20,
                buy_amount: float(0.1),
                volume: float(0.2),
                volume_taken_again: float(0.3),
                logit: -float(0.4),
                buy_mid: float(0.5),
            },
            sold: moment(n + 21),
            sell_amount: float(0.6),
            unsold_volume: float(0.7),
            volume_taken_again: float(0.8),
            sell_mid: float(0.9),
        }
    }

    #[test]
    fn what_does_not_fit_comes_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for held_max in [1, 7, 100, 199, 1_000] {
            let mut store = TradeStore::holding(held_max, 3, folder.path());
            let owner = |n: u64| (n * n % 5 % 3) as usize;
            (0..900).for_each(|n| store.push(owner(n), trade(n)).unwrap());
            assert_eq!(store.file.is_some(), held_max <= 900);
            for trader in [2, 0, 1] {
                let mut taken = Vec::new();
                store.take(trader, |trade| taken.push(*trade)).unwrap();
                let due: Vec<Trade> = (0..900).filter(|&n| owner(n) == trader).map(trade).collect();
                assert_eq!(taken, due, "{held_max}");
                store.take(trader, |_| panic!("they are forgotten")).unwrap();
            }
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error() {
        let mut store = TradeStore::holding(2, 1, Path::new("/nowhere"));
        store.push(0, trade(1)).unwrap();
        assert_eq!(store.push(0, trade(2)).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
