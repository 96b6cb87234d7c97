//! What a connection carries, and every way in which it ends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

#[cfg(target_os = "linux")]
use papertrader::base::clock::Clock;
use papertrader::feed::wire::{MESSAGE_BYTES_MAX, Received, Wire, WireConfig, WireError};
use socket2::SockRef;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Message as Sent, WebSocket};

use crate::server::{Authority, Server};
use crate::{HANG, Message, Wait, config, connect, connect_plain, connect_tls, next, next_error, next_text};

/// Runs a session over plain TCP and over TLS, with the client's side of it.
fn over_both(session: impl Fn(&mut dyn Peer) + Clone + Send + 'static, client: impl Fn(Wire)) {
    let plain = session.clone();
    let server = Server::plain(move |mut socket| plain(&mut socket));
    client(connect_plain(server.port()));
    drop(server);

    let authority = Authority::new();
    let server = Server::tls(&authority.server("localhost", |_| {}), move |mut socket| session(&mut socket));
    client(connect_tls(server.port(), &authority).expect("a connection"));
}

/// A server's websocket, whatever it runs over.
trait Peer {
    fn send(&mut self, message: Sent);
    fn read(&mut self) -> tungstenite::Result<Sent>;
    /// Writes bytes under the websocket, in one TLS record each time.
    fn raw(&mut self, bytes: &[u8]);
    /// Drops what the client sends until it is gone.
    fn drain(&mut self) {
        while self.read().is_ok() {}
    }
}

impl<S: Read + Write> Peer for WebSocket<S> {
    fn send(&mut self, message: Sent) {
        WebSocket::send(self, message).expect("sent");
    }
    fn read(&mut self) -> tungstenite::Result<Sent> {
        WebSocket::read(self)
    }
    fn raw(&mut self, bytes: &[u8]) {
        self.get_mut().write_all(bytes).expect("written");
        self.get_mut().flush().expect("flushed");
    }
}

fn fragment(bytes: &[u8], first: bool, last: bool) -> Sent {
    let kind = if first { Data::Text } else { Data::Continue };
    Sent::Frame(Frame::message(bytes.to_vec(), OpCode::Data(kind), last))
}

/// A text frame as a server sends it: no mask. Payloads below 64 KiB.
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()).expect("below 64 KiB") {
        short if short < 126 => frame.push(short as u8),
        long => frame.extend([&[126][..], &long.to_be_bytes()].concat()),
    }
    frame.extend(text.as_bytes());
    frame
}

#[test]
fn fragments_become_one_message() {
    let text = "Grüße an 日本";
    over_both(
        move |peer| {
            // Every cut, also inside a character, with a ping between the parts.
            for cut in 0..=text.len() {
                let (head, tail) = text.as_bytes().split_at(cut);
                peer.send(fragment(head, true, false));
                peer.send(Sent::Ping("p".into()));
                peer.send(fragment(tail, false, true));
            }
            for (index, byte) in text.bytes().enumerate() {
                peer.send(fragment(&[byte], index == 0, index + 1 == text.len()));
            }
            peer.drain();
        },
        |mut wire| {
            for _ in 0..=text.len() + 1 {
                assert_eq!(next_text(&mut wire), text);
            }
        },
    );
}

#[test]
fn dribbled_bytes_become_messages() {
    let texts = ["a", "", "0123456789", &"y".repeat(300)];
    let expected = texts.map(str::to_owned);
    let frames: Vec<u8> = texts.iter().flat_map(|text| text_frame(text)).collect();
    over_both(
        move |peer| {
            for byte in &frames {
                peer.raw(std::slice::from_ref(byte));
            }
            peer.drain();
        },
        |mut wire| {
            for text in &expected {
                assert_eq!(next_text(&mut wire), *text);
            }
        },
    );
}

