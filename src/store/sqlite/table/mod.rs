//! One file per table: its list of columns, how a row is read, and every statement on it but
//! those of retention, which are in `prune`.

pub(super) mod agents;
pub(super) mod alarms;
mod asked;
pub(super) mod audit;
pub(super) mod carriers;
pub(super) mod channels;
pub(super) mod dictionaries;
pub(super) mod earlier;
pub(super) mod edges;
pub(super) mod events;
pub(super) mod flaps;
pub(super) mod frame_dictionaries;
pub(super) mod identities;
pub(super) mod interfaces;
pub(super) mod keys;
pub(super) mod late;
pub(super) mod layout;
pub(super) mod layout_steps;
pub(super) mod meta;
pub(super) mod metrics;
pub(super) mod networks;
pub(super) mod notifications;
pub(super) mod past;
pub(super) mod peers;
pub(super) mod reports;
pub(super) mod routes;
pub(super) mod sessions;
pub(super) mod shares;
pub(super) mod tellings;
pub(super) mod users;
pub(super) mod windows;
