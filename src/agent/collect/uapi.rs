//! WireGuard in daemons, by their UAPI sockets.
//!
//! Every `NAME.sock` in the socket directories belongs to the interface NAME. The answer holds
//! the private key and all preshared keys: it is read piece by piece into one buffer that is
//! wiped, and [`parse`] lets nothing of them through.
//!
//! Source: wireguard.com/xplatform, "Cross-platform Userspace Implementation".

mod parse;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::{Zeroize as _, Zeroizing};

use super::device::Device;
use parse::{Broken, Reader};

/// How long a daemon may take. It answers for 59 peers in half a millisecond.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most octets of an answer: the most peers with the most allowed ips that a report may hold
/// need about 20 MB.
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Octets read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// The sockets there are, by interface; of two directories the first one counts (one is usually
/// a link to the other). Directories that are not there hold no sockets.
pub(super) fn sockets(
    directories: &[PathBuf],
    mut failed: impl FnMut(&Path, io::Error),
) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for directory in directories {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                failed(directory, error);
                continue;
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".sock")) else {
                continue;
            };
            if !name.is_empty() {
                found.entry(name.to_owned()).or_insert_with(|| entry.path());
            }
        }
    }
    found
}

/// Reads one interface from its daemon.
pub(super) async fn read(interface: &str, socket: &Path) -> io::Result<Device> {
    let mut device = match timeout(PATIENCE, talk(socket)).await {
        Ok(outcome) => outcome?,
        Err(_elapsed) => return Err(ErrorKind::TimedOut.into()),
    };
    interface.clone_into(&mut device.name);
    Ok(device)
}

async fn talk(socket: &Path) -> io::Result<Device> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"get=1\n\n").await?;
    let mut piece = Zeroizing::new(vec![0_u8; PIECE_BYTES]);
    let (mut reader, mut total) = (Reader::default(), 0);
    loop {
        let count = stream.read(&mut piece).await?;
        total += count;
        let done = reader.feed(piece.get(..count).unwrap_or_default()).map_err(broken)?;
        piece.as_mut_slice().zeroize();
        if done {
            return Ok(reader.finish());
        }
        if count == 0 {
            return Err(broken(Broken::Unfinished));
        }
        if total > ANSWER_BYTES {
            return Err(broken(Broken::TooLong));
        }
    }
}

fn broken(broken: Broken) -> io::Error {
    match broken {
        Broken::Refused(errno) => io::Error::from_raw_os_error(errno),
        Broken::TooLong | Broken::Unfinished => io::Error::new(ErrorKind::InvalidData, broken),
    }
}
