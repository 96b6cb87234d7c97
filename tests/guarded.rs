//! Panics of guarded work are not told, all others are. In a process of its own: what tells panics is the process's.

use papertrader::base::guarded::guarded;
use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicU32, Ordering};

static TOLD: AtomicU32 = AtomicU32::new(0);

#[test]
fn panics_are_told_unless_they_are_guarded() {
    set_hook(Box::new(|_| {
        TOLD.fetch_add(1, Ordering::SeqCst);
    }));
    let told = || TOLD.load(Ordering::SeqCst);
    assert_eq!((guarded(|| -> u32 { panic!("guarded") }), told()), (None, 0));
    assert!(catch_unwind(|| panic!("not guarded")).is_err());
    assert_eq!(told(), 1);
    // One within the other, and on a thread beside a guarded one.
    let both = guarded(|| {
        assert_eq!(guarded(|| -> u32 { panic!("within") }), None);
        assert!(std::thread::spawn(|| panic!("beside")).join().is_err());
        panic!("behind");
    });
    assert_eq!((both, told()), (None::<()>, 2));
}
