//! Signed zones: what is proven, what is refused, and what opportunistic validation misses.

use std::fs;

use kattila::keys::dns::{DnsConfig, Dnssec};
use kattila::keys::health::RefreshOutcome;
use kattila::keys::keeper::Keeper;
use kattila::keys::source::SourceConfig;

use super::{A, B, START, config, secrets};
use crate::support::dns::{Misbehaviour, PLAIN, SIGNED, TestDns};

/// A keeper for the signed zone that trusts its true key.
fn validating(dns: &TestDns, dnssec: Dnssec, dir: &tempfile::TempDir) -> Keeper {
    let anchor = dir.path().join("anchor");
    fs::write(&anchor, dns.anchor()).unwrap();
    let config = DnsConfig { dnssec, anchor: Some(anchor), ..config(dns, SIGNED) };
    Keeper::new(SourceConfig::Dns(config), Vec::new())
}

#[tokio::test]
async fn a_signed_zone_is_proven_and_forged_signatures_are_refused() {
    for dnssec in [Dnssec::Opportunistic, Dnssec::Require] {
        let dns = TestDns::start().await;
        let dir = tempfile::tempdir().unwrap();
        let keeper = validating(&dns, dnssec, &dir);
        dns.set_keys(SIGNED, &[A]).await;
        let good = keeper.refresh(START).await;
        assert_eq!(good.outcome, RefreshOutcome::Fresh, "{dnssec}");
        assert_eq!(good.health.secure, Some(true));

        for how in [Misbehaviour::SignedWithWrongKey, Misbehaviour::SignaturesStripped] {
            dns.set_keys(SIGNED, &[B]).await;
            dns.misbehave(how);
            let forged = keeper.refresh(START.plus(300)).await;
            assert!(
                matches!(forged.outcome, RefreshOutcome::Bogus(_)),
                "{dnssec} {how:?}: {forged:?}"
            );
            assert!(forged.health.bogus && forged.health.is_unexpected());
            assert_eq!(secrets(&keeper.ring(), START.plus(300)), [A]);
        }
        dns.misbehave(Misbehaviour::None);
        let healed = keeper.refresh(START.plus(600)).await;
        assert_eq!(healed.outcome, RefreshOutcome::Fresh);
        assert!(!healed.health.bogus);
        assert_eq!(secrets(&keeper.ring(), START.plus(600)), [B, A]);
    }
}

#[tokio::test]
async fn a_forged_first_answer_is_refused_unless_its_signatures_are_stripped() {
    let dns = TestDns::start().await;
    let dir = tempfile::tempdir().unwrap();
    dns.set_keys(SIGNED, &[A]).await;
    dns.misbehave(Misbehaviour::SignedWithWrongKey);
    let keeper = validating(&dns, Dnssec::Opportunistic, &dir);
    assert!(matches!(keeper.refresh(START).await.outcome, RefreshOutcome::Bogus(_)));
    assert!(keeper.ring().is_empty());

    dns.misbehave(Misbehaviour::SignaturesStripped);
    let stripped = keeper.refresh(START).await;
    assert_eq!(stripped.outcome, RefreshOutcome::Fresh, "the documented limit of opportunistic");
    assert_eq!(stripped.health.secure, Some(false));
}

#[tokio::test]
async fn require_takes_nothing_that_is_not_proven() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let unsigned = DnsConfig { dnssec: Dnssec::Require, ..config(&dns, PLAIN) };
    let keeper = Keeper::new(SourceConfig::Dns(unsigned), Vec::new());
    let refused = keeper.refresh(START).await;
    assert!(matches!(refused.outcome, RefreshOutcome::Bogus(_)), "{:?}", refused.outcome);

    let dir = tempfile::tempdir().unwrap();
    dns.set_keys(SIGNED, &[A]).await;
    let keeper = validating(&dns, Dnssec::Require, &dir);
    keeper.refresh(START).await;
    dns.misbehave(Misbehaviour::Nxdomain);
    let denied = keeper.refresh(START.plus(300)).await;
    assert!(matches!(denied.outcome, RefreshOutcome::Bogus(_)), "{:?}", denied.outcome);
    dns.misbehave(Misbehaviour::Servfail);
    let down = keeper.refresh(START.plus(600)).await;
    assert!(matches!(down.outcome, RefreshOutcome::Failed(_)), "{:?}", down.outcome);
    dns.misbehave(Misbehaviour::None);
    dns.set_keys(SIGNED, &[]).await;
    let gone = keeper.refresh(START.plus(900)).await;
    assert!(
        matches!(gone.outcome, RefreshOutcome::Missing(_)),
        "proven absence: {:?}",
        gone.outcome
    );
    assert_eq!(secrets(&keeper.ring(), START.plus(900)), [A]);
}
