//! What a report costs the allocator on the thread of its connection: counted, never timed.

use bytes::Bytes;
use kattila::process::handle::Submission;
use kattila::sign::nonce;
use kattila::simulate::envelope::{Head, Signer};
use kattila::simulate::world::{Mix, Options, World};
use kattila::verify::{Policy, verify_report};
use zeroize::Zeroizing;

use crate::support::manager::{PSK, START};
use crate::wire_vectors::ring;

/// A report of the load, of about 5 KB: 8 interfaces, 10 routes, 10 peers.
fn report(host: usize) -> Bytes {
    let options = Options { seed: 7, agents: 100, mix: Mix::Load, faults: false, start: START };
    let mut world = World::new(&options);
    let data = world.report(host, START).expect("a host that is not away");
    let face = world.face(host).unwrap();
    let head = Head {
        agent_id: face.agent_id,
        fleet_id: Some(face.fleet_id),
        tick: &(START.0 * 1000).to_string(),
        timestamp: &START.to_string(),
        nonce: &nonce::fresh().unwrap(),
    };
    Bytes::from(Signer::new(Zeroizing::new(PSK.as_bytes().to_vec())).seal_v2(&head, &data))
}

/// Most of them were some 175 to 240 when this was written, by what a host tells.
const MOST: u64 = 250;

#[test]
fn checking_and_reading_a_report_takes_so_many_allocations_and_keeps_none() {
    let ring = ring(&[PSK.as_bytes()]);
    for host in 0..10 {
        let report = report(host);
        let info = allocation_counter::measure(|| {
            let verified = verify_report(&report, &ring, &Policy::default(), |_| None, START);
            let submission = Submission::new(verified.unwrap(), None);
            drop(submission);
        });
        assert!(info.count_total <= MOST, "{} bytes: {info:?}", report.len());
        assert_eq!(info.bytes_current, 0, "{info:?}");
    }
}
