//! Passes a neighbour's report on: checked for its path, signed as the next hop, and the answer
//! given back as it came.

use bytes::Bytes;

use crate::agent::client::Reply;
use crate::agent::seal::Sender;
use crate::model::time::UnixSeconds;
use crate::sign::ed25519::SecretKey;
use crate::sign::nonce;
use crate::sign::relay::{RelaySigner, wrap};
use crate::wire::codes::ErrorCode;
use crate::wire::limits::RELAYS;
use crate::wire::relay::{Stamp, TooLarge};

use super::chain::{Chain, is_loop, too_deep};
use super::refusal::Refusal;
use super::station::{Duty, Reached, Station};

/// Passes an envelope on.
pub async fn relay(station: &Station, body: &Bytes) -> Result<Reply, Refusal> {
    let duty = station.duty();
    let Some(key) = &duty.key else {
        let detail = "This agent has no identity that its manager knows, so it relays nothing.";
        return Err(Refusal::new(ErrorCode::RelayNotAllowed, detail));
    };
    let chain = Chain::read(body)?;
    let hop = check(&chain, &duty)?;
    let wrapped = signed((key, &duty.sender), hop, station.clock.now(), body)?;
    let reply = match &duty.reached {
        Reached::Not | Reached::Direct => duty.manager.exchange("status/updates", wrapped).await,
        Reached::Through(path) => {
            station.neighbours.relay(path.at, path.relays.len(), wrapped).await
        }
    };
    match reply {
        Ok(reply) if reply.whole => Ok(reply),
        Ok(_) => Err(unreachable("an answer that is no manager's")),
        Err(error) => {
            tracing::debug!(origin = %chain.origin, %error, "A neighbour's report was not passed on");
            Err(unreachable("no answer"))
        }
    }
}

fn unreachable(why: &str) -> Refusal {
    let detail = format!("This relay does not reach the manager ({why}); find another path.");
    Refusal::new(ErrorCode::UpstreamUnreachable, detail)
}

/// Whether the path may go on from here; this agent's number on it.
fn check(chain: &Chain, duty: &Duty) -> Result<usize, Refusal> {
    if chain.fleet_id != duty.sender.fleet_id {
        let detail = "This relay belongs to another fleet.";
        return Err(Refusal::new(ErrorCode::FleetMismatch, detail));
    }
    if chain.names(&duty.sender.agent_id) {
        return Err(is_loop(&duty.sender.agent_id));
    }
    let hop = chain.relays.len() + 1;
    let onward = match &duty.reached {
        Reached::Not | Reached::Direct => &[][..],
        Reached::Through(path) => &path.relays,
    };
    if hop + onward.len() > RELAYS {
        return Err(too_deep());
    }
    match onward.iter().find(|relay| chain.names(relay)) {
        Some(relay) => Err(is_loop(relay)),
        None => Ok(hop),
    }
}

fn signed(
    (key, sender): (&SecretKey, &Sender),
    hop: usize,
    now: UnixSeconds,
    inner: &[u8],
) -> Result<Bytes, Refusal> {
    let nonce = nonce::fresh().map_err(|_no_randomness| {
        Refusal::new(ErrorCode::Internal, "This relay could not sign; try again.")
    })?;
    let stamp = Stamp {
        fleet_id: &sender.fleet_id,
        relay_id: &sender.agent_id,
        // At most `RELAYS`.
        hop: i64::try_from(hop).unwrap_or(i64::MAX),
        timestamp: now,
        nonce: &nonce,
    };
    let wrapped = wrap(inner, &stamp, &RelaySigner::Own(key)).map(Bytes::from);
    wrapped.map_err(|error: TooLarge| Refusal::new(ErrorCode::BodyTooLarge, format!("{error}.")))
}
