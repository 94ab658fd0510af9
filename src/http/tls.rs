//! TLS for the door, from PEM files. ring is the only provider.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;
use crate::model::time::UnixSeconds;

mod expiry;

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

/// Reads the files and makes an acceptor.
pub fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&tls.cert)?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|problem| unusable(&tls.key, &problem))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|problem| unusable(path, &problem))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// When the certificate of the door ends; `None` if it does not say so.
pub fn expires_at(tls: &Tls) -> Option<UnixSeconds> {
    expiry::not_after(certificates(&tls.cert).ok()?.first()?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|problem| unusable(path, &problem))?.collect();
    match all {
        Ok(all) if all.is_empty() => Err(unusable(path, &"it holds no certificate")),
        Ok(all) => Ok(all),
        Err(problem) => Err(unusable(path, &problem)),
    }
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> TlsError {
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
        let Err(error) = acceptor(&tls) else { panic!("accepted") };
        let shown = error.to_string();
        assert!(shown.contains("cert.pem") && shown.contains("no certificate"), "{shown}");
    }
}
