//! What travels: shapes, limits, signed bytes, codes.
//!
//! [`scan`] reads a body once and bounds everything about it; [`envelope`] takes the head of a
//! report apart; [`frame`] is the shape whose data may be compressed; [`canon`] and [`signing`] say which bytes a signature covers; [`codes`] and
//! [`answer`] are what the manager says back. Nothing here knows a key, a clock or a socket.

pub mod answer;
pub mod canon;
pub mod codes;
pub mod data;
pub mod envelope;
pub mod field;
pub mod frame;
pub mod limits;
pub mod redact;
pub mod register;
pub mod relay;
pub mod scan;
pub mod scrub;
pub mod signing;
pub mod text;
pub mod time;
pub mod v1;
pub mod v2;
