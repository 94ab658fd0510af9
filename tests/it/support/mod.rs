//! What the tests stand on: a manager, its users, a DNS server, a small fleet.

pub(crate) mod actors;
pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod dice;
pub(crate) mod dns;
pub(crate) mod engine;
pub(crate) mod fleet;
pub(crate) mod host;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod made_up;
pub(crate) mod manager;
pub(crate) mod netns;
pub(crate) mod network;
pub(crate) mod own;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod rows;
pub(crate) mod script;
pub(crate) mod scripted;
pub(crate) mod seal;
pub(crate) mod stored;
pub(crate) mod stream;
