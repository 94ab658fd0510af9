//! The settings of the agent that the manager does not have.

use super::{Setting, setting};

/// The settings that only the agent has, in the order of the documentation.
pub const AGENT: &[Setting] = &[
    setting(
        "KATTILA_MANAGER",
        Some("manager"),
        "URL",
        None,
        "The manager to report to, such as https://kattila.example.org",
    ),
    setting(
        "KATTILA_FLEET_ID",
        Some("fleet-id"),
        "ID",
        Some("default"),
        "Fleet of this host: agents that share keys and one address space",
    ),
    setting(
        "KATTILA_LABELS",
        Some("labels"),
        "NAME=VALUE[,...]",
        None,
        "Labels of this host; site and role (gateway, relay, ...) shape the map",
    ),
    setting(
        "KATTILA_AGENT_DIR",
        Some("agent-dir"),
        "DIR",
        Some("/var/lib/kattila-agent"),
        "Where the agent keeps its identity and its spool; under systemd its state directory",
    ),
    setting(
        "KATTILA_CA",
        Some("ca"),
        "FILE",
        None,
        "Authorities (PEM) that may sign the manager's certificate, instead of the system's",
    ),
    setting(
        "KATTILA_CLIENT_CERT",
        Some("client-cert"),
        "FILE",
        None,
        "Certificate chain (PEM) to show to a manager that asks for one",
    ),
    setting(
        "KATTILA_CLIENT_KEY",
        Some("client-key"),
        "FILE",
        None,
        "Private key of that certificate (PEM)",
    ),
    setting(
        "KATTILA_PROXY",
        Some("proxy"),
        "URL|off",
        None,
        "HTTP proxy to go through; without it HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY hold",
    ),
    setting(
        "KATTILA_SPOOL_BYTES",
        Some("spool-bytes"),
        "BYTES",
        Some("67108864"),
        "Most bytes of reports kept on disk while the manager is away",
    ),
    setting(
        "KATTILA_SPOOL_AGE",
        Some("spool-age"),
        "SECONDS",
        Some("604800"),
        "How old a report kept on disk may become",
    ),
    setting(
        "KATTILA_RELAY",
        Some("relay"),
        "wireguard|off|IP:PORT[,...]",
        Some("wireguard"),
        "Where the agent passes reports of neighbours on: at its WireGuard addresses, nowhere, or there",
    ),
    setting(
        "KATTILA_AGENT_SHAPE",
        Some("agent-shape"),
        "auto|json|framed",
        Some("auto"),
        "How reports are sent: what costs the manager least, as JSON, or compressed for thin links",
    ),
    setting(
        "KATTILA_AGENT_TOKEN",
        None,
        "TOKEN",
        None,
        "Bearer token for POST /status/reset at the agent's own door; without it nobody may reset",
    ),
];
