//! Members of a tar archive as one text, streamed: nothing is extracted, nothing lies whole in memory.
//!
//! ```
//! use papertrader::sources::tarred::{is_archive, members};
//!
//! let mut archive = tar::Builder::new(Vec::new());
//! for (name, text) in [("a.data", "1\n2"), ("b.data", "3\n")] {
//!     let mut header = tar::Header::new_gnu();
//!     header.set_size(text.len() as u64);
//!     archive.append_data(&mut header, name, text.as_bytes())?;
//! }
//! let bytes = archive.into_inner()?;
//! assert!(is_archive(&bytes));
//! let mut text = String::new();
//! members(bytes.as_slice(), &mut |member| member.read_to_string(&mut text).is_ok())?;
//! assert_eq!(text, "1\n2\n3\n");
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::base::one_line::{QUOTE_CHARS_MAX, quote};
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;
use tar::{Archive, EntryType};

/// Bytes of a file's content that tell an archive.
pub const HEAD_BYTES: usize = 512;
const MAGIC: &[u8] = b"ustar";
const MAGIC_AT: usize = 257;
/// Bytes that may stand between two members' contents: headers, long names, padding. The library holds names in memory.
const BETWEEN_BYTES_MAX: u64 = 1 << 20;

/// The most that is looked at for the header of a member's rows.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// Whether the beginning of a file is that of an archive.
pub fn is_archive(head: &[u8]) -> bool {
    head.get(MAGIC_AT..).is_some_and(|rest| rest.starts_with(MAGIC))
}

/// The beginning of the content of the first member that is not empty, of an archive's beginning.
pub fn beginning(head: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    // The end of what is looked at is no error here; whoever reads on says what is wrong.
    let _ = members(head, &mut |member| {
        let _ = member.read_to_end(&mut text);
        text.is_empty()
    });
    text
}

/// Gives the content of each file in the archive to `take`, in the archive's order, until that is false. Each begins on a line of
/// its own.
///
/// # Errors
/// The archive is damaged or cut, or has a member that is no plain file, whose name leads out of it, or whose rows have another
/// header than those of the first.
pub fn members(archive: impl Read, take: &mut dyn FnMut(&mut dyn Read) -> bool) -> io::Result<()> {
    let left = Rc::new(Cell::new(BETWEEN_BYTES_MAX));
    let mut archive = Archive::new(Bounded { inner: archive, left: Rc::clone(&left) });
    // The compressed data is read to its end, where its checksum stands.
    archive.set_ignore_zeros(true);
    let mut entries = archive.entries()?;
    let mut needs_break = false;
    let mut first: Option<(String, Vec<u8>)> = None;
    loop {
        left.set(BETWEEN_BYTES_MAX);
        let entry = match entries.next() {
            None => return Ok(()),
            Some(Ok(entry)) => entry,
            Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(error),
            Some(Err(error)) => return Err(wrong(format!("the tar archive is damaged or cut ({error})"))),
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let shown = quote(&name, QUOTE_CHARS_MAX);
        if leads_out(&name) {
            return Err(wrong(format!("the name of the member '{shown}' leads out of the archive")));
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Link | EntryType::Symlink => {
                return Err(wrong(format!("the member '{shown}' is a link; pack the file that it names")));
            }
            _ => return Err(wrong(format!("the member '{shown}' is no plain file"))),
        }
        left.set(u64::MAX);
        let size = entry.size();
        let member = Member { inner: entry, shown: shown.clone(), left: size, needs_break: &mut needs_break };
        let mut member = Begun::new(member);
        if let Some(header) = header(&member.begun) {
            match &first {
                None => first = Some((shown, header.to_vec())),
                Some((of, due)) if due != header => {
                    let what = format!("the rows of the member '{shown}' have another header than those of '{of}'");
                    return Err(wrong(what + ": give files of one kind"));
                }
                Some(_) => {}
            }
        }
        if !take(&mut member) {
            return Ok(());
        }
    }
}

/// The first line of rows, if it is a header of columns: cells of which none is a number, and no JSON.
fn header(begun: &[u8]) -> Option<&[u8]> {
    // A break that parts it from the member before.
    let text = begun.strip_prefix(b"\n").unwrap_or(begun);
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_parted = line.iter().any(|byte| b",;\t".contains(byte));
    let mut cells = line.split(|byte| b",;\t".contains(byte)).map(<[u8]>::trim_ascii);
    let is_name = |cell: &[u8]| !cell.first().is_some_and(|first| b"0123456789+-.".contains(first));
    (is_parted && !line.starts_with(b"{") && !line.starts_with(b"[") && cells.all(is_name)).then_some(line)
}

/// Whether a path is absolute or goes up, on whatever system.
fn leads_out(name: &str) -> bool {
    name.starts_with(['/', '\\'])
        || name.as_bytes().get(1) == Some(&b':')
        || name.split(['/', '\\']).any(|part| part == "..")
}

fn wrong(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A reader of at most as many bytes as are left.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if bytes == 0 && !buffer.is_empty() {
            return Err(wrong(format!("more than {BETWEEN_BYTES_MAX} bytes without a member's content")));
        }
        let (buffer, _) = buffer.split_at_mut(bytes);
        let read = self.inner.read(buffer)?;
        self.left.set(left.saturating_sub(read as u64));
        Ok(read)
    }
}

/// A member's content.
struct Member<'a, R: Read> {
    inner: R,
    shown: String,
    /// Bytes that the archive says are still to come.
    left: u64,
    /// Whether the content before ended within a line.
    needs_break: &'a mut bool,
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if *self.needs_break && self.left > 0 {
            let Some(first) = buffer.first_mut() else { return Ok(0) };
            *first = b'\n';
            *self.needs_break = false;
            return Ok(1);
        }
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if read == 0 && !buffer.is_empty() && self.left > 0 {
            let shown = &self.shown;
            return Err(wrong(format!(
                "the member '{shown}' ends early, the archive is cut; what came before was used"
            )));
        }
        if self.left == 0 && read > 0 {
            *self.needs_break = buffer.get(read - 1) != Some(&b'\n');
        }
        Ok(read)
    }
}

