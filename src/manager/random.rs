//! What every run makes, for itself or for its database, from the system's random numbers.

use zeroize::Zeroizing;

use super::StartError;
use crate::model::hex::encode;
use crate::oidc::flow::RunKey;

/// A number.
pub(super) fn number() -> Result<u64, StartError> {
    getrandom::u64().map_err(StartError::from)
}

/// A key that pseudonyms could be made of.
pub(super) fn pseudonyms() -> Result<[u8; 32], StartError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(key)
}

/// What this run's sign-ins at the provider are known again by.
pub(super) fn run_key() -> Result<RunKey, StartError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())?;
    Ok(RunKey(key))
}

/// 16 random digits.
pub(super) fn hex() -> Result<String, StartError> {
    Ok(encode(&number()?.to_be_bytes()))
}
