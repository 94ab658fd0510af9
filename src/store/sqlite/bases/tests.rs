//! Which base an agent has, for how long, and how many there are.

use bytes::Bytes;

use super::*;
use crate::model::path::RelayPath;
use crate::model::state::{CanonForm, Scheme};
use crate::model::time::UnixSeconds;

fn report(size: usize) -> NewReport {
    NewReport {
        id: ReportId(1),
        agent: AgentNo(1),
        scheme: Scheme::V2Hmac,
        form: CanonForm::Raw,
        kid: "45819852fbdfc69a".parse().unwrap(),
        timestamp: UnixSeconds(1),
        collected_at: None,
        received_at: UnixSeconds(1),
        tick: Some(2),
        nonce: String::new(),
        data_sha256: [0; 32],
        envelope: Bytes::from(vec![0; size]),
        frame_dict: None,
        redacted: false,
        relay_path: RelayPath::direct(),
        source: None,
        late: false,
    }
}

/// A base of so many bytes, of five times as many before packing.
fn base(bytes: usize) -> Base {
    Base::new(&report(5 * bytes), &vec![0; bytes], None)
}

#[test]
fn a_base_serves_so_many_reports() {
    let mut bases = Bases::default();
    bases.put(AgentNo(1), base(100));
    for _ in 0..USES {
        assert!(bases.get(AgentNo(1)).unwrap().serves(500, 20));
    }
    assert!(bases.get(AgentNo(1)).is_none() && bases.get(AgentNo(2)).is_none());
    bases.drop(AgentNo(1));
    assert_eq!(bases.bytes, 0);
}

#[test]
fn a_base_that_costs_more_than_another_one_would_serves_no_longer() {
    let mut once = base(100);
    // As large as the base itself gains nothing, whatever came before.
    assert!(!once.serves(500, 100) && once.serves(500, 99));
    // Reports that all look different from it: 40 bytes each until they have cost it.
    let mut changed = base(100);
    assert!(changed.serves(500, 20));
    let served = (0..10).take_while(|_| changed.serves(500, 60)).count();
    assert_eq!(served, 2);
    // One in between, and many that are like it.
    let mut other = base(100);
    assert!((0..20).all(|n| other.serves(500, if n == 7 { 90 } else { 20 })));
}

#[test]
fn what_does_not_fit_is_not_kept_until_others_fall_silent() {
    let mut bases = Bases::default();
    for agent in 1..=3 {
        let packed = vec![0; BYTES / 3 - ENTRY_BYTES];
        bases.put(AgentNo(agent), Base::new(&report(0), &packed, None));
    }
    bases.put(AgentNo(4), base(1000));
    assert!(bases.get(AgentNo(4)).is_none() && bases.get(AgentNo(1)).is_some());
    // The first look only begins to count; agent 3 is not heard of until the second.
    for _ in 0..2 {
        for _ in 0..3 {
            assert!(bases.get(AgentNo(1)).is_some() && bases.get(AgentNo(2)).is_some());
        }
        bases.put(AgentNo(4), base(1000));
    }
    assert!(bases.get(AgentNo(3)).is_none() && bases.get(AgentNo(1)).is_some());
    assert!(bases.get(AgentNo(4)).is_some());
    assert!(bases.bytes <= BYTES);
}
