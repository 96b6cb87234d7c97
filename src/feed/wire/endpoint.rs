//! Where a connection goes: the parsed URL.

use std::net::IpAddr;

use tungstenite::http::Uri;

use super::error::ConfigError;

/// A websocket URL that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The whole URL, with a path; carries neither user nor password.
    pub uri: Uri,
    /// Name or address, an IPv6 one without its brackets; not empty.
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// Set where an unencrypted connection is allowed to this machine alone: the addresses that a name resolves to
    /// are held to it as well.
    pub loopback_only: bool,
}

impl Endpoint {
    /// Accepts `wss://`, and `ws://` to this machine or, with `allow_plaintext`, to any other.
    pub fn parse(url: &str, allow_plaintext: bool) -> Result<Self, ConfigError> {
        let (scheme, rest) = url.split_once("://").ok_or(ConfigError::NoScheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "wss" => true,
            "ws" => false,
            _ => return Err(ConfigError::Scheme { scheme: scheme.to_owned() }),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(ConfigError::UserInfo);
        }
        if authority.is_empty() || authority.starts_with(':') {
            return Err(ConfigError::NoHost);
        }
        // `http` knows no default path, and a request line needs one.
        let after = &rest[authority.len()..];
        let slash = if after.starts_with('/') { "" } else { "/" };
        let uri: Uri = format!("{}://{authority}{slash}{after}", if tls { "wss" } else { "ws" })
            .parse()
            .map_err(|cause: tungstenite::http::uri::InvalidUri| ConfigError::Url { cause: cause.to_string() })?;

        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(ConfigError::NoHost);
        }
        // `http` takes 'host:' and 'host:99999' as a host without a port.
        let named_port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map(|(_, port)| port);
        let port = match named_port {
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(text) => match text.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(ConfigError::Port { port: text.to_owned() }),
            },
        };
        let loopback_only = !tls && !allow_plaintext;
        if loopback_only && !is_this_machine(&host) {
            return Err(ConfigError::Plaintext { host });
        }
        Ok(Self { uri, host, port, tls, loopback_only })
    }
}

/// Loopback addresses, and the names that RFC 6761 reserves for them.
fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, bool, String) {
        let endpoint = Endpoint::parse(url, true).unwrap_or_else(|error| panic!("{url}: {error}"));
        let target = endpoint.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        (endpoint.host, endpoint.port, endpoint.tls, target)
    }

    #[test]
    fn urls_fall_into_their_parts() {
        let cases = [
            ("wss://advanced-trade-ws.coinbase.com", "advanced-trade-ws.coinbase.com", 443, true, "/"),
            ("WSS://Example.com/", "Example.com", 443, true, "/"),
            ("ws://127.0.0.1:8080/a/b?c=d", "127.0.0.1", 8080, false, "/a/b?c=d"),
            ("wss://[::1]:8443", "::1", 8443, true, "/"),
            ("ws://[::1]/x", "::1", 80, false, "/x"),
            ("wss://example.com?q=1", "example.com", 443, true, "/?q=1"),
            ("wss://example.com#part", "example.com", 443, true, "/"),
        ];
        for (url, host, port, tls, target) in cases {
            assert_eq!(parts(url), (host.to_owned(), port, tls, target.to_owned()), "{url}");
        }
    }

    #[test]
    fn urls_that_cannot_be_used_say_why() {
        let cases = [
            ("localhost:80", "the URL has no scheme; it begins with wss://"),
            ("https://x", "'https://' is not a websocket scheme; use wss://, or ws:// for this machine"),
            ("wss://", "the URL names no host"),
            ("wss://:443/", "the URL names no host"),
            ("wss:///path", "the URL names no host"),
            ("wss://user:secret@x/", "the URL must not carry a user name or password"),
            ("wss://x:0/", "'0' is not a port from 1 to 65535"),
            ("wss://x:65536", "'65536' is not a port from 1 to 65535"),
            ("wss://x:", "'' is not a port from 1 to 65535"),
            ("wss://a b/", "the URL is malformed: invalid uri character"),
        ];
        for (url, text) in cases {
            assert_eq!(Endpoint::parse(url, true).expect_err(url).to_string(), text, "{url}");
        }
    }

    #[test]
    fn plaintext_stays_on_this_machine_unless_allowed() {
        for url in [
            "ws://127.0.0.1",
            "ws://127.9.9.9:1",
            "ws://[::1]",
            "ws://localhost:8",
            "ws://LocalHost.",
            "ws://a.localhost",
        ] {
            assert!(Endpoint::parse(url, false).expect(url).loopback_only, "{url}");
        }
        for url in ["ws://192.168.0.1", "ws://example.com", "ws://localhost.example.com", "ws://0.0.0.0", "ws://[::]"] {
            let error = Endpoint::parse(url, false).expect_err(url);
            assert!(matches!(error, ConfigError::Plaintext { .. }), "{url}: {error}");
            assert!(!Endpoint::parse(url, true).expect(url).loopback_only, "{url}");
        }
        assert_eq!(
            Endpoint::parse("ws://example.com", false).expect_err("refused").to_string(),
            "ws:// to 'example.com' would not be encrypted; use wss://, or --allow-plaintext"
        );
        assert!(!Endpoint::parse("wss://example.com", false).expect("encrypted").loopback_only);
    }
}
