//! Routes as `ip -j route` prints them.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::de::{MapAccess, SeqAccess};

use crate::model::report::Route;

use super::net;
use super::notes::{At, Member, Notes, quote};
use super::scalar::{self, Drive, Key, Scalar, Sink};
use super::section::Row;
use crate::wire::limits::{NAME_BYTES, ROUTES};

impl Row for Route {
    const SECTION: &'static str = "routes";
    const WHAT: &'static str = "routes";
    const MOST: usize = ROUTES;
    const CUT: bool = true;

    fn read<'de, A: MapAccess<'de>>(
        mut object: A,
        at: At,
        notes: &mut Notes,
        into: &mut Vec<Self>,
    ) -> Result<bool, A::Error> {
        let (mut row, mut empty) = (Draft::default(), true);
        while let Some(Key(key)) = object.next_key()? {
            empty = false;
            match &*key {
                "nexthops" => object.next_value_seed(Drive(Hops {
                    notes,
                    path: at.dot("nexthops"),
                    into: &mut row.hops,
                }))?,
                "via" => {
                    let path = at.dot("via");
                    object.next_value_seed(Drive(Via { notes, path, into: &mut row.via }))?;
                }
                plain if is_plain(plain) => {
                    let value = scalar::value(&mut object, notes)?;
                    row.member(plain, value, at, notes);
                }
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        if !empty {
            row.finish(at, notes, into);
        }
        Ok(!empty)
    }
}

/// A route while it is read: what `default` means is known at its end only.
#[derive(Default)]
struct Draft<'de> {
    dst: Option<Cow<'de, str>>,
    gateway: Option<IpAddr>,
    via: Option<IpAddr>,
    dev: Option<String>,
    metric: Option<u32>,
    table: Option<String>,
    protocol: Option<String>,
    kind: Option<String>,
    hops: Vec<Hop>,
    /// Whether something tells that this is an IPv6 route, or that it is not.
    is_v6: Option<bool>,
}

/// One next hop of a multipath route.
#[derive(Default)]
struct Hop {
    gateway: Option<IpAddr>,
    via: Option<IpAddr>,
    dev: Option<String>,
}

/// Whether [`Draft::member`] knows what to do with a member.
fn is_plain(key: &str) -> bool {
    matches!(
        key,
        "dst"
            | "gateway"
            | "dev"
            | "metric"
            | "table"
            | "protocol"
            | "type"
            | "family"
            | "pref"
            | "prefsrc"
    )
}

impl<'de> Draft<'de> {
    /// Takes a plain value.
    fn member(&mut self, key: &str, value: Scalar<'de>, at: At, notes: &mut Notes) {
        match key {
            "dst" => match value {
                Scalar::Text(text) => self.dst = Some(text),
                other => notes.wrong(at.dot("dst"), "a prefix or default", &other),
            },
            "gateway" => self.gateway = address(at.dot("gateway"), notes, &value),
            "dev" => self.dev = notes.name(at.dot("dev"), NAME_BYTES, value),
            "metric" => {
                self.metric = notes.fitting(at.dot("metric"), "a number of 32 bits", &value);
            }
            "table" => self.table = table(value, at, notes),
            "protocol" => self.protocol = word(at.dot("protocol"), notes, value),
            "type" => self.kind = word(at.dot("type"), notes, value),
            "family" => match &value {
                Scalar::Text(family) if family == "inet6" => self.is_v6 = Some(true),
                Scalar::Text(family) if family == "inet" => self.is_v6 = Some(false),
                _ => {}
            },
            // iproute2 prints the router preference (RFC 4191) of every IPv6 route, and of no other.
            "pref" => self.is_v6 = self.is_v6.or(Some(true)),
            "prefsrc" => {
                if let Scalar::Text(text) = &value {
                    let source = net::address_of(text).map(|source| source.is_ipv6());
                    self.is_v6 = self.is_v6.or(source);
                }
            }
            _ => {}
        }
    }

