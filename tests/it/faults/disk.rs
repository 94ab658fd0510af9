//! A disk that runs full under a running manager, and is emptied again.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::kill::{Journal, check_integrity, compare};
use crate::support::http::get;
use crate::support::process::Serve;

/// A disk of 8 MB, gone with the value.
pub(super) struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// Mounts it. Needs the right to mount; a machine without it cannot run this test, and says
    /// so by failing.
    pub(super) fn mount() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=0700", "kattila-test"])
            .arg(dir.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "a small disk cannot be mounted, run the tests as root: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { dir }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Takes every free byte.
    pub(super) fn fill(&self) -> PathBuf {
        let name = self.path().join("filler");
        let mut file = File::create(&name).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0_u8; size];
            while file.write_all(&block).is_ok() {}
        }
        name
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let umount = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
        let gone = umount.is_ok_and(|status| status.success());
        assert!(gone || std::thread::panicking(), "{} stays mounted", self.dir.path().display());
    }
}

/// Text that does not compress: 4 KB of it fill 4 KB.
pub(super) fn noise(seed: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::try_from(seed).unwrap() + 1);
    let mut text = String::new();
    while text.len() < 4096 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(&format!("{:016x}", state ^ (state >> 29)));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let disk = SmallDisk::mount();
    let home = tempfile::tempdir().unwrap();
    let db = disk.path().join("k.db");
    let serve = Serve::start(home.path(), &db).await;
    let addr = serve.addr();
    let mut journals = vec![Journal::new(1, addr)];
    let journal = &mut journals[0];
    for number in 0..50 {
        let envelope = journal.next(&noise(number));
        assert_eq!(journal.send(addr, envelope).await, Some(true), "{:?}", journal.refused);
    }
    let filler = disk.fill();
    // What the log has room for is still taken; then nothing is, however often it is tried.
    for number in 0..2_000 {
        let envelope = journal.next(&noise(number));
        assert!(journal.send(addr, envelope).await.is_some(), "no answer");
        if journal.refused.len() == 25 {
            break;
        }
    }
    assert_eq!(journal.refused, [503; 25], "only 503, and it came to that");
    assert_eq!(get(addr, "/readyz", &[]).await.status, 503);
    assert_eq!(get(addr, "/livez", &[]).await.status, 200);
    assert_eq!(get(addr, "/status/healthcheck", &[]).await.status, 503, "it takes no reports");

    std::fs::remove_file(filler).unwrap();
    for number in 0..50 {
        let envelope = journal.next(&noise(number));
        assert_eq!(journal.send(addr, envelope).await, Some(true), "{:?}", journal.refused);
    }
    assert_eq!(get(addr, "/readyz", &[]).await.status, 200);
    serve.stop().await;
    assert!(compare(&db, &journals).is_empty(), "a refused report is stored");
    check_integrity(&db);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_file_sizes_is_a_full_disk_not_a_death() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let serve = Serve::start_limited(home.path(), &db, 1 << 20).await;
    let addr = serve.addr();
    let mut journals = vec![Journal::new(2, addr)];
    let journal = &mut journals[0];
    for number in 0..2_000 {
        let envelope = journal.next(&noise(number));
        assert!(journal.send(addr, envelope).await.is_some(), "it died");
        if journal.refused.len() == 25 {
            break;
        }
    }
    assert_eq!(journal.refused, [503; 25], "only 503, and it came to that");
    assert_eq!(get(addr, "/livez", &[]).await.status, 200);
    serve.signal(Signal::KILL);
    serve.ended().await;

    let serve = Serve::start(home.path(), &db).await;
    let envelope = journal.next("");
    assert_eq!(journal.send(serve.addr(), envelope).await, Some(true), "without the limit");
    serve.stop().await;
    assert!(compare(&db, &journals).is_empty(), "a refused report is stored");
    check_integrity(&db);
}
