//! The one way to standard output.
//!
//! ```
//! use papertrader::cli::printer::Printer;
//!
//! let mut printer = Printer::stdout();
//! printer.print(format_args!("{} trades\n", 3));
//! printer.finish().expect("standard output takes it");
//! ```

use crate::base::failure::Failure;
use std::fmt::Display;
use std::io::{self, Write};

/// Takes everything that a command prints. Printing never stops the command's work: after the first error nothing more is
/// printed, and [`Printer::finish`] says at the end what the error was.
pub struct Printer {
    output: Box<dyn Write>,
    state: State,
}

/// Whether somebody still takes what is printed.
enum State {
    Open,
    /// The reader has gone, as `head` does when it has seen enough. That is not an error.
    Closed,
    Failed(io::Error),
}

impl Printer {
    /// Prints on standard output.
    #[allow(clippy::disallowed_methods)] // The one place.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Prints somewhere else.
    pub fn to(output: impl Write + 'static) -> Self {
        Self { output: Box::new(output), state: State::Open }
    }

    /// Prints a text, which brings its own line breaks.
    pub fn print(&mut self, text: impl Display) {
        if matches!(self.state, State::Open) {
            // Flushed at once: an error would otherwise be lost at the program's end, and a reader of a pipe would wait.
            let printed = write!(self.output, "{text}").and_then(|()| self.output.flush());
            self.note(printed);
        }
    }

    /// Prints help or version, in color where clap sees fit.
    pub fn print_help(&mut self, help: &clap::Error) {
        let printed = help.print().and_then(|()| self.output.flush());
        self.note(printed);
    }

    fn note(&mut self, printed: io::Result<()>) {
        match printed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.state = State::Closed,
            Err(error) => self.state = State::Failed(error),
        }
    }

    /// Whether everything was printed that somebody wanted to read.
    ///
    /// # Errors
    /// The first write error other than a closed pipe.
    pub fn finish(self) -> Result<(), Failure> {
        match self.state {
            State::Open | State::Closed => Ok(()),
            State::Failed(error) => Err(Failure::running(format!("cannot print to standard output: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Takes a number of bytes, then fails.
    struct Limited {
        room: usize,
        error: io::ErrorKind,
        taken: Rc<RefCell<Vec<u8>>>,
    }

    impl Write for Limited {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Err(self.error.into());
            }
            self.room -= length;
            self.taken.borrow_mut().extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_first_error_ends_printing_and_all_but_a_closed_pipe_are_reported() {
        for (error, reported) in [
            (io::ErrorKind::BrokenPipe, None),
            (io::ErrorKind::StorageFull, Some("cannot print to standard output: no storage space")),
        ] {
            let taken = Rc::default();
            let mut printer = Printer::to(Limited { room: 5, error, taken: Rc::clone(&taken) });
            for text in ["one", "two", "three"] {
                printer.print(text);
            }
            assert_eq!(*taken.borrow(), b"onetw");
            assert_eq!(printer.finish().err().map(|failure| failure.to_string()).as_deref(), reported);
        }
    }

    #[test]
    fn what_fits_is_printed() {
        let taken = Rc::default();
        let limited = Limited { room: 100, error: io::ErrorKind::StorageFull, taken: Rc::clone(&taken) };
        let mut printer = Printer::to(limited);
        printer.print("one\n");
        printer.print(format_args!("{}\n", 2));
        assert_eq!(*taken.borrow(), b"one\n2\n");
        assert!(printer.finish().is_ok());
    }
}
