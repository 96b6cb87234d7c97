//! Making a connection, and every way in which that fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use papertrader::base::clock::Clock;
use papertrader::feed::wire::{ConfigError, Connector, HANDSHAKE_BYTES_MAX, Stage, WireConfig, WireError};
use rustls::{CertificateError, ServerConfig};
use socket2::{Domain, SockRef, Socket, Type};

use crate::server::{Authority, Server, tls_stream};
use crate::{Message, Wait, config, connect, connect_plain, connect_tls, next, next_text};

const SHORT: Duration = Duration::from_millis(150);

/// Says everything back until the client closes.
fn echo<S: Read + Write>(mut socket: tungstenite::WebSocket<S>) {
    while let Ok(message) = socket.read() {
        if message.is_text() && socket.send(message).is_err() {
            break;
        }
    }
}

/// Takes what comes until the client hangs up.
fn swallow(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(length) if length > 0) {}
}

fn plain_url(server: &Server) -> String {
    format!("ws://{}", server.address)
}

#[test]
fn echo_over_plain_and_tls_with_either_wait() {
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    for wait in [Wait::Spin, Wait::Sleep] {
        for tls in [false, true] {
            let server = if tls { Server::tls(&certificate, echo) } else { Server::plain(echo) };
            let mut wire = if tls {
                connect_tls(server.port(), &authority).expect("a connection")
            } else {
                connect_plain(server.port())
            };
            assert_eq!(wire.peer(), server.address);
            for text in ["", "a", "Grüße", &"x".repeat(70_000)] {
                wire.send_text(text).expect("sent");
                match next(&mut wire, wait) {
                    Ok(Message::Text { text: back, .. }) => assert!(back == text, "{wait:?}, TLS {tls}"),
                    other => panic!("{other:?}"),
                }
            }
            assert!(wire.close(crate::HANG), "the server answers the close frame");
        }
    }
}

#[test]
fn an_address_can_be_the_host_of_a_certificate() {
    let authority = Authority::new();
    let server = Server::tls(&authority.server("127.0.0.1", |_| {}), echo);
    let extra_ca = Some(authority.file.path().to_owned());
    let settings = WireConfig { extra_ca, ..config(format!("wss://127.0.0.1:{}", server.port())) };
    let mut wire = connect(&settings).expect("a connection");
    wire.send_text("hello").expect("sent");
    assert_eq!(next_text(&mut wire), "hello");
}

#[test]
fn one_connector_serves_every_reconnect() {
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let extra_ca = Some(authority.file.path().to_owned());
    let connector =
        Connector::new(&WireConfig { extra_ca, ..config(format!("wss://localhost:{port}")) }).expect("usable settings");
    let server = std::thread::spawn(move || {
        [(); 3].map(|()| {
            let (stream, _) = listener.accept().expect("a client");
            let mut socket = tungstenite::accept(tls_stream(&certificate, stream)).expect("an upgrade");
            socket.send("hello".into()).expect("sent");
            while socket.read().is_ok() {}
            socket.get_ref().conn.handshake_kind()
        })
    });
    for _ in 0..3 {
        let mut wire = connector.connect(&Clock::new(), &AtomicBool::new(false)).expect("a connection");
        assert_eq!(next_text(&mut wire), "hello");
        wire.close(crate::HANG);
    }
    let kinds = server.join().expect("no panic");
    use rustls::HandshakeKind::{Full, Resumed};
    assert_eq!(kinds, [Some(Full), Some(Resumed), Some(Resumed)]);
}