#[test]
fn a_snapshot_beyond_the_usual_frame_limit_arrives_in_one_piece() {
    const LENGTH: usize = 17 << 20;
    const _: () = assert!(16 << 20 < LENGTH && LENGTH <= MESSAGE_BYTES_MAX);
    over_both(
        |peer| {
            peer.send("s".repeat(LENGTH).into());
            peer.drain();
        },
        |mut wire| assert_eq!(next_text(&mut wire).len(), LENGTH),
    );
}

#[test]
fn messages_of_one_read_share_its_stamp() {
    over_both(
        |peer| {
            peer.raw(&[text_frame("first"), text_frame("second")].concat());
            peer.drain();
        },
        |mut wire| {
            let stamps = |message| match message {
                Ok(Message::Text { received_raw, decoded_raw, .. }) => (received_raw, decoded_raw),
                other => panic!("{other:?}"),
            };
            let first = stamps(next(&mut wire, Wait::Sleep));
            let second = stamps(next(&mut wire, Wait::Sleep));
            assert_eq!(first.0, second.0, "one read completed both");
            assert!(first.0 <= first.1 && first.1 <= second.1, "{first:?} {second:?}");
            assert_eq!(wire.last_read().raw, first.0);
        },
    );
}

/// Without stamps of the system there is nothing to test: they are Linux's alone.
#[cfg(target_os = "linux")]
#[test]
fn what_a_message_waited_in_the_socket_lies_between_its_arrival_and_its_read() {
    // The system begins to stamp some milliseconds after the first socket has asked for it.
    const MESSAGES: usize = 100;
    const REST: Duration = Duration::from_millis(5);
    over_both(
        |peer| {
            for _ in 0..MESSAGES {
                peer.read().expect("the client's turn");
                peer.raw(&text_frame("waits"));
            }
            peer.drain();
        },
        |mut wire| {
            let clock = Clock::new();
            let mut stamped = 0;
            // The first message is not judged: records of TLS's own, which would end the wait early, come before it.
            wire.send_text("next").expect("sent");
            assert_eq!(next_text(&mut wire), "waits");
            for number in 1..MESSAGES {
                assert_eq!(wire.next_message().expect("no error"), None);
                wire.send_text("next").expect("sent");
                // When the wait is over the message has arrived.
                wire.wait(HANG).expect("a wait");
                let has_arrived = clock.stamp();
                std::thread::sleep(REST);
                let read = match wire.next_message().expect("no error") {
                    Some(Received::Text { read, .. }) => read,
                    // Less than a message woke the client.
                    None => match next(&mut wire, Wait::Sleep).expect("no error") {
                        Message::Text { .. } => continue,
                        other => panic!("{other:?}"),
                    },
                    Some(other) => panic!("{other:?}"),
                };
                if let Some(arrived) = read.arrived_raw {
                    stamped += 1;
                    assert!(arrived <= has_arrived, "message {number}: {arrived}, in the socket at {has_arrived}");
                    assert!(clock.between_ns(arrived, read.raw) >= REST.as_nanos() as u64, "message {number}");
                }
            }
            assert!(stamped >= MESSAGES / 2, "{stamped} of {MESSAGES} stamped");
        },
    );
}

#[test]
fn the_stamp_is_that_of_the_read_that_completed_the_message() {
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    for tls in [false, true] {
        let (go_on, wait) = mpsc::channel();
        let session = move |peer: &mut dyn Peer| {
            let frame = text_frame("halved");
            let (head, tail) = frame.split_at(4);
            peer.raw(head);
            wait.recv().expect("the client goes on");
            peer.raw(tail);
            peer.drain();
        };
        let server = if tls {
            Server::tls(&certificate, move |mut socket| session(&mut socket))
        } else {
            Server::plain(move |mut socket| session(&mut socket))
        };
        let mut wire = if tls {
            connect_tls(server.port(), &authority).expect("a connection")
        } else {
            connect_plain(server.port())
        };
        // TLS sends records of its own after the handshake: take what comes until it is quiet for a while.
        loop {
            let before = wire.last_read().raw;
            assert_eq!(wire.next_message().expect("no error"), None);
            wire.wait(Duration::from_millis(200)).expect("a wait");
            assert_eq!(wire.next_message().expect("no error"), None);
            if wire.last_read().raw == before {
                break;
            }
        }
        let half = wire.last_read().raw;
        go_on.send(()).expect("the server is there");
        match next(&mut wire, Wait::Sleep) {
            Ok(Message::Text { text, received_raw, .. }) => {
                assert_eq!(text, "halved");
                assert!(received_raw > half, "the second read completed it");
            }
            other => panic!("{other:?}"),
        }
        drop(wire);
    }
}

