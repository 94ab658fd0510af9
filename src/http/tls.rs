//! TLS for the door, from PEM files that may be replaced while it is open. ring is the only provider.
//!
//! Connections keep what they were opened with; what is read anew is for those that come after.
//! Files that cannot be used change nothing.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::config::Tls;
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;

mod expiry;

/// What is spoken under TLS, in the order of preference (RFC 7301; the names of RFC 9113 and 9112).
const PROTOCOLS: [&[u8]; 2] = [HTTP_2, b"http/1.1"];

/// The name of HTTP/2 (RFC 9113 section 3.1).
pub const HTTP_2: &[u8] = b"h2";

/// Why TLS cannot be spoken with these files.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file holds no certificate or key that can be read.
    #[error("{path} cannot be used: {problem}; it must be PEM")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The files do not fit together.
    #[error(
        "the TLS certificate and key cannot be used: {0}; check that KATTILA_TLS_KEY belongs to \
         the first certificate of KATTILA_TLS_CERT"
    )]
    Pair(#[from] rustls::Error),
}

/// What the door shows of itself to those who come in now. Copies share it.
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

struct Shared {
    files: Tls,
    now: RwLock<Now>,
}

struct Now {
    config: Arc<ServerConfig>,
    ends: Option<UnixSeconds>,
    /// Digest of the files that were looked at last, whether they could be used or not.
    seen: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cert", &self.0.files.cert).finish_non_exhaustive()
    }
}

/// What came of another look at the files.
#[derive(Debug)]
pub enum Reloaded {
    /// They are as they were at the last look.
    Same,
    /// They are in force; the certificate ends then, if it says so.
    InForce(Option<UnixSeconds>),
    /// They cannot be used; what was in force before is.
    Kept(TlsError),
}

impl Identity {
    /// Reads the files.
    pub fn read(files: &Tls) -> Result<Self, TlsError> {
        let contents = Contents::read(files)?;
        let (config, ends) = contents.config(files)?;
        let now = RwLock::new(Now { config, ends, seen: contents.digest() });
        Ok(Self(Arc::new(Shared { files: files.clone(), now })))
    }

    /// What shakes hands with the next client.
    pub fn acceptor(&self) -> TlsAcceptor {
        let now = self.0.now.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&now.config))
    }

    /// When the certificate in force ends; `None` if it does not say so.
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).ends
    }

    /// Reads the files again. `Same` also if they are as bad as they were at the last look.
    pub fn reload(&self) -> Reloaded {
        let files = &self.0.files;
        let contents = match Contents::read(files) {
            Ok(contents) => contents,
            Err(error) => return self.keep(sha256(error.to_string().as_bytes()), error),
        };
        let seen = contents.digest();
        if self.has_seen(&seen) {
            return Reloaded::Same;
        }
        match contents.config(files) {
            Ok((config, ends)) => {
                let mut now = self.0.now.write().unwrap_or_else(PoisonError::into_inner);
                *now = Now { config, ends, seen };
                Reloaded::InForce(ends)
            }
            Err(error) => self.keep(seen, error),
        }
    }

    fn has_seen(&self, digest: &[u8; 32]) -> bool {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).seen == *digest
    }

    fn keep(&self, seen: [u8; 32], error: TlsError) -> Reloaded {
        if self.has_seen(&seen) {
            return Reloaded::Same;
        }
        self.0.now.write().unwrap_or_else(PoisonError::into_inner).seen = seen;
        Reloaded::Kept(error)
    }
}

/// The files, read at once.
struct Contents {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl Contents {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|problem| unusable(path, &problem));
        Ok(Self {
            cert: read(&files.cert)?,
            key: Zeroizing::new(read(&files.key)?),
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Differs when any of them does.
    fn digest(&self) -> [u8; 32] {
        let parts = [&self.cert, &*self.key, self.client_ca.as_ref().unwrap_or(&self.cert)];
        sha256(&parts.map(|part| sha256(part)).concat())
    }

    fn config(&self, files: &Tls) -> Result<(Arc<ServerConfig>, Option<UnixSeconds>), TlsError> {
        let chain = certificates(&files.cert, &self.cert)?;
        let ends = chain.first().and_then(|first| expiry::not_after(first));
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|problem| unusable(&files.key, &problem))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match files.client_ca.as_deref().zip(self.client_ca.as_ref()) {
            None => builder.with_no_client_auth(),
            Some((path, pem)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path, pem)? {
                    roots.add(certificate)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|problem| unusable(path, &problem))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok((Arc::new(config), ends))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(unusable(path, &"it holds no certificate")),
        Ok(all) => Ok(all),
        Err(problem) => Err(unusable(path, &problem)),
    }
}

fn unusable(path: &Path, problem: &dyn fmt::Display) -> TlsError {
    TlsError::File { path: path.display().to_string(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cert.pem");
        std::fs::write(&file, "no certificate\n").unwrap();
        let tls = Tls { cert: file.clone(), key: file, client_ca: None };
        let shown = Identity::read(&tls).unwrap_err().to_string();
        assert!(shown.contains("cert.pem") && shown.contains("no certificate"), "{shown}");
        let away = Tls { cert: dir.path().join("away.pem"), ..tls };
        assert!(Identity::read(&away).unwrap_err().to_string().contains("away.pem"));
    }
}
