//! One thread that sleeps until any of several connections has something for it.

use super::Wire;
use std::io;
use std::time::Duration;

/// Sleeps as [`Wire::wait`] does, until there is something to do for any of the wires. Returns at once if one has not been read
/// empty.
///
/// # Errors
/// The system cannot wait.
pub fn wait_for_any<const N: usize>(wires: [Option<&Wire>; N], longest: Duration) -> io::Result<()> {
    if wires.iter().flatten().any(|wire| !wire.drained) { Ok(()) } else { wait(wires, longest) }
}

/// The sockets themselves are asked, not the wires' own pollers, which report each change once.
#[cfg(target_os = "linux")]
fn wait<const N: usize>(wires: [Option<&Wire>; N], longest: Duration) -> io::Result<()> {
    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let asked = |wire: &'_ Wire| {
        let writes = if wire.unflushed { PollFlags::POLLOUT } else { PollFlags::empty() };
        PollFlags::POLLIN | writes
    };
    let Some(first) = wires.iter().flatten().next() else {
        std::thread::sleep(longest);
        return Ok(());
    };
    // Where there is no wire the first is asked once more.
    let mut sockets = wires.map(|wire| {
        let wire = wire.unwrap_or(first);
        PollFd::new(wire.websocket.get_ref().socket().descriptor(), asked(wire))
    });
    match poll(&mut sockets, PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where sockets cannot be asked together they are looked at again a moment later.
#[cfg(not(target_os = "linux"))]
fn wait<const N: usize>(_: [Option<&Wire>; N], longest: Duration) -> io::Result<()> {
    std::thread::sleep(longest.min(Duration::from_millis(1)));
    Ok(())
}
