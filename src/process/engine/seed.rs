//! The seed of the replay memory's hashes: made once per database.

use crate::process::load;
use crate::store::change::Change;
use crate::store::row::FleetSnapshot;
use crate::store::{StoreError, Writer};

/// Name of the seed among the small values.
const SEED: &str = "nonce_seed";

/// The seed of this database; writes the one offered if there is none.
pub(super) fn seed_of(
    snapshot: &FleetSnapshot,
    offered: [u64; 2],
    writer: &mut dyn Writer,
) -> Result<[u64; 2], StoreError> {
    let parse = |text: &str| {
        let (a, b) = text.split_once(' ')?;
        Some([a.parse().ok()?, b.parse().ok()?])
    };
    if let Some(seed) = load::meta(snapshot, SEED).and_then(parse) {
        return Ok(seed);
    }
    let [a, b] = offered;
    let change = Change { meta: vec![(SEED, format!("{a} {b}"))], ..Change::default() };
    writer.begin()?;
    writer.record(&change)?;
    writer.commit()?;
    Ok(offered)
}
