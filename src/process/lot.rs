//! What was drawn once for a database and stays: the seed of its hashes of nonces, the key of its
//! pseudonyms.
//!
//! Offered by whoever has random numbers, written at the first start. Must never be shown.

use super::load;
use crate::model::hex;
use crate::store::change::Change;
use crate::store::row::FleetSnapshot;
use crate::store::{StoreError, Writer};

/// Name of the seed among the small values.
const SEED: &str = "nonce_seed";

/// Name of the key of pseudonyms among the small values. Nothing shows it.
const PSEUDONYMS: &str = "pseudonym_key";

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
    keep_value(SEED, format!("{a} {b}"), writer)?;
    Ok(offered)
}

/// The key of this database's pseudonyms; writes the one offered if there is none.
pub(super) fn pseudonyms_of(
    snapshot: &FleetSnapshot,
    offered: [u8; 32],
    writer: &mut dyn Writer,
) -> Result<[u8; 32], StoreError> {
    let parse = |text: &str| hex::decode(text)?.try_into().ok();
    if let Some(key) = load::meta(snapshot, PSEUDONYMS).and_then(parse) {
        return Ok(key);
    }
    keep_value(PSEUDONYMS, hex::encode(&offered), writer)?;
    Ok(offered)
}

fn keep_value(
    name: &'static str,
    value: String,
    writer: &mut dyn Writer,
) -> Result<(), StoreError> {
    let change = Change { meta: vec![(name, value)], ..Change::default() };
    writer.begin()?;
    writer.record(&change)?;
    writer.commit()
}