#[test]
fn pings_are_answered_in_a_quiet_market() {
    over_both(
        |peer| {
            for payload in ["1", "", "three"] {
                peer.send(Sent::Ping(payload.into()));
                // Nothing else is sent until the answer is here.
                assert_eq!(peer.read().expect("an answer"), Sent::Pong(payload.into()));
            }
            peer.send("done".into());
            peer.drain();
        },
        |mut wire| assert_eq!(next_text(&mut wire), "done"),
    );
}

#[test]
fn a_flood_of_pings_does_not_keep_the_caller() {
    const PINGS: usize = 5_000;
    over_both(
        |peer| {
            peer.raw(&[0x89, 0x00].repeat(PINGS));
            peer.send("done".into());
            peer.drain();
        },
        |mut wire| {
            let mut turns = 0;
            while wire.next_message().expect("no error").is_none() {
                turns += 1;
                wire.wait(HANG).expect("a wait");
            }
            assert!(turns > PINGS / 100, "the caller had {turns} turns");
        },
    );
}

#[test]
fn writes_that_the_socket_does_not_take_go_out_later() {
    const BYTES: usize = 60_000;
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    for tls in [false, true] {
        let (go_on, wait) = mpsc::channel::<()>();
        let session = move |peer: &mut dyn Peer| {
            wait.recv().expect("the client goes on");
            let mut count = 0;
            loop {
                let text = peer.read().expect("a message").into_text().expect("text");
                match text.as_str() {
                    "end" => break,
                    _ => assert!(text.starts_with(&format!("{count:06}")) && text.len() == BYTES, "in order, whole"),
                }
                count += 1;
            }
            peer.send(count.to_string().into());
            peer.drain();
        };
        let server = if tls {
            Server::tls(&certificate, move |mut socket| session(&mut socket))
        } else {
            Server::plain(move |mut socket| session(&mut socket))
        };
        let mut wire = if tls {
            connect_tls(server.port(), &authority).expect("a connection")
        } else {
            connect_plain(server.port())
        };
        let mut queued = 0;
        let error = loop {
            match wire.send_text(&format!("{queued:06}{}", "z".repeat(BYTES - 6))) {
                Ok(()) => queued += 1,
                Err(error) => break error,
            }
            assert!(queued < 10_000, "the backlog is bounded");
        };
        assert!(matches!(error, WireError::Backlogged), "{error}");
        assert_eq!(error.to_string(), "the peer does not read: the message was not sent");
        go_on.send(()).expect("the server is there");
        // Nothing arrives until all has been sent, so that only room to write wakes this end.
        while let Err(WireError::Backlogged) = wire.send_text("end") {
            assert_eq!(wire.next_message().expect("no error"), None);
            wire.wait(HANG).expect("a wait");
        }
        assert_eq!(next_text(&mut wire), queued.to_string());
        drop(wire);
    }
}

#[test]
fn the_peers_close_frame_is_given_with_its_code_and_reason() {
    over_both(
        |peer| {
            peer.send("last".into());
            let frame = CloseFrame { code: CloseCode::Away, reason: "restart".into() };
            peer.send(Sent::Close(Some(frame.clone())));
            assert_eq!(peer.read().expect("the answer"), Sent::Close(Some(frame)));
        },
        |mut wire| {
            assert_eq!(next_text(&mut wire), "last");
            let closed = next(&mut wire, Wait::Sleep).expect("a close frame");
            assert_eq!(closed, Message::Closed { code: Some(1001), reason: "restart".into() });
            assert!(matches!(wire.next_message(), Err(WireError::Ended)));
            assert!(matches!(wire.send_text("late"), Err(WireError::Ended)));
            assert!(wire.close(HANG));
        },
    );
    over_both(
        |peer| {
            peer.send(Sent::Close(None));
            peer.drain();
        },
        |mut wire| {
            let closed = next(&mut wire, Wait::Sleep).expect("a close frame");
            assert_eq!(closed, Message::Closed { code: None, reason: String::new() });
            assert!(wire.close(HANG));
        },
    );
}

