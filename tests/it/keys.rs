//! How keys come from DNS, file and environment, and what survives when they do not.

mod dnssec;
mod pins;
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use kattila::keys::dns::{DnsConfig, DnsServer, Dnssec};
use kattila::keys::health::RefreshOutcome;
use kattila::keys::keeper::{Keeper, Refresh};
use kattila::keys::policy::KeyChangeKind;
use kattila::keys::ring::{Generation, KeyRing};
use kattila::keys::source::SourceConfig;
use kattila::model::time::UnixSeconds;
use kattila::sign::psk::kid_of_psk;
use zeroize::Zeroizing;

use crate::support::dns::{Misbehaviour, PLAIN, SIGNED, TestDns};

const A: &str = "first-key-of-the-fleet-0123456789abcdef";
const B: &str = "second-key-of-the-fleet-0123456789abcdef";
const C: &str = "third-key-of-the-fleet-0123456789abcdef";
const D: &str = "fourth-key-of-the-fleet-0123456789abcdef";

const START: UnixSeconds = UnixSeconds(1_800_000_000);
const DAY: i64 = 86_400;

/// Patient, so that a slow machine changes no count of questions.
fn config(dns: &TestDns, name: &str) -> DnsConfig {
    let server = Some(DnsServer::plain(dns.addr()));
    let budget = Duration::from_secs(60);
    DnsConfig { server, budget, ..DnsConfig::new(name.parse().unwrap()) }
}

fn keeper(dns: &TestDns) -> Keeper {
    Keeper::new(SourceConfig::Dns(config(dns, PLAIN)), Vec::new())
}

/// One that gives up soon, for servers that do not answer.
fn impatient(dns: &TestDns) -> Keeper {
    let config = DnsConfig { budget: Duration::from_millis(600), ..config(dns, PLAIN) };
    Keeper::new(SourceConfig::Dns(config), Vec::new())
}

fn secrets(ring: &KeyRing, now: UnixSeconds) -> Vec<String> {
    ring.usable(now).map(|psk| String::from_utf8(psk.secret.to_vec()).unwrap()).collect()
}

fn changes(refresh: &Refresh) -> Vec<KeyChangeKind> {
    refresh.changes.iter().map(|change| change.what).collect()
}

fn generation(keeper: &Keeper, key: &str) -> Option<Generation> {
    keeper.ring().generation(&kid_of_psk(key.as_bytes()))
}

#[tokio::test]
async fn the_first_answer_fills_an_empty_ring() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    assert!(keeper.ring().is_empty());
    assert_eq!(keeper.health().last_success, None);

    dns.set_keys(PLAIN, &[A]).await;
    let first = keeper.refresh(START).await;
    assert_eq!(first.outcome, RefreshOutcome::Fresh);
    assert_eq!(secrets(&keeper.ring(), START), [A]);
    assert_eq!(changes(&first), [KeyChangeKind::Added, KeyChangeKind::BecameCurrent]);
    assert_eq!(first.to_store.len(), 1);
    assert_eq!(first.health.last_success, Some(START));
    assert_eq!(first.health.secure, Some(false));
    assert!(!format!("{first:?} {keeper:?}").contains("first-key"), "keys show in Debug");

    let second = keeper.refresh(START.plus(300)).await;
    assert!(changes(&second).is_empty() && second.to_store.is_empty());
    assert_eq!(dns.queries(), 2, "every refresh asks afresh, and once");
}

#[tokio::test]
async fn three_rotations_keep_two_previous_keys_for_a_day() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    let mut now = START;
    for listed in [[A, A], [A, B], [B, B], [B, C], [C, C], [C, D], [D, D]] {
        dns.set_keys(PLAIN, &listed).await;
        assert_eq!(keeper.refresh(now).await.outcome, RefreshOutcome::Fresh);
        now = now.plus(600);
    }
    assert_eq!(secrets(&keeper.ring(), now), [D, C, B]);
    assert_eq!(generation(&keeper, D), Some(Generation::Current));
    assert_eq!(generation(&keeper, C), Some(Generation::Previous(1)));
    assert_eq!(generation(&keeper, B), Some(Generation::Previous(2)));
    assert_eq!(generation(&keeper, A), None);
    assert_eq!(secrets(&keeper.ring(), now.plus(DAY)), [D]);
    assert!(keeper.health().unexpected.is_empty());
}