    /// Turns the draft into one route per next hop.
    fn finish(mut self, at: At, notes: &mut Notes, into: &mut Vec<Route>) {
        let dst = match self.dst.as_deref() {
            Some("default") => Some(self.default_prefix()),
            Some(text) => match net::prefix(text) {
                Ok(prefix) => Some(prefix.trunc()),
                Err(problem) => {
                    notes.add(at.dot("dst"), format!("{} {problem}", quote(text)));
                    None
                }
            },
            None => {
                notes.add(at, "has no dst");
                None
            }
        };
        let Some(dst) = dst else { return };
        let mut hops = std::mem::take(&mut self.hops);
        if hops.is_empty() {
            hops.push(Hop { gateway: self.gateway, via: self.via, dev: self.dev.take() });
        }
        let mut route = Route {
            table: self.table.unwrap_or_else(|| "main".to_owned()),
            dst,
            metric: self.metric.unwrap_or_default(),
            gateway: None,
            dev: None,
            protocol: self.protocol,
            kind: self.kind.unwrap_or_else(|| "unicast".to_owned()),
        };
        let last = hops.pop();
        let through = |hop: Hop| {
            (hop.gateway.or(hop.via).filter(|gateway| !gateway.is_unspecified()), hop.dev)
        };
        for hop in hops {
            let (gateway, dev) = through(hop);
            into.push(Route { gateway, dev, ..route.clone() });
        }
        if let Some(hop) = last {
            (route.gateway, route.dev) = through(hop);
            into.push(route);
        }
    }

    /// What `default` means: 0.0.0.0/0 unless something tells that it is `::/0`. A next hop under
    /// `via` tells nothing: it is there because its family is not the route's.
    fn default_prefix(&self) -> IpNet {
        let gateway = self.gateway.or_else(|| self.hops.iter().find_map(|hop| hop.gateway));
        if self.is_v6.or(gateway.map(|gateway| gateway.is_ipv6())).unwrap_or(false) {
            IpNet::V6(Ipv6Net::default())
        } else {
            IpNet::V4(Ipv4Net::default())
        }
    }
}

fn address(path: Member, notes: &mut Notes, value: &Scalar<'_>) -> Option<IpAddr> {
    let address = match value {
        Scalar::Text(text) => net::address_of(text),
        _ => None,
    };
    if address.is_none() && !value.is_absent() {
        notes.wrong(path, "an address", value);
    }
    address
}

/// A name that iproute2 prints as a number where its tables (`/etc/iproute2/rt_*`) have no word.
fn word(path: Member, notes: &mut Notes, value: Scalar<'_>) -> Option<String> {
    match value {
        Scalar::Unsigned(number) => Some(number.to_string()),
        other => notes.name(path, NAME_BYTES, other),
    }
}

/// A routing table; the kernel's own three (`rtnetlink.h`, `RT_TABLE_*`) always by name.
fn table(value: Scalar<'_>, at: At, notes: &mut Notes) -> Option<String> {
    let table = word(at.dot("table"), notes, value)?;
    Some(match table.as_str() {
        "253" => "default".to_owned(),
        "254" => "main".to_owned(),
        "255" => "local".to_owned(),
        _ => table,
    })
}

/// Reads `nexthops`.
struct Hops<'a> {
    notes: &'a mut Notes,
    path: Member,
    into: &'a mut Vec<Hop>,
}

impl<'de> Sink<'de> for Hops<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        if !value.is_absent() {
            self.notes.wrong(self.path, "a list", &value);
        }
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let path = self.path.nth(index);
            let one = OneHop { notes: &mut *self.notes, path, into: &mut *self.into };
            if list.next_element_seed(Drive(one))?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }
}

struct OneHop<'a> {
    notes: &'a mut Notes,
    path: Member,
    into: &'a mut Vec<Hop>,
}

impl<'de> Sink<'de> for OneHop<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        self.notes.wrong(self.path, "an object", &value);
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { notes, path, into } = self;
        let mut hop = Hop::default();
        while let Some(Key(key)) = object.next_key()? {
            match &*key {
                "gateway" => {
                    let value = scalar::value(&mut object, notes)?;
                    hop.gateway = address(path, notes, &value);
                }
                "dev" => {
                    let value = scalar::value(&mut object, notes)?;
                    hop.dev = notes.name(path, NAME_BYTES, value);
                }
                "via" => object.next_value_seed(Drive(Via { notes, path, into: &mut hop.via }))?,
                other => scalar::skip(&mut object, other, notes)?,
            }
        }
        // More next hops than routes are taken of all cannot matter.
        if into.len() < ROUTES {
            into.push(hop);
        }
        Ok(())
    }
}

/// Reads `via`: a next hop of the other family, or of any in older versions.
struct Via<'a> {
    notes: &'a mut Notes,
    path: Member,
    into: &'a mut Option<IpAddr>,
}