#[test]
fn closing_sends_a_close_frame_and_the_end_of_tls() {
    let authority = Authority::new();
    let server = Server::tls(&authority.server("localhost", |_| {}), |mut socket| {
        // Messages still on their way do not keep the client from closing.
        for _ in 0..100 {
            socket.send("tick".into()).expect("sent");
        }
        match socket.read().expect("a close frame") {
            Sent::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Normal),
            other => panic!("{other}"),
        }
        while !matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)) {}
        let mut rest = Vec::new();
        // An end without TLS's closure alert would be an error here.
        socket.get_mut().read_to_end(&mut rest).expect("the closure alert, then the end");
        assert_eq!(rest, b"");
    });
    let wire = connect_tls(server.port(), &authority).expect("a connection");
    assert!(wire.close(HANG));
}

#[test]
fn closing_waits_no_longer_than_it_may() {
    let (go_on, wait) = mpsc::channel::<()>();
    let server = Server::plain(move |_socket| {
        let _ = wait.recv();
    });
    let wire = connect_plain(server.port());
    assert!(!wire.close(Duration::from_millis(50)), "the server does not answer");
    drop(go_on);
}

#[test]
fn an_end_without_a_close_frame_is_told_from_a_reset() {
    let end = |stream: &TcpStream, reset: bool| {
        if reset {
            SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("an option");
        } else {
            stream.shutdown(Shutdown::Write).expect("a half-close");
        }
    };
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    for reset in [false, true] {
        for tls in [false, true] {
            // The client's message tells that it has taken the text: a reset overtakes data.
            let server = if tls {
                Server::tls(&certificate, move |mut socket| {
                    socket.send("text".into()).expect("sent");
                    socket.read().expect("a text");
                    end(socket.get_ref().get_ref(), reset);
                    if !reset {
                        socket.drain();
                    }
                })
            } else {
                Server::plain(move |mut socket| {
                    socket.send("text".into()).expect("sent");
                    socket.read().expect("a text");
                    end(socket.get_ref(), reset);
                    if !reset {
                        socket.drain();
                    }
                })
            };
            let mut wire = if tls {
                connect_tls(server.port(), &authority).expect("a connection")
            } else {
                connect_plain(server.port())
            };
            assert_eq!(next_text(&mut wire), "text");
            wire.send_text("taken").expect("sent");
            let error = next_error(&mut wire);
            if reset {
                assert!(matches!(error, WireError::Reset), "{error}");
                assert_eq!(error.to_string(), "the connection was reset by the peer");
            } else {
                assert!(matches!(error, WireError::Eof), "{error}");
                assert_eq!(error.to_string(), "the connection ended without a close frame");
            }
            assert!(matches!(wire.next_message(), Err(WireError::Ended)));
            assert!(!wire.close(HANG));
        }
    }
}

#[test]
fn an_end_inside_a_message_is_an_end() {
    over_both(
        |peer| peer.raw(&text_frame("cut off")[..5]),
        |mut wire| {
            let error = next_error(&mut wire);
            assert!(matches!(error, WireError::Eof), "{error}");
        },
    );
}