#[tokio::test]
async fn strings_of_one_record_are_joined_and_panels_quotes_removed() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    let long = "k".repeat(400);
    let chunks = long.as_bytes().chunks(255).map(<[u8]>::to_vec).collect();
    let quoted = format!(" \"{B}\" ").into_bytes();
    let tagged = b"v=kattila1; k=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8; seq=9".to_vec();
    let spf = b"v=spf1 include:_spf.example.net -all".to_vec();
    let check = b"google-site-verification=0123456789abcdefghij".to_vec();
    let records = [chunks, vec![quoted], vec![tagged], vec![spf], vec![check]];
    dns.set_txt(PLAIN, &records, 300).await;
    let refresh = keeper.refresh(START).await;
    assert!(refresh.warnings.is_empty(), "{:?}", refresh.warnings);
    let ring = keeper.ring();
    let usable: Vec<&[u8]> = ring.usable(START).map(|psk| psk.secret.as_slice()).collect();
    let counted: Vec<u8> = (0..32).collect();
    assert_eq!(usable.len(), 3);
    assert_eq!(usable[0], counted, "the highest seq is current");
    assert!(usable.contains(&long.as_bytes()) && usable.contains(&B.as_bytes()));
}

#[tokio::test]
async fn forty_records_are_fetched_over_tcp_and_push_nothing_out() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    dns.set_keys(PLAIN, &[A]).await;
    keeper.refresh(START).await;
    assert_eq!(dns.queries_over_tcp(), 0);

    let many: Vec<String> =
        (0..39).map(|n| format!("{n:02}-forged-key-0123456789abcdef-{n:02}")).collect();
    let mut listed: Vec<&str> = many.iter().map(String::as_str).collect();
    listed.push(A);
    dns.set_keys(PLAIN, &listed).await;
    let flooded = keeper.refresh(START.plus(300)).await;
    assert_eq!(flooded.outcome, RefreshOutcome::Fresh);
    assert_eq!(dns.queries_over_tcp(), 1, "2 KB do not fit into UDP");
    let usable = secrets(&keeper.ring(), START.plus(300));
    assert!(usable.len() == 3 && usable.iter().any(|key| key == A), "{usable:?}");
    assert_eq!(flooded.health.unexpected.len(), 2, "{:?}", flooded.health.unexpected);
    assert!(flooded.health.is_unexpected());
}

#[tokio::test]
async fn a_record_of_64_kilobytes_is_refused_by_its_length() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    dns.set_txt(PLAIN, &[vec![vec![b'x'; 255]; 250], vec![A.as_bytes().to_vec()]], 300).await;
    let refresh = keeper.refresh(START).await;
    assert_eq!(secrets(&keeper.ring(), START), [A]);
    let told = refresh.health.unexpected.join(" ");
    assert!(told.contains("63750 bytes"), "{told}");
}

#[tokio::test]
async fn the_next_poll_follows_the_ttl_within_bounds() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    for (ttl, mean) in
        [(0, 30), (1, 30), (300, 300), (7_200, 3_600), (1 << 30, 3_600), (1 << 31, 30)]
    {
        dns.set_txt(PLAIN, &[vec![A.as_bytes().to_vec()]], ttl).await;
        let refresh = keeper.refresh(START).await;
        let mean = Duration::from_secs(mean);
        let bounds = mean.mul_f64(0.899)..=mean.mul_f64(1.101);
        assert!(bounds.contains(&refresh.next_in), "ttl {ttl}: {:?}", refresh.next_in);
        assert_eq!(refresh.health.period_seconds, mean.as_secs());
    }
}

