//! The local exchange, seen from the other end of its sockets.

mod faults;
mod playback;
mod prints;
mod protocol;
mod support;
