//! The exchange's certificates: an authority made at start, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use std::sync::Arc;

/// The name that the `wrong-host-cert` fault's certificate is for.
const WRONG_HOST: &str = "somewhere-else.invalid";

/// The authority's name and the server's. They differ: OpenSSL takes a certificate whose issuer and subject are alike for
/// a self-signed one and never looks for the authority.
const AUTHORITY: &str = "papertrader local authority";
const SERVER: &str = "papertrader local exchange";

/// Why the certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A key or certificate could not be made.
    #[error(transparent)]
    Make(#[from] rcgen::Error),
    /// The TLS library refuses what was made.
    #[error(transparent)]
    Use(#[from] rustls::Error),
}

/// What the server can show a client that connects.
#[derive(Clone)]
pub(super) struct Certificates {
    /// The authority's certificate, for clients to trust.
    pub ca_pem: String,
    /// For `localhost`, the loopback addresses and the address listened on.
    pub good: Arc<ServerConfig>,
    /// As `good`, but it ended in 2021.
    pub expired: Arc<ServerConfig>,
    /// For another host.
    pub wrong_host: Arc<ServerConfig>,
}

impl Certificates {
    /// A new authority with the certificates that it signs. Nothing is kept on disk and no key leaves the process.
    pub fn make(listen: IpAddr) -> Result<Self, CertificateError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name = common_name(AUTHORITY);
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_pem = ca.self_signed(&ca_key)?.pem();
        let authority = Issuer::new(ca, ca_key);

        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
        if !listen.is_unspecified() && !names.contains(&listen.to_string()) {
            names.push(listen.to_string());
        }
        let good = CertificateParams::new(names)?;
        let mut expired = good.clone();
        expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
        expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let wrong_host = CertificateParams::new([WRONG_HOST.to_owned()])?;
        Ok(Self {
            ca_pem,
            good: server_config(good, &authority)?,
            expired: server_config(expired, &authority)?,
            wrong_host: server_config(wrong_host, &authority)?,
        })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn server_config(
    mut params: CertificateParams,
    authority: &Issuer<'_, KeyPair>,
) -> Result<Arc<ServerConfig>, CertificateError> {
    params.distinguished_name = common_name(SERVER);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Arc::new(config))
}