#[tokio::test]
async fn no_failure_of_dns_takes_a_key_away() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A, B]).await;
    let patient = keeper(&dns);
    patient.refresh(START).await;
    let impatient = impatient(&dns);
    impatient.refresh(START).await;
    let mut now = START;
    for (how, keeper) in [
        (Misbehaviour::Servfail, &patient),
        (Misbehaviour::Refused, &patient),
        (Misbehaviour::TruncatedThenTcpFails, &patient),
        (Misbehaviour::Nxdomain, &patient),
        (Misbehaviour::NoData, &patient),
        (Misbehaviour::Silent, &impatient),
        (Misbehaviour::Garbage, &impatient),
    ] {
        dns.misbehave(how);
        now = now.plus(600);
        let refresh = keeper.refresh(now).await;
        let absent = matches!(how, Misbehaviour::Nxdomain | Misbehaviour::NoData);
        let expected = match refresh.outcome {
            RefreshOutcome::Missing(_) => absent,
            RefreshOutcome::Failed(_) => !absent,
            RefreshOutcome::Fresh | RefreshOutcome::Bogus(_) => false,
        };
        assert!(expected, "{how:?}: {:?}", refresh.outcome);
        assert_eq!(secrets(&keeper.ring(), now.plus(30 * DAY)).len(), 2, "{how:?}");
        assert!(refresh.changes.is_empty() && refresh.to_store.is_empty());
        assert!(refresh.health.last_problem.is_some());
    }
    dns.misbehave(Misbehaviour::None);
    let healed = patient.refresh(now.plus(600)).await;
    assert_eq!(healed.outcome, RefreshOutcome::Fresh);
    assert_eq!(healed.health.failing_since, None);
}

#[tokio::test]
async fn failures_are_retried_with_growing_pauses_and_reported_when_they_last() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    dns.misbehave(Misbehaviour::Servfail);
    for (n, mean) in [5, 10, 20, 40, 80, 160, 300, 300].into_iter().enumerate() {
        let now = START.plus(i64::try_from(n).unwrap() * 100);
        let refresh = keeper.refresh(now).await;
        let mean = Duration::from_secs(mean);
        let bounds = mean.mul_f64(0.899)..=mean.mul_f64(1.101);
        assert!(bounds.contains(&refresh.next_in), "{n}: {:?}", refresh.next_in);
    }
    let health = keeper.health();
    assert_eq!(health.failures_in_row, 8);
    assert!(!health.is_stale(START.plus(899)) && health.is_stale(START.plus(900)));
}

#[tokio::test]
async fn a_record_that_is_gone_is_reported_at_the_third_answer() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    for n in 1..=3 {
        let refresh = keeper.refresh(START.plus(n * 30)).await;
        assert!(matches!(refresh.outcome, RefreshOutcome::Missing(_)), "{:?}", refresh.outcome);
        assert_eq!(refresh.health.is_missing(), n == 3, "{n}");
    }
}

#[tokio::test]
async fn keys_survive_a_restart_while_dns_is_down() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    let mut kept = Vec::new();
    for (n, listed) in [[A, A], [B, B]].into_iter().enumerate() {
        dns.set_keys(PLAIN, &listed).await;
        let refresh = keeper.refresh(START.plus(i64::try_from(n).unwrap() * 600)).await;
        for record in refresh.to_store {
            kept.retain(|old: &kattila::keys::ring::StoredKey| old.kid != record.kid);
            kept.push(record);
        }
    }
    dns.misbehave(Misbehaviour::Servfail);
    let restarted = Keeper::new(SourceConfig::Dns(config(&dns, PLAIN)), kept);
    let now = START.plus(1_200);
    assert_eq!(secrets(&restarted.ring(), now), [B, A]);
    let refresh = restarted.refresh(now).await;
    assert!(matches!(refresh.outcome, RefreshOutcome::Failed(_)));
    assert_eq!(secrets(&restarted.ring(), now), [B, A]);
    assert_eq!(secrets(&restarted.ring(), now.plus(DAY)), [B], "the day of grace goes on");
}

#[tokio::test]
async fn an_unknown_key_causes_one_question_however_many_ask() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    dns.set_keys(PLAIN, &[A]).await;
    keeper.refresh(START).await;
    dns.set_keys(PLAIN, &[A, B]).await;
    let now = START.plus(60);
    let all: Vec<_> = (0..200).map(|_| keeper.refresh_for_unknown_key(now)).collect();
    let told = futures_util::future::join_all(all).await;
    assert!(told.into_iter().all(|changed| changed), "everyone hears that the ring changed");
    assert_eq!(dns.queries(), 2);
    assert_eq!(generation(&keeper, B), Some(Generation::Current));

    assert!(keeper.refresh_for_unknown_key(now.plus(29)).await, "it changed while they verified");
    assert_eq!(dns.queries(), 2, "at most one question in 30 s");
    assert!(!keeper.refresh_for_unknown_key(now.plus(30)).await);
    assert_eq!(dns.queries(), 3);
    assert!(!keeper.refresh_for_unknown_key(now.plus(31)).await);
    assert_eq!(dns.queries(), 3);

    keeper.news_came().await;
    let (changes, to_store) = keeper.take_news();
    assert_eq!(changes.len(), 2);
    assert_eq!(to_store.len(), 2, "A is previous now, B is new");
    assert!(keeper.take_news().0.is_empty(), "news are told once");
}

