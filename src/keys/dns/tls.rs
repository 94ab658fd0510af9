//! DNS over TLS (RFC 7858): which certificate proves that it is the server that was meant.
//!
//! Only the strict profile (RFC 8310, section 5): without a certificate that carries the name
//! and leads to a trusted authority nothing is asked, and never anything in plain. rustls stays
//! in here; ring is the only provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

/// A text that no certificate can carry as a name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{name:?} cannot stand in a certificate; give its DNS name, like dns.example.net, or an IP"
)]
pub struct InvalidServerName {
    name: String,
}

/// Why nobody can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustProblem {
    /// The file of the authority is no use.
    #[error("{path} cannot be used: {problem}; it must hold the authority's certificate as PEM")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The host trusts no authority.
    #[error(
        "this host has no trusted authorities ({problem}); install its ca-certificates, or name \
         the server's own with KATTILA_DNS_TLS_CA"
    )]
    NoRoots {
        /// What was found instead.
        problem: String,
    },
    /// rustls does not accept them.
    #[error("TLS cannot be spoken: {0}")]
    Provider(String),
}

/// What a DNS server must prove before it is asked anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsTls {
    name: Arc<str>,
    ca: Option<PathBuf>,
}

impl DnsTls {
    /// The name its certificate must carry, and the file (PEM) of the authority that must have
    /// signed it; without a file the host's own trusted authorities count.
    ///
    /// # Errors
    /// If no certificate can carry such a name.
    pub fn new(name: &str, ca: Option<PathBuf>) -> Result<Self, InvalidServerName> {
        match ServerName::try_from(name) {
            Ok(_) => Ok(Self { name: name.into(), ca }),
            Err(_) => Err(InvalidServerName { name: name.to_owned() }),
        }
    }

    /// The name its certificate must carry.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The file of the authority, if it is not the host's.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Reads the authorities, to find at the start what would fail at every question.
    ///
    /// # Errors
    /// If there is none, or the file cannot be used.
    pub fn check(&self) -> Result<(), TrustProblem> {
        self.client().map(|_config| ())
    }

    /// A client that believes these authorities only. Reads files: not for the runtime's
    /// threads.
    pub(in crate::keys::dns) fn client(&self) -> Result<ClientConfig, TrustProblem> {
        let roots = match &self.ca {
            Some(path) => from_file(path)?,
            None => from_host()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustProblem::Provider(error.to_string()))?;
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Every certificate of the file counts; one that cannot be read is a mistake in it.
fn from_file(path: &Path) -> Result<RootCertStore, TrustProblem> {
    let unusable =
        |problem: String| TrustProblem::File { path: path.display().to_string(), problem };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// The host's authorities; single ones that rustls cannot read do not matter.
fn from_host() -> Result<RootCertStore, TrustProblem> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _left_out) = roots.add_parsable_certificates(found.certs);
    if taken > 0 {
        return Ok(roots);
    }
    let problem = found.errors.first().map_or("none was found".to_owned(), ToString::to_string);
    Err(TrustProblem::NoRoots { problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_certificate_can_carry() {
        for name in ["dns.example.net", "192.0.2.53", "2001:db8::53"] {
            assert_eq!(&**DnsTls::new(name, None).unwrap().name(), name);
        }
        for bad in ["", "dns example", "https://dns.example", "dns.example:853", "-"] {
            let message = DnsTls::new(bad, None).unwrap_err().to_string();
            assert!(message.contains("cannot stand in a certificate"), "{message}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        let tls = DnsTls::new("dns.example.net", Some(file.clone())).unwrap();
        assert!(tls.check().unwrap_err().to_string().contains("ca.pem cannot be used"));
        std::fs::write(&file, "nothing\n").unwrap();
        assert!(tls.check().unwrap_err().to_string().contains("no certificate"));
        let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&file, torn).unwrap();
        assert!(matches!(tls.check(), Err(TrustProblem::File { .. })));
    }
}
