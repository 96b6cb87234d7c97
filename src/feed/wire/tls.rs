//! The TLS client configuration: which roots are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::ConfigError;
use crate::base::small_file;

/// The largest file of root certificates that is read. All of Mozilla's, as PEM with remarks, take 220 KB.
pub const CA_BYTES_MAX: u64 = 4 << 20;

/// Builds the configuration that every connection of a run shares, and with it the session tickets that make the
/// next handshake shorter.
///
/// The roots are Mozilla's as compiled in: the same on every machine, with nothing to find or parse at start, and there
/// in a bare container too. What is trusted beyond them, a company's proxy or the local exchange, is named by
/// `extra_ca`, a file of PEM certificates.
///
/// The provider is named here and not left to a process-wide default, which fails at run time as soon as some
/// dependency brings a second one in. ring opens the records of the feed as fast as aws-lc-rs does (AES-256-GCM,
/// measured on one machine in one run: 1,500 bytes in 271 against 284 ns, 16 KiB in 1,826 against 1,678 ns) and builds
/// in seconds, where aws-lc-rs takes minutes of C.
pub(super) fn client_config(extra_ca: Option<&Path>) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca {
        add_roots(&mut roots, path)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), ConfigError> {
    let unreadable = |cause: String| ConfigError::CaUnreadable { path: path.to_owned(), cause };
    let text = small_file::read(path, CA_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.len() == before {
        return Err(ConfigError::CaEmpty { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn error_of(text: &str) -> String {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let error = client_config(Some(file.path())).expect_err("no usable root");
        error.to_string().replace(&file.path().display().to_string(), "FILE")
    }

    #[test]
    fn files_without_usable_roots_are_refused() {
        assert_eq!(error_of(""), "'FILE' holds no certificate in PEM form");
        assert_eq!(error_of("hello\n"), "'FILE' holds no certificate in PEM form");
        let block = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        assert!(error_of(&block("!!!!")).starts_with("cannot read root certificates from 'FILE': "));
        assert!(error_of(&block("AAAA")).starts_with("cannot read root certificates from 'FILE': "));
        assert!(
            error_of("-----BEGIN CERTIFICATE-----\nAAAA\n").starts_with("cannot read root certificates from 'FILE'")
        );
        let missing = client_config(Some(Path::new("/nonexistent/ca.pem"))).expect_err("no such file");
        assert!(matches!(missing, ConfigError::CaUnreadable { .. }), "{missing}");
    }

    #[test]
    fn roots_of_a_file_come_on_top() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "{pem}# a remark\n{pem}").expect("written");
        let mut roots = RootCertStore::empty();
        add_roots(&mut roots, file.path()).expect("two roots");
        assert_eq!(roots.len(), 2);
        client_config(Some(file.path())).expect("a configuration");
    }
}
