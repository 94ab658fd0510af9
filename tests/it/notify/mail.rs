//! Mail, to a real SMTP server on loopback.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use super::scene::{Scene, secret};
use crate::support::certificates::{Certified, authority, issued};
use crate::support::receiver::{MailServer, Receiver};

fn acceptor(of: &Certified) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(&of.cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&of.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn plan(server: &MailServer, host: &str, more: &str) -> String {
    format!(
        "[[channel]]\nname = \"mail\"\ntype = \"email\"\nsmtp = \"{host}:{}\"\n\
         from = \"kattila@example.org\"\nto = [\"ops@example.org\", \"boss@example.org\"]\n{more}\
         [[route]]\nchannels = \"mail\"\n",
        server.addr.port()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_says_what_is_wrong_and_that_it_is_over() {
    let server = MailServer::start(None).await;
    let text = plan(&server, "127.0.0.1", "tls = \"none\"\n");
    let mut scene = Scene::with(1, Receiver::start().await, &text).await;
    scene.silence().await;
    scene.advance(30).await;
    let [mail] = &server.take()[..] else { panic!("one mail") };
    assert_eq!(mail.to, ["RCPT TO:<ops@example.org>", "RCPT TO:<boss@example.org>"]);
    for line in [
        "From: kattila@example.org\r\n",
        "Subject: [kattila] major: agent.offline alpha\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Message-ID: <msg_",
    ] {
        assert!(mail.text.contains(line), "{line:?} in {}", mail.text);
    }
    scene.back().await;
    scene.advance(30).await;
    let [mail] = &server.take()[..] else { panic!("one mail") };
    assert!(mail.text.contains("Subject: [kattila] cleared: agent.offline alpha"), "{mail:?}");
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    for (command, says, state) in [
        ("RCPT", "450 busy", "waiting"),
        ("RCPT", "550 no such user", "dead"),
        ("DATA", "451 later", "waiting"),
        ("TEXT", "452 full", "waiting"),
        ("TEXT", "554 spam", "dead"),
        ("TEXT", "", "waiting"),
        ("MAIL", "", "waiting"),
    ] {
        let server = MailServer::start(None).await;
        let text = plan(&server, "127.0.0.1", "tls = \"none\"\n");
        let mut scene = Scene::with(1, Receiver::start().await, &text).await;
        scene.silence().await;
        server.will_say(command, says);
        scene.advance(30).await;
        assert_eq!(scene.log().await, [format!("mail {state} 1")], "{command} {says}");
        assert!(server.take().is_empty());
        scene.advance(8).await;
        assert_eq!(server.take().len(), usize::from(state == "waiting"), "{command} {says}");
        scene.net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_goes_over_tls_only_and_to_the_right_server_only() {
    let dir = tempfile::tempdir().unwrap();
    let ca = authority(dir.path(), "ca").await;
    let other = authority(dir.path(), "other").await;
    let certified = issued(dir.path(), &ca, "localhost").await;
    secret(dir.path(), "password", "s3cret\n");
    let login = |ca: &Certified| {
        let (ca, dir) = (ca.cert.display(), dir.path().display());
        format!("ca = \"{ca}\"\nuser = \"me\"\npassword_file = \"{dir}/password\"\n")
    };
    let encrypted = MailServer::start(Some(acceptor(&certified))).await;
    let plain = MailServer::start(None).await;
    for (server, trusted, taken) in
        [(&encrypted, &ca, true), (&encrypted, &other, false), (&plain, &ca, false)]
    {
        let text = plan(server, "localhost", &login(trusted));
        let scene = Scene::with(1, Receiver::start().await, &text).await;
        let operator = scene.net.kattila.operator();
        operator.post("/api/v1/channels/mail/test", &json!({})).await;
        scene.advance(0).await;
        let log = scene.log().await;
        assert_eq!(log[0].starts_with("mail sent"), taken, "{log:?}");
        let shown = operator.get("/api/v1/channels").await.text();
        assert!(!shown.contains("s3cret"), "{shown}");
        let got = server.take();
        assert_eq!(got.len(), usize::from(taken));
        if let Some(mail) = got.first() {
            assert!(mail.encrypted);
            assert_eq!(STANDARD.decode(&mail.login).unwrap(), b"\0me\0s3cret");
        }
        scene.net.kattila.stop().await;
    }
}