#[tokio::test]
async fn who_hangs_up_during_the_question_takes_nothing_from_the_others() {
    let dns = TestDns::start().await;
    let keeper = keeper(&dns);
    dns.set_keys(PLAIN, &[A]).await;
    let mut first = Box::pin(keeper.refresh_for_unknown_key(START));
    assert!(futures_util::poll!(&mut first).is_pending());
    let second = keeper.refresh_for_unknown_key(START);
    drop(first);
    assert!(second.await);
    assert_eq!(dns.queries(), 1);
}

#[tokio::test]
async fn tcp_is_tried_when_udp_is_lost() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    dns.misbehave(Misbehaviour::UdpLost);
    let config = DnsConfig { budget: Duration::from_secs(2), ..config(&dns, PLAIN) };
    let keeper = Keeper::new(SourceConfig::Dns(config), Vec::new());
    assert_eq!(keeper.refresh(START).await.outcome, RefreshOutcome::Fresh);
    assert!(dns.queries_over_tcp() >= 1);
}

#[tokio::test]
async fn a_cname_is_followed_also_into_another_zone() {
    let dns = TestDns::start().await;
    dns.set_cname("alias.plain.example", "_kattila.signed.example").await;
    dns.set_cname("_kattila.plain.example", "alias.plain.example").await;
    dns.set_keys(SIGNED, &[A]).await;
    let alias = DnsConfig { dnssec: Dnssec::Off, ..config(&dns, PLAIN) };
    let keeper = Keeper::new(SourceConfig::Dns(alias), Vec::new());
    assert_eq!(keeper.refresh(START).await.outcome, RefreshOutcome::Fresh);
    assert_eq!(secrets(&keeper.ring(), START), [A]);

    dns.set_cname("_kattila.loop.plain.example", "_kattila.loop.plain.example").await;

    let keeper =
        Keeper::new(SourceConfig::Dns(config(&dns, "_kattila.loop.plain.example")), Vec::new());
    assert!(!keeper.refresh(START).await.outcome.is_good());
}

#[tokio::test]
async fn a_file_is_reloaded_and_kept_when_it_becomes_unusable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("psk");
    fs::write(&path, format!("{A}\n{B}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let keeper = Keeper::new(SourceConfig::File(path.clone()), Vec::new());
    let first = keeper.refresh(START).await;
    assert_eq!(secrets(&keeper.ring(), START), [A, B], "current first, as listed");
    assert!(first.next_in <= Duration::from_secs(6));

    fs::write(&path, format!("{C}\n{A}\n")).unwrap();
    keeper.refresh(START.plus(5)).await;
    assert_eq!(secrets(&keeper.ring(), START.plus(5)), [C, A, B]);

    fs::write(&path, "# no keys for now\n").unwrap();
    let empty = keeper.refresh(START.plus(10)).await;
    assert!(matches!(empty.outcome, RefreshOutcome::Missing(_)));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let open = keeper.refresh(START.plus(15)).await;
    assert!(open.outcome.problem().is_some_and(|why| why.contains("chmod 600")));
    fs::remove_file(&path).unwrap();
    assert!(!keeper.refresh(START.plus(20)).await.outcome.is_good());
    assert_eq!(secrets(&keeper.ring(), START.plus(20)), [C, A, B]);
}

#[tokio::test]
async fn a_key_of_the_environment_that_was_revoked_stays_out() {
    let list = [A, B].map(|key| Zeroizing::new(key.to_owned())).to_vec();
    let keeper = Keeper::new(SourceConfig::Environment(list), Vec::new());
    keeper.refresh(START).await;
    assert_eq!(secrets(&keeper.ring(), START), [A, B]);
    assert!(keeper.revoke(&kid_of_psk(A.as_bytes())));
    assert!(!keeper.revoke(&kid_of_psk(C.as_bytes())));
    let refresh = keeper.refresh(START.plus(60)).await;
    assert_eq!(secrets(&keeper.ring(), START.plus(60)), [B]);
    assert_eq!(refresh.health.advice.len(), 1, "{:?}", refresh.health.advice);
    assert_eq!(refresh.to_store.len(), 2, "the revoked key and the new current one");
}
