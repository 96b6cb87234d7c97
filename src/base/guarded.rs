//! Work of a library that panics over bytes nobody vouches for.
//!
//! ```
//! use papertrader::base::guarded::guarded;
//!
//! assert_eq!(guarded(|| 7), Some(7));
//! assert_eq!(guarded(|| -> u32 { panic!("over a damaged byte") }), None);
//! ```

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work`; `None` if it panics, of which nothing is printed. What it has changed may be half done: let it go then.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            // A thread that ends has no more of its variables.
            if !IS_GUARDED.try_with(Cell::get).unwrap_or(false) {
                before(info);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    done.ok()
}
