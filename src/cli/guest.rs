//! What a thread knows that works for a host: where its warnings go, and the host's wish for the end.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

thread_local! {
    /// Who hosts the command that runs on this thread, if anybody does.
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

struct Host {
    end: Arc<AtomicBool>,
    warnings: Vec<String>,
}

/// Gives the thread back to nobody, also when the work panics.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        HOST.set(None);
    }
}

/// Works for a host on this thread; `end` is set when the host wants it to end. Gives the warnings too, a line each.
pub fn work<T>(end: Arc<AtomicBool>, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    HOST.set(Some(Host { end, warnings: Vec::new() }));
    let leave = Leave;
    let result = work();
    let warnings = HOST.take().map(|host| host.warnings).unwrap_or_default();
    drop(leave);
    (result, warnings)
}

/// The host's wish for the end, where there is one.
pub fn end() -> Option<Arc<AtomicBool>> {
    HOST.with_borrow(|host| host.as_ref().map(|host| Arc::clone(&host.end)))
}

/// Whether this thread works for a host.
pub fn is_hosted() -> bool {
    HOST.with_borrow(Option::is_some)
}

/// Keeps a warning for the host; gives it back where there is none.
pub fn keep(warning: String) -> Option<String> {
    HOST.with_borrow_mut(|host| match host {
        Some(host) => {
            host.warnings.push(warning);
            None
        }
        None => Some(warning),
    })
}
