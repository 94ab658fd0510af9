//! Keys and certificates in PEM files, made by openssl as a person would.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// A certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certified {
    fn at(dir: &Path, name: &str) -> Self {
        Self { cert: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}-key.pem")) }
    }
}

/// One that signed itself, as an authority does.
pub(crate) async fn authority(dir: &Path, name: &str) -> Certified {
    let made = Certified::at(dir, name);
    request(&made, name, &["-addext", "keyUsage=critical,keyCertSign"]).await;
    made
}

/// A server's, signed by an authority.
pub(crate) async fn issued(dir: &Path, by: &Certified, host: &str) -> Certified {
    let made = Certified::at(dir, host);
    let (ca, key) = (by.cert.to_str().unwrap(), by.key.to_str().unwrap());
    let signer = ["-CA", ca, "-CAkey", key, "-addext", "basicConstraints=critical,CA:FALSE"];
    request(&made, host, &signer).await;
    made
}

/// A server's that signed itself.
pub(crate) async fn self_signed(dir: &Path, host: &str) -> Certified {
    let made = Certified::at(dir, host);
    request(&made, host, &[]).await;
    made
}

/// A server's that signed itself and ends after so many days.
pub(crate) async fn lasting(dir: &Path, host: &str, days: u32) -> Certified {
    let made = Certified::at(dir, host);
    // The last of two counts.
    request(&made, host, &["-days", &days.to_string()]).await;
    made
}

async fn request(to: &Certified, host: &str, more: &[&str]) {
    let ran = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={host}")])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .args(more)
        .arg("-out")
        .arg(&to.cert)
        .arg("-keyout")
        .arg(&to.key)
        .output()
        .await
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