#[test]
fn messages_that_the_feed_never_has_are_refused() {
    over_both(
        |peer| {
            peer.send(Sent::binary([1, 2, 3].to_vec()));
            peer.drain();
        },
        |mut wire| {
            let error = next_error(&mut wire);
            assert!(matches!(error, WireError::Binary { length: 3 }), "{error}");
            assert_eq!(error.to_string(), "a binary message of 3 bytes arrived; the feed sends text");
        },
    );
    for bytes in [&b"\xff"[..], b"cut \xe2\x82"] {
        let bytes = bytes.to_vec();
        over_both(
            move |peer| {
                peer.send(fragment(&bytes, true, true));
                peer.drain();
            },
            |mut wire| {
                let error = next_error(&mut wire);
                assert!(matches!(error, WireError::InvalidUtf8), "{error}");
                assert_eq!(error.to_string(), "a text message arrived that is not valid UTF-8");
                wire.close(Duration::ZERO);
            },
        );
    }
    // A masked frame, a reserved bit, a reserved opcode, an oversized ping, a continuation of nothing.
    for bytes in [&[0x81, 0x80, 0, 0, 0, 0][..], &[0xc1, 0], &[0x83, 0], &[0x89, 126, 0, 126], &[0x80, 0]] {
        let bytes = [bytes, &[0; 126]].concat();
        over_both(
            move |peer| {
                peer.raw(&bytes);
                peer.drain();
            },
            |mut wire| {
                let error = next_error(&mut wire);
                assert!(matches!(error, WireError::Protocol(_)), "{error}");
                assert!(error.to_string().starts_with("websocket protocol violation: "), "{error}");
            },
        );
    }
}

#[test]
fn oversized_messages_are_refused_by_their_header() {
    const LIMIT: usize = 1_000;
    let connect_limited = |server: &Server| {
        connect(&WireConfig { message_bytes_max: LIMIT, ..config(format!("ws://{}", server.address)) })
    };
    let server = Server::plain(|mut socket| {
        socket.send("f".repeat(LIMIT).into()).expect("sent");
        // A header that announces one byte too many; the payload never comes.
        socket.raw(&[0x81, 126, 0x03, 0xe9]);
        // More than the client has set aside follows.
        let _ = socket.get_mut().write_all(&[b'g'; 100_000]);
        socket.drain();
    });
    let mut wire = connect_limited(&server).expect("a connection");
    assert_eq!(next_text(&mut wire).len(), LIMIT);
    let error = next_error(&mut wire);
    assert!(matches!(error, WireError::TooLong { length: 1_001, limit: LIMIT }), "{error}");
    assert_eq!(error.to_string(), "a message of 1001 bytes arrived; the limit is 1000");
    assert!(!wire.close(HANG), "an error is not waited upon");
    drop(server);

    let server = Server::plain(|mut socket| {
        for part in 0..3 {
            socket.send(fragment(&[b'h'; 400], part == 0, part == 2)).expect("sent");
        }
        socket.drain();
    });
    let mut wire = connect_limited(&server).expect("a connection");
    let error = next_error(&mut wire);
    assert!(matches!(error, WireError::TooLong { limit: LIMIT, .. }), "{error}");
    drop(wire);
    drop(server);

    // The length that the header can announce at most, with the default limit.
    let server = Server::plain(|mut socket| {
        socket.raw(&[&[0x81, 127, 0x7f][..], &[0xff; 7]].concat());
        // More than the client has set aside follows.
        let _ = socket.get_mut().write_all(&[b'i'; 100_000]);
        socket.drain();
    });
    let mut wire = connect_plain(server.port());
    let error = next_error(&mut wire);
    assert!(matches!(error, WireError::TooLong { limit: MESSAGE_BYTES_MAX, .. }), "{error}");
    assert!(!wire.close(HANG), "what follows such a header is not read");
}

#[test]
fn a_message_is_valid_until_the_next_call() {
    let server = Server::plain(|mut socket| {
        socket.raw(&[text_frame("one"), text_frame("two")].concat());
        socket.drain();
    });
    let mut wire = connect_plain(server.port());
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match wire.next_message().expect("no error") {
            Some(Received::Text { text, .. }) => seen.push(text.to_owned()),
            Some(other) => panic!("{other:?}"),
            None => wire.wait(HANG).expect("a wait"),
        }
    }
    assert_eq!(seen, ["one", "two"]);
}
