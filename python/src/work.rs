//! Work of the program for Python: without the interpreter's lock, ended by Ctrl-C, its failures as exceptions and its warnings as
//! warnings.

use crossbeam_channel::{RecvTimeoutError, bounded};
use papertrader::base::failure::Failure;
use papertrader::cli::failure_line;
use papertrader::cli::host::{Interrupt, hosted};
use pyo3::prelude::*;
use pyo3::{PyTypeInfo, import_exception};
use std::ffi::CString;
use std::fmt::Display;
use std::time::Duration;
use std::{panic, thread};

import_exception!(papertrader._errors, InputError);
import_exception!(papertrader._errors, RunningError);
import_exception!(papertrader._errors, PapertraderWarning);

/// How often signals are looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// That of the program's main thread on most systems: what recurses was tried with it.
const STACK_BYTES: usize = 8 << 20;

/// Frames from a warning to who called the package: one function of its Python half lies between.
const STACK_LEVEL: i32 = 2;

/// A failure as the exception of its kind, with the line that the program prints.
pub fn error(failure: &Failure) -> PyErr {
    let line = failure_line(failure);
    match failure {
        Failure::Input(_) => InputError::new_err(line),
        Failure::Running(_) => RunningError::new_err(line),
    }
}

/// Warns by Python's rules.
pub fn warn(py: Python<'_>, text: impl Display) -> PyResult<()> {
    let text = CString::new(failure_line(&Failure::running(text.to_string())).replace('\0', " "))?;
    PyErr::warn(py, &PapertraderWarning::type_object(py), &text, STACK_LEVEL)
}

/// Does work on a thread of its own, and waits for it without the interpreter's lock. A signal whose handler raises ends the work as
/// the program ends it, and goes on when that is done; a second one goes on at once, and the work ends by itself.
///
/// # Errors
/// The work's, or what a signal's handler raised, or a warning that is to be an error.
pub fn work<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    let interrupt = Interrupt::default();
    let (done, waiting) = bounded(1);
    let working = thread::Builder::new().name("papertrader".into()).stack_size(STACK_BYTES);
    let of_work = interrupt.clone();
    // Nobody waits any more after a second signal.
    let working = working.spawn(move || drop(done.send(hosted(of_work, work))))?;
    let mut raised = None;
    loop {
        match py.detach(|| waiting.recv_timeout(LOOK_EVERY)) {
            Ok((result, warnings)) => {
                if let Some(raised) = raised {
                    return Err(raised);
                }
                warnings.iter().try_for_each(|warning| warn(py, warning))?;
                return result.map_err(|failure| error(&failure));
            }
            Err(RecvTimeoutError::Timeout) => match (py.check_signals(), &raised) {
                (Ok(()), _) => {}
                (Err(signal), None) => {
                    interrupt.set();
                    raised = Some(signal);
                }
                (Err(signal), Some(_)) => return Err(signal),
            },
            Err(RecvTimeoutError::Disconnected) => match working.join() {
                Ok(()) => unreachable!("it sends before it ends"),
                // A defect of the program: PyO3 shows it as such.
                Err(panicked) => panic::resume_unwind(panicked),
            },
        }
    }
}
