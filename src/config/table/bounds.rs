//! The settings of how many agents there may be, and of who is told how requests fare.

use super::{Setting, setting};

/// In the order of the documentation.
pub const BOUNDS: &[Setting] = &[
    setting(
        "KATTILA_RATE_NEW",
        Some("rate-new"),
        "RATE/BURST|off",
        Some("10/100000"),
        "New agents per second and burst that are registered from one address",
    ),
    setting(
        "KATTILA_AGENTS_MAX",
        Some("agents-max"),
        "COUNT|off",
        Some("200000"),
        "Agents that are registered at most",
    ),
    setting(
        "KATTILA_OTLP_ENDPOINT",
        Some("otlp-endpoint"),
        "URL",
        None,
        "Collector of OpenTelemetry (OTLP over HTTP) that spans of requests are sent to, such as http://127.0.0.1:4318",
    ),
];
