//! Envelopes with every member chosen by the test, signed as they stand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kattila::model::hex;
use kattila::model::time::UnixSeconds;
use kattila::sign::digest::sha256;
use kattila::sign::hmac;
use kattila::sign::psk::kid_of_psk;

use super::manager::PSK;

/// What goes into an envelope.
#[derive(Clone)]
pub(crate) struct Seal {
    pub(crate) agent: String,
    pub(crate) fleet: String,
    pub(crate) psk: String,
    pub(crate) tick: i64,
    pub(crate) timestamp: i64,
    pub(crate) nonce: String,
    pub(crate) data: String,
}

impl Seal {
    /// An empty report under the usual key, signed at `at`. The tick follows the time.
    pub(crate) fn new(agent: &str, nonce: &str, at: UnixSeconds) -> Self {
        Self {
            agent: agent.to_owned(),
            fleet: "fleet-a".to_owned(),
            psk: PSK.to_owned(),
            tick: at.0 * 1000,
            timestamp: at.0,
            nonce: format!("{nonce:-<22}"),
            data: "{}".to_owned(),
        }
    }

    pub(crate) fn data(mut self, data: impl Into<String>) -> Self {
        self.data = data.into();
        self
    }

    pub(crate) fn tick(mut self, tick: i64) -> Self {
        self.tick = tick;
        self
    }

    pub(crate) fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = timestamp;
        self
    }

    pub(crate) fn psk(mut self, psk: &str) -> Self {
        psk.clone_into(&mut self.psk);
        self
    }

    /// The members of a version 1 envelope, each as `name` and JSON.
    pub(crate) fn members_v1(&self) -> Vec<(&'static str, String)> {
        vec![
            ("agent_id", format!("\"{}\"", self.agent)),
            ("timestamp", self.timestamp.to_string()),
            ("nonce", format!("\"{}\"", self.nonce)),
            ("hmac", format!("\"{}\"", hmac::v1(self.psk.as_bytes(), self.data.as_bytes()))),
            ("data", self.data.clone()),
        ]
    }

    /// The members of a version 2 envelope, each as `name` and JSON.
    pub(crate) fn members_v2(&self) -> Vec<(&'static str, String)> {
        let Self { agent, fleet, psk, tick, timestamp, nonce, data } = self;
        let kid = kid_of_psk(psk.as_bytes());
        let digest = hex::encode(&sha256(data.as_bytes()));
        let text = format!(
            "KATTILA2-REPORT\nhmac-sha256\n{kid}\n{fleet}\n{agent}\n{tick}\n{timestamp}\n{nonce}\n{digest}\n"
        );
        vec![
            ("v", "2".to_owned()),
            ("alg", "\"hmac-sha256\"".to_owned()),
            ("kid", format!("\"{kid}\"")),
            ("fleet_id", format!("\"{fleet}\"")),
            ("agent_id", format!("\"{agent}\"")),
            ("tick", tick.to_string()),
            ("timestamp", timestamp.to_string()),
            ("nonce", format!("\"{nonce}\"")),
            ("sig", format!("\"{}\"", hmac::v2(psk.as_bytes(), &text))),
            ("data", data.clone()),
        ]
    }

    pub(crate) fn v1(&self) -> String {
        object(&self.members_v1())
    }

    pub(crate) fn v2(&self) -> String {
        object(&self.members_v2())
    }

    /// A frame whose data, which is not, is said to be compressed with this dictionary.
    pub(crate) fn framed(&self, dict: &str) -> String {
        let Self { agent, fleet, psk, tick, timestamp, nonce, data } = self;
        let kid = kid_of_psk(psk.as_bytes());
        let digest = hex::encode(&sha256(data.as_bytes()));
        let text = format!(
            "KATTILA2-FRAMED\nhmac-sha256\n{kid}\n{fleet}\n{agent}\n{tick}\n{timestamp}\n{nonce}\nzstd\n{dict}\n{digest}\n"
        );
        let mut members = self.members_v2();
        members.retain(|(name, _)| !["data", "sig"].contains(name));
        members.push(("sig", format!("\"{}\"", hmac::v2(psk.as_bytes(), &text))));
        members.push(("enc", "\"zstd\"".to_owned()));
        members.push(("dict", format!("\"{dict}\"")));
        format!("{}\n{data}", object(&members))
    }

    /// Version 2 with the data in base64.
    pub(crate) fn v2_base64(&self) -> String {
        let mut members = self.members_v2();
        members.retain(|(name, _)| *name != "data");
        members.push(("data_b64", format!("\"{}\"", URL_SAFE_NO_PAD.encode(&self.data))));
        object(&members)
    }
}

/// The JSON object of these members.
pub(crate) fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}