impl<'de> Sink<'de> for Via<'_> {
    fn notes(&mut self) -> &mut Notes {
        self.notes
    }

    fn scalar(self, value: Scalar<'de>) {
        *self.into = address(self.path, self.notes, &value);
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = object.next_key()? {
            match &*key {
                "host" => {
                    let value = scalar::value(&mut object, self.notes)?;
                    *self.into = address(self.path, self.notes, &value);
                }
                other => scalar::skip(&mut object, other, self.notes)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::data::tests::{clean, paths, read};

    #[test]
    fn routes_in_every_shape() {
        let report = clean(&json!({"routes": [
            {"dst": "default", "gateway": "192.0.2.254", "dev": "eth0", "flags": []},
            {"dst": "default", "gateway": "fe80::1", "dev": "eth0", "metric": 1024},
            {"dst": "default", "dev": "wg0", "metric": 5},
            {"dst": "default", "dev": "wg0", "metric": 6, "pref": "medium"},
            {"dst": "default", "family": "inet6", "dev": "wg1"},
            {"dst": "default", "via": {"family": "inet6", "host": "fe80::2"}, "dev": "eth1"},
            {"dst": "10.0.0.5", "dev": "wg0", "table": 254, "protocol": 42, "type": "unicast"},
            {"dst": "10.9.8.7/8", "dev": "wg0", "table": 51820},
            {"dst": "default", "metric": 7, "nexthops": [
                {"gateway": "fe80::3", "dev": "a", "weight": 1, "flags": []},
                {"gateway": "fe80::4", "dev": "b", "weight": 1, "flags": []}]},
            {"dst": "10.8.0.0/16", "type": "blackhole", "table": "local"},
            {"dst": "default", "gateway": "192.0.2.254", "dev": "eth0", "flags": ["linkdown"]},
        ]}));
        let lines: Vec<String> = report
            .routes
            .unwrap()
            .iter()
            .map(|route| {
                let gateway = route.gateway.map(|g| g.to_string()).unwrap_or_default();
                let dev = route.dev.as_deref().unwrap_or_default();
                let protocol = route.protocol.as_deref().unwrap_or_default();
                [
                    &route.table,
                    &route.dst.to_string(),
                    &route.metric.to_string(),
                    &gateway,
                    dev,
                    protocol,
                    &route.kind,
                ]
                .join(" ")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "51820 10.0.0.0/8 0  wg0  unicast",
                "local 10.8.0.0/16 0    blackhole",
                "main 0.0.0.0/0 0 192.0.2.254 eth0  unicast",
                "main 0.0.0.0/0 0 fe80::2 eth1  unicast",
                "main 0.0.0.0/0 5  wg0  unicast",
                "main 10.0.0.5/32 0  wg0 42 unicast",
                "main ::/0 0  wg1  unicast",
                "main ::/0 6  wg0  unicast",
                "main ::/0 7 fe80::3 a  unicast",
                "main ::/0 7 fe80::4 b  unicast",
                "main ::/0 1024 fe80::1 eth0  unicast",
            ]
        );
    }

    #[test]
    fn odd_routes() {
        let report = read(&json!({"routes": [
            {"dst": "10.0.0.0/33"}, {"dev": "eth0"}, {"dst": 5}, {"dst": "10.0.0.0/8", "gateway": "x",
            "metric": "low", "nexthops": {}}, "default", {},
        ]}));
        assert_eq!(report.routes.as_deref().map(<[_]>::len), Some(1));
        assert_eq!(
            paths(&report),
            [
                "routes[0].dst",
                "routes[1]",
                "routes[2]",
                "routes[2].dst",
                "routes[3].gateway",
                "routes[3].metric",
                "routes[3].nexthops",
                "routes[4]",
            ]
        );
        // A list of rubbish is not a list without routes.
        assert_eq!(read(&json!({"routes": [5, "x"]})).routes, None);
        assert_eq!(clean(&json!({"routes": []})).routes, Some(vec![]));
    }

    #[test]
    fn gateways_without_an_address_are_none() {
        let report = clean(&json!({"routes": [
            {"dst": "10.0.0.0/8", "gateway": "0.0.0.0"}, {"dst": "11.0.0.0/8", "gateway": ""},
            {"dst": "12.0.0.0/8", "gateway": "fe80::1%eth0"}]}));
        let gateways: Vec<Option<IpAddr>> =
            report.routes.unwrap().iter().map(|route| route.gateway).collect();
        assert_eq!(gateways, [None, None, Some("fe80::1".parse().unwrap())]);
    }
}