#[test]
fn certificates_that_prove_nothing_are_refused() {
    let (authority, stranger, namesake) = (Authority::new(), Authority::named("stranger"), Authority::new());
    let valid = authority.server("localhost", |_| {});
    let other_host = authority.server("other.example", |_| {});
    let expired = authority.server("localhost", |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    let refused = |certificate: &Arc<ServerConfig>, trusted: &Authority| {
        let certificate = Arc::clone(certificate);
        let server = Server::start(move |stream| {
            let error = tls_stream(&certificate, stream).read(&mut [0; 1]).expect_err("the client refuses");
            assert!(error.to_string().contains("alert"), "the server is told why: {error}");
        });
        match connect_tls(server.port(), trusted).expect_err("refused") {
            error @ WireError::Certificate { .. } => error,
            other => panic!("{other}"),
        }
    };

    let error = refused(&valid, &stranger);
    assert_eq!(
        error.to_string(),
        "the certificate of 'localhost' is not valid: UnknownIssuer \
         (add the root certificate that issued it with --ca-cert)"
    );
    let error = refused(&valid, &namesake);
    assert_eq!(
        error.to_string(),
        "the certificate of 'localhost' is not valid: BadSignature \
         (its issuer has another key than the trusted root: is --ca-cert out of date?)"
    );
    let error = refused(&other_host, &authority);
    assert!(matches!(&error, WireError::Certificate { cause: CertificateError::NotValidForNameContext { .. }, .. }));
    assert!(error.to_string().contains("only valid for DnsName(\"other.example\")"), "{error}");
    let error = refused(&expired, &authority);
    assert!(matches!(&error, WireError::Certificate { cause: CertificateError::ExpiredContext { .. }, .. }));
    assert!(error.to_string().contains("certificate expired"), "{error}");
}

#[test]
fn the_public_roots_alone_do_not_trust_a_private_one() {
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    let server = Server::start(move |stream| {
        tls_stream(&certificate, stream).read(&mut [0; 1]).expect_err("the client refuses");
    });
    let error = connect(&config(format!("wss://localhost:{}", server.port()))).expect_err("refused");
    assert!(matches!(error, WireError::Certificate { cause: CertificateError::UnknownIssuer, .. }), "{error}");
}

#[test]
fn an_http_status_instead_of_the_upgrade_is_named() {
    let answer = |status: &'static str| {
        Server::start(move |mut stream| {
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nsorry").as_bytes()).expect("sent");
            swallow(stream);
        })
    };
    for (status, text) in [
        ("503 Service Unavailable", "the server answered the websocket upgrade with HTTP 503 Service Unavailable"),
        ("429 Slow Down", "the server answered the websocket upgrade with HTTP 429 Too Many Requests"),
        ("200 OK", "the server answered the websocket upgrade with HTTP 200 OK"),
    ] {
        let server = answer(status);
        let error = connect(&config(plain_url(&server))).expect_err("no upgrade");
        assert!(matches!(error, WireError::Upgrade { status: code } if status.starts_with(&code.to_string())));
        assert_eq!(error.to_string(), text);
    }
}

/// The answer to the upgrade may be so long and not one byte longer.
#[test]
fn an_answer_to_the_upgrade_is_bounded() {
    for (bytes, fits) in [(HANDSHAKE_BYTES_MAX, true), (HANDSHAKE_BYTES_MAX + 1, false)] {
        let server = Server::start(move |mut stream| {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nx: ";
            let padding = bytes - answer.len() - 4;
            stream.write_all(&[&answer[..], &vec![b'y'; padding], b"\r\n\r\n"].concat()).ok();
            swallow(stream);
        });
        let error = connect(&config(plain_url(&server))).expect_err("no upgrade");
        assert_eq!(matches!(error, WireError::Upgrade { status: 503 }), fits, "{error}");
        assert!(fits || matches!(error, WireError::Handshake(_)), "{error}");
    }
}

/// No version of TLS below 1.2: a server that answers with 1.1 is refused, and told so by an alert.
#[test]
fn tls_1_1_is_refused() {
    let server = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 4096]).expect("a ClientHello");
        // A ServerHello of TLS 1.1 (RFC 4346, 7.4.1.3): version 3.2, a random, no session, AES-128-CBC-SHA, no compression.
        let hello = [&[2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0x00, 0x2f, 0]].concat();
        let record = [&[22, 3, 2, 0, hello.len() as u8][..], &hello].concat();
        stream.write_all(&record).expect("sent");
        let mut alert = [0; 7];
        stream.read_exact(&mut alert).expect("an alert");
        assert_eq!((alert[0], alert[5], alert[6]), (21, 2, 70), "fatal protocol_version (RFC 5246, 7.2)");
    });
    let error = connect(&config(format!("wss://localhost:{}", server.port()))).expect_err("refused");
    assert!(matches!(error, WireError::Tls(_)), "{error}");
    assert!(error.to_string().starts_with("TLS failed: "), "{error}");
}

#[test]
fn something_else_than_a_websocket_server_is_refused() {
    let server = Server::start(|mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").expect("sent");
        swallow(stream);
    });
    let error = connect(&config(plain_url(&server))).expect_err("no HTTP");
    assert!(matches!(error, WireError::Handshake(_)), "{error}");
    assert!(error.to_string().starts_with("the websocket upgrade failed: "), "{error}");
    drop(server);

    let server = Server::start(|mut stream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent");
        swallow(stream);
    });
    let error = connect(&config(format!("wss://{}", server.address))).expect_err("no TLS");
    assert!(matches!(error, WireError::Tls(_)), "{error}");
    assert!(error.to_string().starts_with("TLS failed: "), "{error}");
}

