//! Every bound on what an agent may send, in one place.
//!
//! They come from the protocol's section on limits; a bound that has a deeper reason says it.

/// Largest request body, in bytes: three relay wraps of the largest `data` in base64
/// (about 2.4 times) and their heads fit.
pub const BODY_BYTES: usize = 1024 * 1024;

/// Largest `data`, in bytes as received or, for `data_b64`, as decoded. A host with 40 peers
/// and 50 routes sends about 20 KB.
pub const DATA_BYTES: usize = 256 * 1024;

/// Longest head of a framed report, in bytes, its line feed not counted. With every member as long
/// as it may be it takes about 600.
pub const FRAME_HEAD_BYTES: usize = 2048;

/// Deepest nesting of a body; the envelope's own object is level 1.
pub const BODY_DEPTH: usize = 32;

/// Deepest nesting of `data`; the value of `data` is level 1. `ip -j -d` needs 5.
pub const DATA_DEPTH: usize = 16;

/// Most members of one object, maps (`labels`) excepted. A bridge as `ip -j -d link` prints it
/// has about 50.
pub const OBJECT_MEMBERS: usize = 64;

/// Longest string outside `data`, and longest member name anywhere, in bytes as written.
///
/// Strings inside `data` are bounded by [`DATA_BYTES`]; the typed parse cuts those over this
/// length and lists them as problems, except texts that are long by nature (`wg_dump`).
pub const STRING_BYTES: usize = 1024;

/// Longest name of an interface inside `data`, in bytes. Linux allows 15 (`IFNAMSIZ`), others
/// have long ones.
pub const NAME_BYTES: usize = 128;

/// Labels kept from one report.
pub const LABELS: usize = 64;

/// Most interfaces of one report. Hosts with a thousand containers exist; those with more should
/// report the interfaces that matter.
pub const INTERFACES: usize = 1024;

/// Most addresses of one interface.
pub const ADDRESSES: usize = 256;

/// Most routes of one report; more are cut and `routes_truncated` is set, because a router with
/// a full table is a healthy host.
pub const ROUTES: usize = 4096;

/// Most WireGuard peers of one report.
pub const PEERS: usize = 2048;

/// Most allowed ips of one peer.
pub const ALLOWED_IPS: usize = 256;

/// Most problems that an agent may tell: with all it may say of each (1 KiB), they leave as many
/// places for what the manager does not understand.
pub const TOLD_PROBLEMS: usize = 32;

/// Most relays between an agent and the manager.
pub const RELAYS: usize = 3;

/// Longest nonce of version 1, in characters.
pub const NONCE_V1_CHARS: usize = 128;

/// Shortest nonce of version 2: 128 random bits in base64url.
pub const NONCE_V2_MIN_CHARS: usize = 22;

/// Longest nonce of version 2.
pub const NONCE_V2_MAX_CHARS: usize = 64;

/// Largest integer that every JSON reader keeps exact: 2^53 - 1 (RFC 8259, section 6). Bounds
/// ticks and timestamps.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// Seconds a timestamp may differ from the manager's clock unless the settings say otherwise.
pub const MAX_SKEW_SECONDS: i64 = 600;

/// Nonces remembered per agent, at least. A report each 30 s with a clock 600 s ahead keeps 40
/// alive.
pub const NONCE_WINDOW: usize = 120;

/// Ticks below the highest one that may still arrive late.
pub const TICK_WINDOW: i64 = 128;

/// Largest header block of a request, in bytes.
pub const HEADER_BYTES: usize = 16 * 1024;

/// Most headers of a request.
pub const HEADERS: usize = 64;

/// Seconds a client has to send its headers.
pub const HEADER_SECONDS: u64 = 5;

/// Seconds a client has to send its body.
pub const BODY_SECONDS: u64 = 10;

/// Seconds an idle connection stays open.
pub const KEEP_ALIVE_SECONDS: u64 = 75;

/// Seconds a request may take once it is read.
pub const HANDLER_SECONDS: u64 = 15;
