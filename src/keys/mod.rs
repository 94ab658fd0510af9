//! The key ring and where keys come from: DNS, a file, or the environment.
//!
//! [`record`] reads one key, [`policy`] decides what a set of found keys does to the [`ring`],
//! [`dns`] and [`source`] fetch, and [`keeper`] ties them together for the rest of the manager.
//! The ring in force is never emptied by a failure to fetch. Nothing here stores keys, logs
//! them, or shows more of one than its key id. hickory stays in here.

pub mod dns;
pub mod health;
pub mod keeper;
pub mod policy;
pub mod record;
pub mod ring;
pub mod source;

use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Asks the kernel to write no core dump of this process and to let no other process of the
/// same user look into its memory (`PR_SET_DUMPABLE` 0, see `prctl(2)`): both would show keys.
pub fn forbid_memory_dumps() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_no_longer_dumpable() {
        forbid_memory_dumps().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