#[test]
fn a_peer_that_hangs_up_while_connecting_is_told_from_one_that_hangs() {
    for (scheme, stage) in [("ws", Stage::Upgrade), ("wss", Stage::Tls)] {
        let server = Server::start(|mut stream| {
            // Taking a first part of the request makes this end a plain one, not a reset.
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).expect("a request");
        });
        let error = connect(&config(format!("{scheme}://{}", server.address))).expect_err("no connection");
        assert!(matches!(error, WireError::HungUp { stage: at } if at == stage), "{error}");
        assert_eq!(error.to_string(), format!("the peer hung up ({stage})"));
        drop(server);

        let server = Server::start(swallow);
        let settings = WireConfig { handshake_timeout: SHORT, ..config(format!("{scheme}://{}", server.address)) };
        let error = connect(&settings).expect_err("no connection");
        assert!(matches!(error, WireError::Timeout { stage: at, limit: SHORT } if at == stage), "{error}");
        assert_eq!(error.to_string(), format!("no answer within 150ms ({stage})"));
    }
}

#[test]
fn an_upgrade_that_hangs_behind_tls_runs_into_the_same_limit() {
    let authority = Authority::new();
    let certificate = authority.server("localhost", |_| {});
    let server = Server::start(move |stream| {
        let mut stream = tls_stream(&certificate, stream);
        let mut buffer = [0; 4096];
        while matches!(stream.read(&mut buffer), Ok(length) if length > 0) {}
    });
    let extra_ca = Some(authority.file.path().to_owned());
    let url = format!("wss://localhost:{}", server.port());
    // Long enough for the TLS handshake of a debug build on a busy machine.
    let settings = WireConfig { extra_ca, handshake_timeout: Duration::from_secs(2), ..config(url) };
    let error = connect(&settings).expect_err("no upgrade");
    assert!(matches!(error, WireError::Timeout { stage: Stage::Upgrade, .. }), "{error}");
}

#[test]
fn a_reset_while_connecting_is_an_error() {
    let server = Server::start(|stream| {
        // The request has come: the client is past the TCP handshake.
        stream.peek(&mut [0; 1]).expect("a request");
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("an option");
    });
    let error = connect(&config(plain_url(&server))).expect_err("no connection");
    assert!(matches!(error, WireError::Reset), "{error}");
}

#[test]
fn a_refused_connection_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = connect(&config(format!("ws://{address}"))).expect_err("nobody listens");
    assert!(matches!(error, WireError::Connect { address: at, .. } if at == address), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot connect to {address}: Connection refused")), "{error}");
}

/// A listener whose queue is full drops connection requests, so that nothing answers them.
#[cfg(target_os = "linux")]
fn silent_listener() -> (Socket, SocketAddr, TcpStream) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("listening");
    let address = listener.local_addr().expect("an address").as_socket().expect("of IPv4");
    let queued = TcpStream::connect(address).expect("the one place in the queue");
    (listener, address, queued)
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_without_an_answer_times_out() {
    let (_listener, address, _queued) = silent_listener();
    let settings = WireConfig { connect_timeout: SHORT, ..config(format!("ws://{address}")) };
    let error = connect(&settings).expect_err("no answer");
    assert!(matches!(error, WireError::Timeout { stage: Stage::Connect, limit: SHORT }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_stop_flag_ends_every_wait() {
    let (_listener, silent, _queued) = silent_listener();
    let hanging = Server::start(swallow);
    for url in [format!("ws://{silent}"), format!("wss://{}", hanging.address)] {
        let stop = AtomicBool::new(false);
        let connector = Connector::new(&config(url)).expect("usable settings");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                stop.store(true, Ordering::Relaxed);
            });
            let error = connector.connect(&Clock::new(), &stop).expect_err("stopped");
            assert!(matches!(error, WireError::Stopped), "{error}");
        });
        let error = connector.connect(&Clock::new(), &stop).expect_err("stopped before it began");
        assert!(matches!(error, WireError::Stopped), "{error}");
    }
}

#[test]
fn names_that_do_not_resolve_say_so() {
    // RFC 6761 reserves .invalid: it never resolves.
    let error = connect(&config("wss://venue.invalid")).expect_err("no such name");
    assert!(matches!(&error, WireError::Resolve { host, .. } if host == "venue.invalid"), "{error}");
    assert!(error.to_string().starts_with("cannot resolve 'venue.invalid': "), "{error}");
}

#[test]
fn unusable_settings_are_found_before_connecting() {
    let error = |url: &str| Connector::new(&WireConfig::new(url)).expect_err(url);
    assert!(matches!(error("http://localhost"), ConfigError::Scheme { .. }));
    assert!(matches!(error("ws://192.0.2.1"), ConfigError::Plaintext { .. }));
    assert!(matches!(error("wss://a..b"), ConfigError::ServerName { .. }));
    let extra_ca = Some("/nonexistent/ca.pem".into());
    let error = Connector::new(&WireConfig { extra_ca, ..WireConfig::new("wss://localhost") }).expect_err("no file");
    assert!(error.to_string().starts_with("cannot read root certificates from '/nonexistent/ca.pem': "), "{error}");
}
