//! Brings what was read into its final form: the dump merged in, everything sorted, once each.

use std::collections::BTreeMap;

use crate::model::key::WgKey;
use crate::model::report::{Interface, Peer, ReportData};

use super::DataInvalid;
use super::dump::{Device, Dump};
use super::interface;
use super::notes::Notes;
use super::top::Draft;
use crate::wire::limits::{INTERFACES, PEERS};

/// The name of a WireGuard interface that nothing names.
const USUAL_NAME: &str = "wg0";

/// Finishes the reading.
pub(super) fn finish(draft: Draft, mut notes: Notes) -> Result<ReportData, DataInvalid> {
    let Draft { plain: mut data, mut interfaces, routes, mut peers, dump } = draft;
    if let Some(rows) = &mut interfaces {
        sort_interfaces(rows, &mut notes);
    }
    if let Some(dump) = dump.filter(|dump| dump.understood) {
        merge(dump, &mut interfaces, &mut peers, &mut notes);
    }
    if let Some(rows) = &mut peers {
        name_interfaces(rows, interfaces.as_deref(), &mut notes);
        sort_peers(rows, &mut notes);
    }
    for (what, limit, count) in [
        ("interfaces", INTERFACES, interfaces.as_ref().map_or(0, Vec::len)),
        ("WireGuard peers", PEERS, peers.as_ref().map_or(0, Vec::len)),
    ] {
        if count > limit {
            return Err(DataInvalid::TooMany { what, limit });
        }
    }
    data.interfaces = interfaces;
    data.routes = routes.map(|mut rows| {
        rows.sort();
        rows.dedup();
        rows
    });
    data.peers = peers;
    data.routes_truncated |= notes.routes_cut;
    data.had_secrets = notes.had_secrets;
    data.problems = notes.into_problems();
    Ok(data)
}

/// Sorts interfaces with what they hold; of two with one name the first stays.
fn sort_interfaces(rows: &mut Vec<Interface>, notes: &mut Notes) {
    for row in rows.iter_mut() {
        row.flags.sort();
        row.flags.dedup();
        row.addresses.sort();
        row.addresses.dedup();
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows.dedup_by(|later, first| {
        let again = later.name == first.name;
        if again {
            notes.add(
                format_args!("interfaces[{}]", first.name),
                "is listed more than once; the first one counts",
            );
        }
        again
    });
}

/// Adds what the dump says.
fn merge(
    dump: Dump,
    interfaces: &mut Option<Vec<Interface>>,
    peers: &mut Option<Vec<Peer>>,
    notes: &mut Notes,
) {
    let Dump { interfaces: devices, peers: mut entries, .. } = dump;
    for mut device in devices {
        if device.name.is_empty() {
            device.name = only_name(interfaces.as_deref(), device.public_key, notes);
            for entry in entries.iter_mut().filter(|entry| entry.interface.is_empty()) {
                entry.interface.clone_from(&device.name);
            }
        }
        let rows = interfaces.get_or_insert_default();
        match rows.binary_search_by(|row| row.name.as_str().cmp(&device.name)) {
            Ok(at) => {
                if let Some(row) = rows.get_mut(at) {
                    tell(row, &device, notes);
                }
            }
            Err(at) => {
                let Device { name, public_key, listen_port } = device;
                rows.insert(at, Interface { public_key, listen_port, ..interface::named(name) });
            }
        }
    }
    peers.get_or_insert_default().extend(entries);
}

/// Takes over a device's key and port; WireGuard itself knows them best.
fn tell(row: &mut Interface, device: &Device, notes: &mut Notes) {
    if row.public_key.is_some()
        && device.public_key.is_some()
        && row.public_key != device.public_key
    {
        notes.add(
            format_args!("interfaces[{}].public_key", row.name),
            "differs from the one in wg_dump, which counts",
        );
    }
    row.public_key = device.public_key.or(row.public_key);
    row.listen_port = device.listen_port.or(row.listen_port);
}

/// The WireGuard interface of a host that names none: the one with this key, else the only one
/// with any key, else the only one with a usual name, else the usual name.
fn only_name(interfaces: Option<&[Interface]>, key: Option<WgKey>, notes: &mut Notes) -> String {
    let rows = interfaces.unwrap_or_default();
    if let Some(row) = rows.iter().find(|row| key.is_some() && row.public_key == key) {
        return row.name.clone();
    }
    let only = |is_likely: fn(&Interface) -> bool| {
        let mut likely = rows.iter().filter(|row| is_likely(row));
        likely.next().filter(|_| likely.next().is_none())
    };
    match only(|row| row.public_key.is_some()).or_else(|| only(|row| row.name.starts_with("wg"))) {
        Some(row) => row.name.clone(),
        None => {
            let detail = format!("do not name their interface; taken for {USUAL_NAME}");
            notes.add("wg_peers", detail);
            USUAL_NAME.to_owned()
        }
    }
}

/// Gives peers without an interface the host's only one.
fn name_interfaces(rows: &mut [Peer], interfaces: Option<&[Interface]>, notes: &mut Notes) {
    let mut nameless = rows.iter_mut().filter(|row| row.interface.is_empty()).peekable();
    if nameless.peek().is_some() {
        let name = only_name(interfaces, None, notes);
        nameless.for_each(|row| row.interface.clone_from(&name));
    }
}

/// Sorts peers with what they hold. Of two entries for one peer the one that saw more stays,
/// whatever their order.
fn sort_peers(rows: &mut Vec<Peer>, notes: &mut Notes) {
    for row in rows.iter_mut() {
        row.allowed_ips.sort();
        row.allowed_ips.dedup();
    }
    rows.sort_by(|a, b| {
        (&a.interface, &a.public_key).cmp(&(&b.interface, &b.public_key)).then_with(|| {
            let weight = |row: &Peer| {
                (row.latest_handshake, row.rx_bytes, row.tx_bytes, row.persistent_keepalive)
            };
            weight(b)
                .cmp(&weight(a))
                .then_with(|| b.endpoint.cmp(&a.endpoint))
                .then_with(|| b.allowed_ips.cmp(&a.allowed_ips))
                .then_with(|| b.has_psk.cmp(&a.has_psk))
        })
    });
    let mut again: BTreeMap<String, String> = BTreeMap::new();
    rows.dedup_by(|later, first| {
        let same = (&later.interface, &later.public_key) == (&first.interface, &first.public_key);
        if same {
            again.insert(first.public_key.short(), first.interface.clone());
        }
        same
    });
    for (key, interface) in again {
        notes.add(
            format_args!("wg_peers[{key}]"),
            format!(
                "is listed more than once on {interface}; the one with the latest handshake counts"
            ),
        );
    }
}
