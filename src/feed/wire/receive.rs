//! Reads a socket together with the time at which the system got the bytes.
//!
//! Linux stamps what a TCP socket receives when it is asked to (`SO_TIMESTAMPNS`), before the bytes wait in the socket's
//! buffer, and hands the stamp of the newest bytes out with each `recvmsg`, which takes the place of `read`. Elsewhere, and
//! where the system refuses, reads have no stamps.

#[cfg(not(target_os = "linux"))]
pub use plain::{Receiver, Stamping};
#[cfg(target_os = "linux")]
pub use stamped::{Receiver, Stamping};

#[cfg(target_os = "linux")]
mod stamped {
    use std::io::{self, IoSliceMut, Read};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::net::TcpStream;
    use nix::cmsg_space;
    use nix::sys::socket::sockopt::ReceiveTimestampns;
    use nix::sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SetSockOpt, SockFlag, SockType, recvmsg, socket,
    };
    use nix::sys::time::TimeSpec;

    /// Keeps the system stamping. It begins some time after the first socket of all has asked for it, ten milliseconds or a
    /// hundred, and ends with the last: a socket that is never used asks before there is a connection, and through reconnects.
    #[derive(Debug)]
    pub struct Stamping {
        _socket: Option<OwnedFd>,
    }

    impl Stamping {
        /// Asks, without a word if the system refuses.
        pub fn begin() -> Self {
            let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).ok();
            let asked = |socket: &OwnedFd| ReceiveTimestampns.set(socket, &true).is_ok();
            Self { _socket: socket.filter(asked) }
        }
    }

    /// Reads one socket.
    pub struct Receiver {
        /// Where the system puts its stamp; `None` where it refused to give any.
        control: Option<Vec<u8>>,
    }

    impl Receiver {
        /// Asks for stamps.
        pub fn new(stream: &TcpStream) -> Self {
            let control = ReceiveTimestampns.set(stream, &true).is_ok().then(|| cmsg_space!(TimeSpec));
            Self { control }
        }

        /// Reads once. Gives the bytes read, and when the newest of them had reached this machine, Unix nanoseconds by the
        /// system's clock, where it says so.
        pub fn read(&mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<i64>)> {
            let Some(control) = &mut self.control else { return Ok((stream.read(buffer)?, None)) };
            stream.try_io(|| {
                let mut parts = [IoSliceMut::new(buffer)];
                let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())?;
                let stamp_ns = message.cmsgs().ok().and_then(|mut all| {
                    all.find_map(|one| match one {
                        ControlMessageOwned::ScmTimestampns(at) => unix_ns(at),
                        _ => None,
                    })
                });
                Ok((message.bytes, stamp_ns))
            })
        }
    }

    fn unix_ns(at: TimeSpec) -> Option<i64> {
        i64::try_from(Duration::from(at).as_nanos()).ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod plain {
    use std::io::{self, Read};

    use mio::net::TcpStream;

    /// Nothing is stamped.
    #[derive(Debug)]
    pub struct Stamping;

    impl Stamping {
        /// Nothing to ask for.
        pub fn begin() -> Self {
            Self
        }
    }

    /// Reads one socket.
    pub struct Receiver;

    impl Receiver {
        /// Nothing to ask for.
        pub fn new(_stream: &TcpStream) -> Self {
            Self
        }

        /// Reads once. Gives the bytes read.
        pub fn read(&mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<i64>)> {
            Ok((stream.read(buffer)?, None))
        }
    }
}
