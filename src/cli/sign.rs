//! `kattila sign`: `data` on stdin, the signed envelope on stdout.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use thiserror::Error;

use super::identity::{IdentityError, IdentityFile};
use super::psk::{self, PskArgs, PskError, PskSettings};
use super::simulate::FrameEncoding;
use crate::clock::Clock;
use crate::model::hex;
use crate::model::id::FleetId;
use crate::pack::{Against, Packer};
use crate::sign::digest::sha256;
use crate::sign::nonce;
use crate::simulate::envelope::{self, Head, Packed, Signer};
use crate::wire::frame::{Encoding, Frame};

/// Flags of `kattila sign`. Values are not checked: what is given is signed as given, so that
/// tests can send what no agent would.
#[derive(Debug, Clone, Args)]
pub struct SignArgs {
    /// How to sign
    #[arg(long, value_enum, default_value_t = SignScheme::V2)]
    pub scheme: SignScheme,
    /// Make a frame: the head as one line, then the data; not with v1
    #[arg(long)]
    pub framed: bool,
    /// How the data of a frame is encoded
    #[arg(long, value_enum, default_value_t = FrameEncoding::Identity, requires = "framed")]
    pub enc: FrameEncoding,
    /// Who reports; made from this host's machine id if not given
    #[arg(long, value_name = "ID")]
    pub agent_id: Option<String>,
    /// The agent's fleet; with v2 `default` if not given, with v1 left out
    #[arg(long, value_name = "ID")]
    pub fleet_id: Option<String>,
    /// Number that grows with every v2 report; the present millisecond if not given
    #[arg(long, value_name = "N")]
    pub tick: Option<String>,
    /// Unix seconds; now if not given
    #[arg(long, value_name = "T")]
    pub timestamp: Option<String>,
    /// A word used once; 128 random bits if not given
    #[arg(long, value_name = "WORD")]
    pub nonce: Option<String>,
    /// File with the agent's own key, as `kattila agent` keeps it; for ed25519
    #[arg(long, value_name = "FILE", required_if_eq("scheme", "ed25519"))]
    pub identity: Option<PathBuf>,
    #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
    #[command(flatten)]
    pub psk: PskArgs,
}

/// The schemes that `kattila sign` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignScheme {
    /// HMAC over the bytes of `data`
    V1,
    /// HMAC over identity, time, order and the digest of `data`
    V2,
    /// The same signed with the agent's own key
    Ed25519,
}

