//! One file per subcommand.

pub mod psk;
pub mod sign;
pub mod simulate;
