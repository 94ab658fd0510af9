//! Follows a name through its CNAMEs to its TXT records, and keeps what belongs to that chain.

use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer as _};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::dnssec::rdata::DNSSECRData;
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use zeroize::Zeroizing;

use crate::keys::dns::Failure;

/// CNAMEs followed at most; real chains have one or two.
const MAX_CNAMES: usize = 8;

/// Times to live from 2^31 up count as 0 (RFC 2181, section 8).
const MAX_TTL: u32 = 0x7fff_ffff;

/// The records that lead from the name asked for to its texts.
#[derive(Default)]
pub(in crate::keys::dns) struct Chain {
    /// CNAME and TXT records, as proven or not.
    records: Vec<Record>,
    /// Whether signatures over the TXT records came along.
    signed: bool,
}

/// Why a chain has no end.
pub(in crate::keys::dns) enum Stop {
    NoKey {
        name_exists: bool,
    },
    /// A validating handle could not prove that there is nothing.
    Unproven,
    Failed(Failure),
}

impl Chain {
    pub(in crate::keys::dns) fn is_signed(&self) -> bool {
        self.signed
    }

    pub(in crate::keys::dns) fn is_secure(&self) -> bool {
        self.records.iter().all(|record| record.proof == Proof::Secure)
    }

    pub(in crate::keys::dns) fn is_secure_or_proven_unsigned(&self) -> bool {
        self.records.iter().all(|record| matches!(record.proof, Proof::Secure | Proof::Insecure))
    }

    /// The smallest time to live of the chain, in seconds.
    pub(in crate::keys::dns) fn ttl(&self) -> u32 {
        let ttl = |record: &Record| if record.ttl > MAX_TTL { 0 } else { record.ttl };
        self.records.iter().map(ttl).min().unwrap_or_default()
    }

    pub(in crate::keys::dns) fn into_texts(self) -> Vec<Zeroizing<Vec<u8>>> {
        self.records
            .iter()
            .filter_map(|record| {
                let RData::TXT(txt) = &record.data else { return None };
                Some(Zeroizing::new(txt.txt_data.concat()))
            })
            .collect()
    }
}

/// Asks `handle` for the TXT records of `name` and of the CNAMEs it leads to.
pub(in crate::keys::dns) async fn chase<H: DnsHandle>(
    handle: &H,
    name: &Name,
    options: DnsRequestOptions,
) -> Result<Chain, Stop> {
    let mut chain = Chain::default();
    let mut target = name.clone();
    let mut hops = 0;
    while hops <= MAX_CNAMES {
        let query = Query::query(target.clone(), RecordType::TXT);
        let response = handle.lookup(query, options).first_answer().await.map_err(stop)?;
        let asked = target.clone();
        while let Some((record, next)) = cname_of(&response.answers, &target) {
            chain.records.push(record.clone());
            target = next.clone();
            hops += 1;
            if hops > MAX_CNAMES {
                break;
            }
        }
        let texts = response
            .answers
            .iter()
            .filter(|record| record.record_type() == RecordType::TXT && record.name == target);
        let before = chain.records.len();
        chain.records.extend(texts.cloned());
        if chain.records.len() > before {
            chain.signed = response.answers.iter().any(|record| covers_txt(record, &target));
            return Ok(chain);
        }
        if target == asked {
            let name_exists = response.response_code != ResponseCode::NXDomain;
            return Err(Stop::NoKey { name_exists });
        }
    }
    Err(Stop::Failed(Failure::Refused(format!("a chain of more than {MAX_CNAMES} CNAMEs"))))
}

fn cname_of<'a>(answers: &'a [Record], owner: &Name) -> Option<(&'a Record, &'a Name)> {
    answers.iter().filter(|record| record.name == *owner).find_map(|record| {
        let RData::CNAME(cname) = &record.data else { return None };
        Some((record, &cname.0))
    })
}

fn covers_txt(record: &Record, owner: &Name) -> bool {
    let RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) = &record.data else { return false };
    record.name == *owner && rrsig.input().type_covered == RecordType::TXT
}

fn stop(error: NetError) -> Stop {
    if let NetError::Dns(error) = error {
        match error {
            DnsError::NoRecordsFound(none) => {
                Stop::NoKey { name_exists: none.response_code != ResponseCode::NXDomain }
            }
            DnsError::Nsec { .. } | DnsError::DnssecBogus => Stop::Unproven,
            DnsError::ResponseCode(code) => {
                Stop::Failed(Failure::Refused(code.to_str().to_owned()))
            }
            // The enum is open to later versions of hickory.
            other => Stop::Failed(Failure::Refused(other.to_string())),
        }
    } else {
        Stop::Failed(Failure::Unreachable(error.to_string()))
    }
}