/// Why there is no envelope.
#[derive(Debug, Error)]
enum SignError {
    #[error(transparent)]
    Psk(#[from] PskError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the data on standard input could not be read: {0}")]
    Input(#[source] io::Error),
    #[error("there is no data on standard input: pipe a JSON object into this command")]
    NoData,
    #[error("version 1 has no frames: leave --framed out, or choose --scheme v2 or ed25519")]
    FramedV1,
    #[error("the data could not be compressed: there is no memory")]
    NoMemory,
    #[error("the envelope could not be written: {0}")]
    Output(#[source] io::Error),
    #[error("the operating system gave no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// What the command was given.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Flags.
    pub args: &'a SignArgs,
    /// Where the key is.
    pub settings: &'a PskSettings,
    /// The time.
    pub clock: &'a Clock,
}

/// Signs what `input` holds; the exit code of the command.
pub async fn run(
    given: Given<'_>,
    input: impl Read,
    mut output: impl Write,
    mut complaints: impl Write,
) -> u8 {
    match sign(given, input).await.and_then(|envelope| {
        output.write_all(&envelope).and_then(|()| output.flush()).map_err(SignError::Output)
    }) {
        Ok(()) => 0,
        Err(error) => {
            // If even the complaint cannot be written, the exit code still tells.
            writeln!(complaints, "{error}").unwrap_or_default();
            let is_misuse = matches!(
                error,
                SignError::Psk(PskError::Missing) | SignError::NoData | SignError::FramedV1
            );
            if is_misuse { 2 } else { 1 }
        }
    }
}

async fn sign(
    Given { args, settings, clock }: Given<'_>,
    mut input: impl Read,
) -> Result<Vec<u8>, SignError> {
    let keys = Keys::find(args, settings, clock).await?;
    let mut data = Vec::new();
    input.read_to_end(&mut data).map_err(SignError::Input)?;
    // White space around the value is not part of it, and a shell adds a line feed.
    let data = data.trim_ascii();
    if data.is_empty() {
        return Err(SignError::NoData);
    }
    let given =
        |value: &Option<String>, make: &dyn Fn() -> String| value.clone().unwrap_or_else(make);
    let nonce = match &args.nonce {
        Some(nonce) => nonce.clone(),
        None => nonce::fresh()?,
    };
    let agent_id = match (&args.agent_id, &keys) {
        (Some(agent_id), _) => agent_id.clone(),
        (None, Keys::Own(identity)) => identity.agent_id.clone(),
        (None, Keys::Shared(_)) => own_id()?,
    };
    let unnamed = FleetId::unnamed();
    let fleet_id = match args.scheme {
        SignScheme::V1 => args.fleet_id.as_deref(),
        SignScheme::V2 | SignScheme::Ed25519 => args.fleet_id.as_deref().or(Some(unnamed.as_str())),
    };
    let head = Head {
        agent_id: &agent_id,
        fleet_id,
        tick: &given(&args.tick, &|| clock.now_millis().to_string()),
        timestamp: &given(&args.timestamp, &|| clock.now().to_string()),
        nonce: &nonce,
    };
    if args.framed {
        // Ended by its last byte: a line feed would be part of the data.
        return framed(args, &keys, &head, data);
    }
    let mut sealed = match (&keys, args.scheme) {
        (Keys::Own(identity), _) => envelope::seal_own(&identity.secret, &head, data),
        (Keys::Shared(signer), SignScheme::V1) => signer.seal_v1(&head, data),
        (Keys::Shared(signer), SignScheme::V2 | SignScheme::Ed25519) => signer.seal_v2(&head, data),
    };
    sealed.push(b'\n');
    Ok(sealed)
}

/// The same as a frame.
fn framed(
    args: &SignArgs,
    keys: &Keys,
    head: &Head<'_>,
    data: &[u8],
) -> Result<Vec<u8>, SignError> {
    if args.scheme == SignScheme::V1 {
        return Err(SignError::FramedV1);
    }
    let frame = Frame { encoding: args.enc.into(), dict: None };
    let mut buffer = Vec::new();
    let sent = match frame.encoding {
        Encoding::Identity => data,
        Encoding::Zstd => {
            let packed = Packer::new()
                .is_ok_and(|mut packer| packer.pack(data, Against::Nothing, &mut buffer));
            if !packed {
                return Err(SignError::NoMemory);
            }
            &buffer
        }
    };
    let packed = Packed { frame: &frame, sent };
    Ok(match keys {
        Keys::Own(identity) => envelope::frame_own(&identity.secret, head, &packed),
        Keys::Shared(signer) => signer.frame(head, &packed),
    })
}

/// What signs.
enum Keys {
    Shared(Signer),
    Own(Box<IdentityFile>),
}

impl Keys {
    async fn find(
        args: &SignArgs,
        settings: &PskSettings,
        clock: &Clock,
    ) -> Result<Self, SignError> {
        match (args.scheme, &args.identity) {
            (SignScheme::Ed25519, Some(path)) => Ok(Self::Own(Box::new(IdentityFile::read(path)?))),
            _ => {
                Ok(Self::Shared(Signer::new(psk::current(&args.psk, settings, clock.now()).await?)))
            }
        }
    }
}

/// An identifier that stays the same on one host and does not tell its machine id.
fn own_id() -> Result<String, getrandom::Error> {
    let seed = match fs::read("/etc/machine-id") {
        Ok(machine) if !machine.trim_ascii().is_empty() => machine,
        Ok(_) | Err(_) => nonce::fresh()?.into_bytes(),
    };
    let digest = sha256(&[b"kattila-agent\n", seed.trim_ascii()].concat());
    let mut id = hex::encode(&digest);
    id.truncate(32);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::*;
    use crate::model::time::UnixSeconds;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        sign: SignArgs,
    }

    async fn run_with(flags: &[&str], data: &str) -> (u8, String, String) {
        let args = Cli::parse_from([&["sign"], flags].concat()).sign;
        let psk = Zeroizing::new("kattila-test-psk-000000000000000".to_owned());
        let settings = PskSettings { psk: Some(psk), ..PskSettings::default() };
        let clock = Clock::manual(UnixSeconds(1_795_214_286));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let given = Given { args: &args, settings: &settings, clock: &clock };
        let code = run(given, data.as_bytes(), &mut out, &mut err).await;
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    const DATA: &str = "{\"hostname\":\"gw-1\",\"tick\":1,\"load\":1.0,\"note\":\"<\\u00e9>\"}";

    #[tokio::test]
    async fn what_is_given_is_used_as_given() {
        let (code, out, _) = run_with(
            &[
                "--agent-id=0123456789abcdef0123456789abcdef",
                "--fleet-id=fleet-a",
                "--tick=1795214286123",
                "--timestamp=1795214286",
                "--nonce=AAECAwQFBgcICQoLDA0ODw",
            ],
            &format!("{DATA}\n"),
        )
        .await;
        let envelope: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 0);
        assert_eq!(
            envelope["sig"],
            "5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e"
        );
        assert!(out.ends_with(&format!("\"data\":{DATA}}}\n")), "the bytes are not touched");
    }

    #[tokio::test]
    async fn an_identity_signs_as_the_published_vector_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "kattila-identity-1\nagent_id 0123456789abcdef0123456789abcdef\n\
                    seed AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";
        fs::write(file.path(), text).unwrap();
        let identity = format!("--identity={}", file.path().display());
        let (code, out, err) = run_with(
            &[
                "--scheme=ed25519",
                &identity,
                "--fleet-id=fleet-a",
                "--tick=1795214286123",
                "--timestamp=1795214286",
                "--nonce=AAECAwQFBgcICQoLDA0ODw",
            ],
            DATA,
        )
        .await;
        assert_eq!(code, 0, "{err}");
        let envelope: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            envelope["sig"],
            "DIKiK7A63iZM9pWemMHVywesE37cUZPdg4uhPRMfe_eB_Q84udZyN7UgmJ962L8cpC8TCKv6ZuGwRubGfiLKCQ"
        );
        assert!(Cli::try_parse_from(["sign", "--scheme=ed25519"]).is_err(), "without a key");
        let (code, out, err) = run_with(&["--scheme=ed25519", "--identity=/nowhere"], DATA).await;
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("/nowhere"), "{err}");
    }

    #[tokio::test]
    async fn the_rest_is_made() {
        let (code, out, _) = run_with(&["--scheme=v1"], DATA).await;
        let envelope: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &envelope["timestamp"]), (0, &Value::from(1_795_214_286)));
        assert_eq!(
            envelope["hmac"],
            "7a8046f955a85973621026ab5e65dadf560683cfc144fe66659bfd09f75665ad"
        );
        assert_eq!(envelope["agent_id"].as_str().unwrap().len(), 32);
        assert!(envelope.get("fleet_id").is_none());
        let (_, other, _) = run_with(&["--scheme=v2"], DATA).await;
        let other: Value = serde_json::from_str(&other).unwrap();
        assert_eq!(other["fleet_id"], "default");
        assert_eq!(other["tick"], 1_795_214_286_000_u64);
        assert_ne!(other["nonce"], envelope["nonce"]);
    }

    #[tokio::test]
    async fn nothing_to_sign_is_bad_usage() {
        let (code, out, err) = run_with(&[], " \n").await;
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("no data"), "{err}");
    }

    #[tokio::test]
    async fn a_frame_matches_the_published_vector() {
        let flags = [
            "--framed",
            "--agent-id=0123456789abcdef0123456789abcdef",
            "--fleet-id=fleet-a",
            "--tick=1795214286123",
            "--timestamp=1795214286",
            "--nonce=AAECAwQFBgcICQoLDA0ODw",
        ];
        let (code, out, _) = run_with(&flags, DATA).await;
        let (head, data) = out.split_once('\n').unwrap();
        let head: Value = serde_json::from_str(head).unwrap();
        assert_eq!((code, &head["enc"], data), (0, &"identity".into(), DATA));
        assert_eq!(head["sig"], "194e418646da2e33ee881cc3a1a59f29658b3ae0aad74caf2ed41803de110440");
        let (code, out, err) = run_with(&["--framed", "--scheme=v1"], DATA).await;
        assert!(code == 2 && out.is_empty() && err.contains("version 1 has no frames"), "{err}");
        assert!(Cli::try_parse_from(["sign", "--enc=zstd"]).is_err(), "only with --framed");
    }
}
