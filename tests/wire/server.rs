//! A server for one connection on loopback, on a thread of its own, that does whatever a test wants.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;
use tungstenite::WebSocket;

/// Runs `session` on the first connection. Dropping it waits for the session and passes a panic on.
pub struct Server {
    pub address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(session: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("an option");
            session(stream);
        });
        Self { address, thread: Some(thread) }
    }

    /// A websocket server without TLS.
    pub fn plain(session: impl FnOnce(WebSocket<TcpStream>) + Send + 'static) -> Self {
        Self::start(move |stream| session(tungstenite::accept(stream).expect("an upgrade")))
    }

    /// A websocket server with TLS.
    pub fn tls(config: &Arc<ServerConfig>, session: impl FnOnce(WebSocket<TlsStream>) + Send + 'static) -> Self {
        let config = Arc::clone(config);
        Self::start(move |stream| {
            session(tungstenite::accept(tls_stream(&config, stream)).expect("an upgrade"));
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let result = self.thread.take().expect("joined once").join();
        if let Err(panic) = result
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

pub fn tls_stream(config: &Arc<ServerConfig>, stream: TcpStream) -> TlsStream {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).expect("a session"), stream)
}

/// A certificate authority with its certificate in a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub file: NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("papertrader test root")
    }

    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root");
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(issuer.pem().as_bytes()).expect("written");
        Self { issuer, file }
    }

    /// A server's configuration with a certificate for `name`, changed by `adjust`.
    pub fn server(&self, name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        adjust(&mut params);
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).expect("a certificate").into();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a private key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a matching key");
        Arc::new(config)
    }
}
