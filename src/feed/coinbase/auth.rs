//! Signed subscriptions: the venue's optional JSON web token.
//!
//! Market data needs none. With a key the venue accepts a token (RFC 7519) in each subscribe message, made as "Advanced
//! Trade WebSocket Authentication" (docs.cdp.coinbase.com) has it: the key's name in `sub` and `kid`, `iss` `cdp`,
//! valid for 120 s, signed with ES256 (RFC 7518) or Ed25519 (RFC 8037).
//!
//! ```
//! use data_encoding::BASE64;
//! use papertrader::feed::coinbase::auth::{AuthError, Credentials};
//!
//! // An Ed25519 key is 32 bytes in base64.
//! let credentials = Credentials::new("organizations/o/apiKeys/k", &BASE64.encode(&[7; 32]))?;
//! let token = credentials.token(1_723_161_600)?;
//! assert_eq!(token.split('.').count(), 3);
//! assert_eq!(Credentials::new("k", "no key").err(), Some(AuthError::KeyFormat));
//! # Ok::<(), AuthError>(())
//! ```

use super::pieces::{Pieces, name_parts};
use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use memchr::memmem::Finder;
use p256::ecdsa::signature::Signer as _;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use zeroize::{Zeroize, Zeroizing};

/// The environment variable with the name of the key.
pub const NAME_VARIABLE: &str = "COINBASE_API_NAME";

/// The environment variable with the private key: PEM, `\n` standing for a line break, or base64 of an Ed25519 key.
pub const KEY_VARIABLE: &str = "COINBASE_PRIVATE_KEY";

/// How long a token is valid, in seconds: the venue's limit.
pub const VALID_S: u64 = 120;

