//! The door behind TLS, and the metrics' own door, with curl as the client.

use std::path::Path;

use tokio::process::Command;

use crate::support::certificates::self_signed;
use crate::support::http::get;
use crate::support::manager::{ADMIN_TOKEN, TestManager};

async fn curl(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-i", "--cacert", "localhost.pem", "--max-time", "20"])
        .args(arguments)
        .current_dir(dir)
        .output()
        .await
        .unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {complained}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let made = self_signed(dir.path(), "localhost").await;
    let (cert, key) = (made.cert.display().to_string(), made.key.display().to_string());
    let settings = [("KATTILA_TLS_CERT", cert.as_str()), ("KATTILA_TLS_KEY", key.as_str())];
    let kattila = TestManager::start_live(&settings).await;
    let at = format!("https://localhost:{}", kattila.addr().port());
    let health = curl(dir.path(), &[&format!("{at}/status/healthcheck")]).await;
    assert!(health.contains("200 OK") && health.contains("\"status\":\"ok\""), "{health}");
    let page = curl(dir.path(), &[&format!("{at}/login")]).await.to_lowercase();
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let origin = format!("Origin: {at}");
    let token = format!("token={ADMIN_TOKEN}");
    let login = format!("{at}/login");
    let signed_in = curl(dir.path(), &["-H", &origin, "-d", &token, &login]).await;
    let cookie = signed_in.lines().find(|line| line.to_lowercase().starts_with("set-cookie:"));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {signed_in}"));
    for part in ["__Host-kattila=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part} is missing in {cookie}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_door_of_their_own() {
    let kattila = TestManager::start_with(&[("KATTILA_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let envelope = kattila.agent("0123456789abcdef").seal_v2(r#"{"hostname":"gw"}"#);
    for _ in 0..2 {
        kattila.agent("0123456789abcdef").send(&envelope).await;
    }
    let door = kattila.manager().metrics_addr().unwrap();
    assert_ne!(door, kattila.addr());
    let metrics = get(door, "/metrics", &[]).await;
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    let value = |line: &str| text.lines().any(|l| l == line);
    assert!(value("kattila_reports_total{answer=\"ok\"} 1"), "{text}");
    assert!(value("kattila_reports_total{answer=\"duplicate\"} 1"), "{text}");
    assert_eq!(get(kattila.addr(), "/metrics", &[]).await.status, 404);
    kattila.stop().await;
}
