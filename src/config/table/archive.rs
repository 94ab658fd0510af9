//! The settings of the archive from which the database can be made again, and of the copy before an
//! upgrade.

use super::{Setting, setting};

/// In the order of the documentation.
pub const ARCHIVE: &[Setting] = &[
    setting(
        "KATTILA_ARCHIVE_DIR",
        Some("archive-dir"),
        "DIR",
        None,
        "Directory to which everything committed is copied, so that kattila restore --to can go back to any second",
    ),
    setting(
        "KATTILA_ARCHIVE_AGE",
        Some("archive-age"),
        "SECONDS|off",
        Some("1209600"),
        "How far back one can go at least",
    ),
    setting(
        "KATTILA_ARCHIVE_BYTES",
        Some("archive-bytes"),
        "BYTES|off",
        Some("off"),
        "Most bytes of the archive; beyond it the oldest goes, but for the newest copy of the database and what follows it",
    ),
    setting(
        "KATTILA_UPGRADE_COPY",
        Some("upgrade-copy"),
        "on|off",
        Some("on"),
        "on copies the database beside itself before a newer version changes its schema",
    ),
];