/// Why there are no usable credentials, or no token. No text quotes any part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// One variable without the other.
    #[error("{set} is set but {missing} is not; set both to sign subscriptions, or neither")]
    Incomplete {
        /// The variable that is there.
        set: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// A variable's value is not Unicode.
    #[error("{0} is not valid UTF-8")]
    NotUnicode(&'static str),
    /// Neither PEM nor base64 of 32 or 64 bytes.
    #[error("{KEY_VARIABLE} is neither a PEM private key (with \\n for line breaks) nor a base64 Ed25519 key")]
    KeyFormat,
    /// A well-formed file of a key that cannot sign what the venue accepts.
    #[error("{KEY_VARIABLE} is not a P-256 (ES256) or Ed25519 private key, or it is damaged")]
    KeyUnsupported,
    /// The cryptographic library failed.
    #[error("signing the subscription failed")]
    Sign,
}

/// A key that signs subscriptions.
pub struct Credentials {
    name: String,
    signer: Signer,
}

/// Both wipe the key when dropped.
enum Signer {
    Es256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Signer {
    /// The token's `alg`.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }
}

impl fmt::Debug for Credentials {
    /// The algorithm and nothing else: this may end up in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("algorithm", &self.signer.algorithm()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    nonce: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iss: &'a str,
    nbf: u64,
    exp: u64,
}

impl Credentials {
    /// Reads [`NAME_VARIABLE`] and [`KEY_VARIABLE`]; `None` if both are unset or empty.
    ///
    /// # Errors
    /// Only one of them is set, or as [`Self::new`].
    pub fn from_env() -> Result<Option<Self>, AuthError> {
        Self::from_lookup(|variable| match std::env::var(variable) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(AuthError::NotUnicode(variable)),
        })
    }

    fn from_lookup(
        lookup: impl Fn(&'static str) -> Result<Option<String>, AuthError>,
    ) -> Result<Option<Self>, AuthError> {
        let value = |variable| lookup(variable).map(|value| value.filter(|text| !text.trim().is_empty()));
        match (value(NAME_VARIABLE)?, value(KEY_VARIABLE)?.map(Zeroizing::new)) {
            (None, None) => Ok(None),
            (Some(name), Some(key)) => Self::new(&name, &key).map(Some),
            (Some(_), None) => Err(AuthError::Incomplete { set: NAME_VARIABLE, missing: KEY_VARIABLE }),
            (None, Some(_)) => Err(AuthError::Incomplete { set: KEY_VARIABLE, missing: NAME_VARIABLE }),
        }
    }

    /// Takes the key's name and its text: SEC1 (`EC PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`) PEM with line breaks or the
    /// two characters `\n` in their place, or base64 of an Ed25519 seed, alone or followed by its public key.
    ///
    /// The copies of the text made here are wiped; the caller's is the caller's to wipe.
    ///
    /// # Errors
    /// The text is no such key.
    pub fn new(name: &str, key: &str) -> Result<Self, AuthError> {
        let text = Zeroizing::new(key.trim().replace("\\n", "\n"));
        let signer = if text.contains("-----BEGIN") { signer_from_pem(&text)? } else { signer_from_base64(&text)? };
        Ok(Self { name: name.trim().to_owned(), signer })
    }

    /// How every token of this key begins: the base64url text of the header's first whole triples of bytes. The nonce is
    /// behind it.
    pub fn token_start(&self) -> String {
        let start = format!(r#"{{"alg":"{}","kid":""#, self.signer.algorithm());
        let triples = &start.as_bytes()[..start.len() / 3 * 3];
        BASE64URL_NOPAD.encode(triples)
    }

    /// What finds the key's name and its tokens in what a venue sends.
    pub fn traces(&self) -> Traces {
        let parts: Vec<&str> = name_parts(&self.name, TRACE_CHARS_MIN).collect();
        let name = if parts.is_empty() && !self.name.is_empty() { vec![self.name.as_str()] } else { parts };
        let finder = |text: &str| Finder::new(text).into_owned();
        Traces {
            parts: Pieces::of(name.iter().copied()),
            whole: std::iter::once(self.token_start().as_str()).chain(name).map(finder).collect(),
        }
    }

    /// Makes a token that is valid from `now_unix_s` (Unix time in seconds) for [`VALID_S`], with a nonce of its own.
    ///
    /// # Errors
    /// [`AuthError::Sign`].
    pub fn token(&self, now_unix_s: u64) -> Result<String, AuthError> {
        let mut nonce = [0; 16];
        ring::default_provider().secure_random.fill(&mut nonce).map_err(|_| AuthError::Sign)?;

        let nonce = HEXLOWER.encode(&nonce);
        let header = Header { alg: self.signer.algorithm(), kid: &self.name, nonce: &nonce, typ: "JWT" };
        let exp = now_unix_s.saturating_add(VALID_S);
        let claims = Claims { sub: &self.name, iss: "cdp", nbf: now_unix_s, exp };
        let mut token = format!("{}.{}", base64url_json(&header), base64url_json(&claims));
        let signature = match &self.signer {
            Signer::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(token.as_bytes()).map_err(|_| AuthError::Sign)?;
                <[u8; 64]>::from(signature.to_bytes())
            }
            Signer::Ed25519(key) => key.try_sign(token.as_bytes()).map_err(|_| AuthError::Sign)?.to_bytes(),
        };
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(token)
    }
}

/// Finds what belongs to a key.
pub struct Traces {
    /// A token's start, the key's name and its long parts, as they are.
    whole: Vec<Finder<'static>>,
    /// The long parts, for what is left of them.
    parts: Pieces,
}

impl Traces {
    /// Whether a message holds a token's start, the key's name or a long part of it; in one that is not of levels also a piece
    /// of such a part, however it is written.
    #[inline]
    pub fn are_in(&mut self, message: &[u8]) -> bool {
        self.whole.iter().any(|trace| trace.find(message).is_some())
            || (!message.starts_with(br#"{"channel":"l2_data""#) && self.parts.are_in(message))
    }
}

impl fmt::Debug for Traces {
    /// Nothing: they are secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// A part of a name that is shorter may stand in any market message.
const TRACE_CHARS_MIN: usize = 16;
fn base64url_json(value: &impl Serialize) -> String {
    BASE64URL_NOPAD.encode(&serde_json::to_vec(value).expect("strings and integers have JSON forms"))
}

fn signer_from_pem(text: &str) -> Result<Signer, AuthError> {
    // The library's error is dropped: it can quote a line of the input.
    let mut der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| AuthError::KeyFormat)?;
    let signer = match &der {
        PrivateKeyDer::Sec1(sec1) => p256::SecretKey::from_sec1_der(sec1.secret_sec1_der()).ok().map(es256_signer),
        PrivateKeyDer::Pkcs8(pkcs8) => {
            let der = pkcs8.secret_pkcs8_der();
            let p256 = p256::SecretKey::from_pkcs8_der(der).ok().map(es256_signer);
            p256.or_else(|| ed25519_dalek::SigningKey::from_pkcs8_der(der).ok().map(Signer::Ed25519))
        }
        _ => None,
    };
    der.zeroize();
    signer.ok_or(AuthError::KeyUnsupported)
}

fn es256_signer(key: p256::SecretKey) -> Signer {
    Signer::Es256(key.into())
}

fn signer_from_base64(text: &str) -> Result<Signer, AuthError> {
    const SEED_BYTES: usize = 32;
    let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| AuthError::KeyFormat)?);
    let (seed, public) = bytes.split_first_chunk::<SEED_BYTES>().ok_or(AuthError::KeyFormat)?;
    let key = ed25519_dalek::SigningKey::from_bytes(seed);
    match public.len() {
        0 => Ok(Signer::Ed25519(key)),
        SEED_BYTES if public == key.verifying_key().as_bytes() => Ok(Signer::Ed25519(key)),
        SEED_BYTES => Err(AuthError::KeyUnsupported),
        _ => Err(AuthError::KeyFormat),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    // Another implementation checks what this one signs.
    use ::ring::rand::SystemRandom;
    use ::ring::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ED25519,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, UnparsedPublicKey, VerificationAlgorithm,
    };
    use serde_json::{Value, json};

    const NAME: &str = "organizations/aaaa/apiKeys/bbbb";

    fn pem(label: &str, der: &[u8]) -> String {
        let text = BASE64.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64 is ASCII")).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// A DER element of less than 128 bytes.
    fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        let length = u8::try_from(content.len()).ok().filter(|length| *length < 128).expect("the short form");
        [&[tag, length], content.as_slice()].concat()
    }

    const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

    fn pkcs8(algorithm: &'static EcdsaSigningAlgorithm) -> Vec<u8> {
        EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).expect("a key").as_ref().to_vec()
    }

    /// A P-256 key: private and public.
    fn p256() -> ([u8; 32], [u8; 65]) {
        let document = pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING);
        (document[36..68].try_into().expect("32 bytes"), document[73..].try_into().expect("65 bytes"))
    }

    /// RFC 5915, with the optional parts or without.
    fn sec1_der(private: &[u8], parameters: bool, public: Option<&[u8]>) -> Vec<u8> {
        let parameters = if parameters { element(0xa0, &[P256]) } else { Vec::new() };
        let public = public.map_or(Vec::new(), |public| element(0xa1, &[&element(3, &[&[0], public])]));
        element(0x30, &[b"\x02\x01\x01", &element(4, &[private]), &parameters, &public])
    }

    /// As OpenSSL and the venue write it.
    fn sec1((private, public): &([u8; 32], [u8; 65])) -> String {
        pem("EC PRIVATE KEY", &sec1_der(private, true, Some(public)))
    }

    fn ed25519() -> ([u8; 32], [u8; 32]) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let seed: [u8; 32] = document.as_ref()[16..48].try_into().expect("32 bytes");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
        (seed, pair.public_key().as_ref().try_into().expect("32 bytes"))
    }

    fn part(token: &str, index: usize) -> Vec<u8> {
        let text = token.split('.').nth(index).expect("three parts");
        BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url")
    }

    /// Checks the signature with the public key; gives the header and the claims.
    fn verified(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> (Value, Value) {
        let (signed, _) = token.rsplit_once('.').expect("three parts");
        UnparsedPublicKey::new(algorithm, public)
            .verify(signed.as_bytes(), &part(token, 2))
            .expect("the signature is the key's");
        let value = |index| serde_json::from_slice(&part(token, index)).expect("JSON");
        (value(0), value(1))
    }

    #[test]
    fn p256_keys_sign_es256_in_both_encodings_and_with_escaped_line_breaks() {
        let key @ (private, public) = &p256();
        let mut texts = vec![sec1(key), sec1(key).replace('\n', "\\n")];
        texts.push(format!("{}{}", pem("EC PARAMETERS", P256), sec1(key)));
        for parameters in [false, true] {
            for public in [None, Some(public.as_slice())] {
                let der = sec1_der(private, parameters, public);
                texts.push(pem("EC PRIVATE KEY", &der));
                let algorithm = element(0x30, &[EC_PUBLIC_KEY, P256]);
                // PKCS#8 (RFC 5958) of more than 127 bytes: a length of the long form.
                let content = [b"\x02\x01\x00", algorithm.as_slice(), &element(4, &[&der])].concat();
                let length = u8::try_from(content.len()).expect("less than 256 bytes");
                let head: &[u8] = if length < 128 { &[0x30, length] } else { &[0x30, 0x81, length] };
                texts.push(pem("PRIVATE KEY", &[head, &content].concat()));
            }
        }
        for text in texts {
            let token = Credentials::new(NAME, &text).expect("a key").token(1_700_000_000).expect("a token");
            assert!(token.starts_with(&Credentials::new(NAME, &text).expect("a key").token_start()));
            let (header, claims) = verified(&token, &ECDSA_P256_SHA256_FIXED, public);
            assert_eq!(header["alg"], "ES256");
            assert_eq!(header["kid"], NAME);
            assert_eq!(header["typ"], "JWT");
            assert_eq!(header["nonce"].as_str().map(str::len), Some(32));
            assert_eq!(claims, json!({"sub": NAME, "iss": "cdp", "nbf": 1_700_000_000, "exp": 1_700_000_120}));
        }
    }

    #[test]
    fn ed25519_keys_sign_in_every_form() {
        let (seed, public) = ed25519();
        let both = [seed, public].concat();
        // RFC 8410, without the public key and with it.
        let algorithm = b"\x30\x05\x06\x03\x2b\x65\x70";
        let private = element(4, &[&element(4, &[&seed])]);
        let v1 = element(0x30, &[b"\x02\x01\x00", algorithm, &private]);
        let v2 = element(0x30, &[b"\x02\x01\x01", algorithm, &private, &element(0x81, &[&[0], &public])]);
        let bare = [BASE64.encode(&seed), format!(" {}\n", BASE64.encode(&both))];
        for text in bare.into_iter().chain([v1, v2].map(|der| pem("PRIVATE KEY", &der))) {
            let token = Credentials::new(NAME, &text).expect("a key").token(7).expect("a token");
            assert!(token.starts_with(&Credentials::new(NAME, &text).expect("a key").token_start()));
            let (header, claims) = verified(&token, &ED25519, &public);
            assert_eq!(header["alg"], "EdDSA");
            assert_eq!(claims, json!({"sub": NAME, "iss": "cdp", "nbf": 7, "exp": 127}));
        }
    }

    #[test]
    fn each_token_has_a_nonce_of_its_own() {
        let credentials = Credentials::new(NAME, &sec1(&p256())).expect("a key");
        let nonce = || part(&credentials.token(1).expect("a token"), 0);
        assert_ne!(nonce(), nonce());
    }

    #[test]
    fn unusable_keys_are_told_apart_and_never_quoted() {
        let key = sec1(&p256());
        let p384 = pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING);
        let (private, _) = p256();
        let (_, other) = p256();
        let mismatched = sec1_der(&private, true, Some(&other));
        let (seed, _) = ed25519();
        let mismatched_seed = [seed, [1; 32]].concat();
        let body = key.lines().nth(1).expect("a line of base64").to_owned();
        let cases = [
            (body.clone(), AuthError::KeyFormat),
            (format!("-----BEGIN EC PRIVATE KEY-----\n{body}"), AuthError::KeyFormat),
            (key.replacen(&body, &format!("!{body}"), 1), AuthError::KeyFormat),
            (key.replace("EC PRIVATE", "PUBLIC"), AuthError::KeyFormat),
            (key.replacen(&body, "", 1), AuthError::KeyUnsupported),
            (key.replace("EC PRIVATE", "RSA PRIVATE"), AuthError::KeyUnsupported),
            (pem("PRIVATE KEY", &p384), AuthError::KeyUnsupported),
            (pem("EC PRIVATE KEY", &mismatched), AuthError::KeyUnsupported),
            (pem("EC PRIVATE KEY", &sec1_der(&[0; 32], true, None)), AuthError::KeyUnsupported),
            (pem("EC PRIVATE KEY", &sec1_der(&[0xff; 32], true, None)), AuthError::KeyUnsupported),
            (BASE64.encode(&[9; 31]), AuthError::KeyFormat),
            (BASE64.encode(&mismatched_seed), AuthError::KeyUnsupported),
        ];
        for (text, expected) in cases {
            let error = Credentials::new(NAME, &text).expect_err("no usable key");
            assert_eq!(error, expected);
            assert!(!format!("{error} {error:?}").contains(&body[..6]));
        }
    }

    #[test]
    fn debug_shows_the_algorithm_alone() {
        let credentials = Credentials::new(NAME, &sec1(&p256())).expect("a key");
        assert_eq!(format!("{credentials:?}"), r#"Credentials { algorithm: "ES256", .. }"#);
    }

    #[test]
    fn both_variables_or_neither() {
        let lookup = |name: Option<&str>, key: Option<&str>| {
            let (name, key) = (name.map(str::to_owned), key.map(str::to_owned));
            Credentials::from_lookup(move |variable| {
                Ok(if variable == NAME_VARIABLE { name.clone() } else { key.clone() })
            })
        };
        let key = sec1(&p256());
        assert!(lookup(None, None).expect("no error").is_none());
        assert!(lookup(Some(""), Some(" ")).expect("no error").is_none());
        assert!(lookup(Some(NAME), Some(&key)).expect("no error").is_some());
        let error = lookup(Some(NAME), None).expect_err("the key is missing");
        assert_eq!(
            error.to_string(),
            "COINBASE_API_NAME is set but COINBASE_PRIVATE_KEY is not; set both to sign subscriptions, or neither"
        );
        let error = lookup(None, Some(&key)).expect_err("the name is missing");
        assert_eq!(error, AuthError::Incomplete { set: KEY_VARIABLE, missing: NAME_VARIABLE });
        let unreadable = Credentials::from_lookup(|variable| Err(AuthError::NotUnicode(variable)));
        assert_eq!(unreadable.expect_err("not UTF-8").to_string(), "COINBASE_API_NAME is not valid UTF-8");
    }

    #[test]
    fn what_a_venue_quotes_of_a_key_is_found() {
        let (org, id) = ("01234567-89ab-cdef-0123-456789abcdef", "fedcba98-7654-3210-fedc-ba9876543210");
        let name = format!("organizations/{org}/apiKeys/{id}");
        let key = sec1(&p256());
        let line = key.lines().nth(1).expect("a line");
        let credentials = Credentials::new(&name, &key).expect("a key");
        let debug = format!("{credentials:?} {:?}", credentials.traces());
        assert!([org, id, line, "organizations"].iter().all(|secret| !debug.contains(secret)), "{debug}");
        let token = credentials.token(0).expect("a token");
        for (said, is_trace) in
            [(token.as_str(), true), (name.as_str(), true), (id, true), (org, true), ("organizations/", false)]
        {
            assert_eq!(
                credentials.traces().are_in(format!(r#"{{"message":"{said}"}}"#).as_bytes()),
                is_trace,
                "{said}"
            );
        }
        // Pieces of ten characters, however they are written.
        let spaced: String = id.chars().flat_map(|digit| [digit, ' ']).collect();
        let escaped: String = id.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let pieces = [&id[..11], &id[25..], &id.to_uppercase(), &id.replace('-', ""), &spaced, &escaped];
        for (said, is_trace) in
            pieces.into_iter().map(|said| (said, true)).chain([(&id[..10], false), ("1790735994", false)])
        {
            let message = format!(r#"{{"type":"error","message":"no {said}!"}}"#);
            assert_eq!(credentials.traces().are_in(message.as_bytes()), is_trace, "{said}");
        }
        // A short name is found whole; its parts may be a price.
        let mut traces = Credentials::new(NAME, &key).expect("a key").traces();
        assert!(traces.are_in(NAME.as_bytes()) && !traces.are_in(b"aaaa bbbb"));
    }
}