/// A reader of which the first line has been looked at.
struct Begun<R> {
    begun: Vec<u8>,
    taken: usize,
    failed: Option<io::Error>,
    rest: R,
}

impl<R: Read> Begun<R> {
    fn new(mut rest: R) -> Self {
        let mut begun = Vec::new();
        let mut failed = None;
        // The break behind the member before is read alone.
        while begun.len() < 2 || !begun[1..].contains(&b'\n') {
            let before = begun.len();
            let left = HEADER_BYTES_MAX.saturating_sub(before as u64).min(4_096);
            failed = rest.by_ref().take(left).read_to_end(&mut begun).err();
            if failed.is_some() || begun.len() == before {
                break;
            }
        }
        Self { begun, taken: 0, failed, rest }
    }
}

impl<R: Read> Read for Begun<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = &self.begun[self.taken..];
        if left.is_empty() {
            return self.failed.take().map_or_else(|| self.rest.read(buffer), Err);
        }
        let bytes = left.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&left[..bytes]);
        self.taken += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tar::{Builder, Header};

    fn header(kind: EntryType, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header
    }

    fn with(name: &[u8], kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        let mut header = header(kind, content.len() as u64);
        // The library itself writes no names that lead out.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        archive.append(&header, content).unwrap();
        archive.into_inner().unwrap()
    }

    fn text(archive: &[u8]) -> Result<String, String> {
        let (mut text, mut failed) = (Vec::new(), None);
        let read = members(archive, &mut |member| {
            failed = member.read_to_end(&mut text).err();
            failed.is_none()
        });
        match failed.map_or(read, Err) {
            Ok(()) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused_by_name() {
        let file = |name: &str| with(name.as_bytes(), EntryType::Regular, b"1\n");
        assert_eq!(text(&file("a/..b/c.data")), Ok("1\n".into()));
        for name in ["../x", "a/../../x", "/etc/x", "\\x", "a\\..\\x", "c:x"] {
            let says = format!("the name of the member '{}' leads out of the archive", quote(name, QUOTE_CHARS_MAX));
            assert_eq!(text(&file(name)), Err(says), "{name}");
        }
        for (kind, says) in [
            (EntryType::Symlink, "the member 'x' is a link; pack the file that it names"),
            (EntryType::Link, "the member 'x' is a link; pack the file that it names"),
            (EntryType::Fifo, "the member 'x' is no plain file"),
            (EntryType::Block, "the member 'x' is no plain file"),
        ] {
            assert_eq!(text(&with(b"x", kind, b"")), Err(says.into()), "{kind:?}");
        }
        assert_eq!(text(&with(b"x/", EntryType::Directory, b"")), Ok(String::new()));
    }

    #[test]
    fn what_is_cut_or_damaged_is_said() {
        let whole = with(b"x", EntryType::Regular, &[b'1'; 2_000]);
        assert_eq!(text(&whole[..100]), Err("the tar archive is damaged or cut (failed to read entire block)".into()));
        for cut in [512, 1_000, 2_511] {
            let says = "the member 'x' ends early, the archive is cut; what came before was used";
            assert_eq!(text(&whole[..cut]), Err(says.into()), "{cut}");
        }
        let mut damaged = whole;
        damaged[0] ^= 1;
        assert!(text(&damaged).unwrap_err().contains("checksum mismatch"));
    }

    /// Names of a gigabyte and zeros without end cost no memory.
    #[test]
    fn what_stands_between_members_is_bounded() {
        let says = "the tar archive is damaged or cut (more than 1048576 bytes without a member's content)";
        for kind in [EntryType::GNULongName, EntryType::XHeader, EntryType::XGlobalHeader] {
            let mut long = header(kind, 1 << 30);
            long.set_cksum();
            let endless = long.as_bytes().chain(io::repeat(b'x'));
            assert_eq!(members(endless, &mut |_| true).unwrap_err().to_string(), says, "{kind:?}");
        }
        assert_eq!(members(io::repeat(0), &mut |_| true).unwrap_err().to_string(), says);
    }

    proptest! {
        #[test]
        fn members_are_one_text(texts in prop::collection::vec("[a-z\n]{0,1000}", 0..5), long in any::<bool>()) {
            let mut archive = Builder::new(Vec::new());
            for (at, text) in texts.iter().enumerate() {
                let name = format!("{}{at}.data", if long { "folder/".repeat(40) } else { String::new() });
                archive.append_data(&mut header(EntryType::Regular, text.len() as u64), name, text.as_bytes()).unwrap();
            }
            let bytes = archive.into_inner().unwrap();
            let mut all = String::new();
            for text in texts.iter().filter(|text| !text.is_empty()) {
                if !all.is_empty() && !all.ends_with('\n') {
                    all.push('\n');
                }
                all.push_str(text);
            }
            prop_assert_eq!(text(&bytes), Ok(all));
            let first = texts.iter().find(|text| !text.is_empty()).cloned().unwrap_or_default();
            prop_assert_eq!(beginning(&bytes), first.into_bytes());
        }

        #[test]
        fn nothing_panics(at in 0..2_000_usize, byte in any::<u8>(), cut in 0..3_000_usize) {
            let mut bytes = with(b"x", EntryType::Regular, &[b'1'; 700]);
            bytes.truncate(cut.max(1));
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = (text(&bytes), beginning(&bytes), is_archive(&bytes));
        }
    }
}
