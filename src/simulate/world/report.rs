//! Writes the `data` of one report from the state of the world.

use crate::simulate::rng::mix;

use super::identity::{self, OUTSIDE, WIREGUARD_PORT};
use super::json::Json;
use super::state::{End, Host, Link};
use super::{Mix, World};

/// Other sites' networks that a host of a load reaches at most, so that a report stays about as
/// large as the reference report.
const SITE_ROUTES: usize = 4;

/// What the parts of a report need to know.
struct Speaker<'a> {
    world: &'a World,
    host: &'a Host,
    number: usize,
    /// The number again, as the seed of everything derived.
    id: u64,
    now: i64,
}

/// The report of host `number`, whose links are settled at `now`.
pub(super) fn write(world: &World, number: usize, now: i64) -> Option<Vec<u8>> {
    let host = world.hosts.get(number)?;
    let speaker = Speaker { world, host, number, id: number as u64, now };
    let mut json = Json::with_capacity(6 * 1024);
    speaker.head(&mut json)?;
    json.raw(",\"interfaces\":[");
    speaker.interfaces(&mut json);
    json.end_list().raw(",\"routes\":[");
    speaker.routes(&mut json);
    json.end_list().raw(",\"wg_peers\":[");
    for link in host.links.iter().filter_map(|link| world.links.get(*link)) {
        speaker.peer(&mut json, link);
    }
    json.end_list().raw("}");
    Some(json.into_bytes())
}

impl Speaker<'_> {
    fn head(&self, json: &mut Json) -> Option<()> {
        let (world, host) = (self.world, self.host);
        let version = if self.id % 9 == 4 { "1.3.9" } else { "1.4.2" };
        json.raw("{\"hostname\":\"").raw(&host.name);
        json.raw("\",\"fleet_id\":\"").raw(world.fleets.get(host.fleet)?);
        json.raw("\",\"agent_version\":\"").raw(version);
        json.raw("\",\"uptime_seconds\":").seconds(self.now - host.booted_at);
        json.raw(",\"boot_id\":\"").raw(&identity::boot_id(world.seed, self.id, host.boots));
        json.raw("\",\"load\":[");
        for minutes in [1_u64, 5, 15] {
            let period = self.now.unsigned_abs() / (20 * minutes);
            let hundredths = mix(self.id ^ minutes, period) % (160 / minutes);
            json.number(hundredths / 100).raw(".");
            json.number(hundredths / 10 % 10).number(hundredths % 10).raw(",");
        }
        json.end_list().raw(",\"collected_at\":").seconds(self.now + host.clock_offset);
        json.raw(",\"labels\":{\"site\":\"").raw(&world.sites.get(host.site)?.name);
        json.raw("\",\"role\":\"").raw(if host.gateway { "gateway" } else { "host" });
        json.raw("\"}");
        Some(())
    }

    fn interfaces(&self, json: &mut Json) {
        let id = self.id;
        let [a, b, c] = identity::lan(id);
        let load = self.world.mix.is_measured();
        self.wired(json, "lo", 65_536, "00:00:00:00:00:00", |json| {
            json.raw("\"127.0.0.1/8\",\"::1/128\"");
        });
        self.wired(json, "eth0", 1500, &identity::mac(id, 0), |json| {
            json.raw("\"").show(identity::underlay_v4(id)).raw("/24\",\"");
            json.show(identity::underlay_v6(id)).raw("/64\"");
        });
        self.wired(json, "mgmt0", 1500, &identity::mac(id, 1), |json| {
            json.raw("\"").show(identity::management(id)).raw("/16\"");
        });
        self.wired(json, "lan0", 1500, &identity::mac(id, 2), |json| {
            json.show(format_args!("\"{a}.{b}.{c}.1/24\""));
        });
        if load {
            self.wired(json, "lan1", 1500, &identity::mac(id, 3), |_| {});
            self.wired(json, "br0", 1500, &identity::mac(id, 4), |json| {
                json.raw("\"192.168.77.1/24\"");
            });
        }
        for iface in 0..if load { 2 } else { 1 } {
            self.wireguard(json, iface);
        }
    }

    fn wired(&self, json: &mut Json, name: &str, mtu: u64, mac: &str, on: impl Fn(&mut Json)) {
        let cut = self.host.cable_cut_at.filter(|_| name == "eth0");
        let (state, flags) = match (name, cut) {
            (_, Some(_)) => ("down", r#""BROADCAST","MULTICAST","NO-CARRIER","UP""#),
            ("lo", None) => ("unknown", r#""LOOPBACK","LOWER_UP","UP""#),
            (_, None) => ("up", r#""BROADCAST","LOWER_UP","MULTICAST","UP""#),
        };
        // What an interface without carrier has counted stands still.
        let seconds = self.now.min(cut.unwrap_or(self.now)) - self.host.booted_at;
        let seconds = u64::try_from(seconds).unwrap_or(0);
        let pace = mix(self.id, name.bytes().map(u64::from).sum()) % 30_000;
        let own = if name == "mgmt0" { self.host.reported_bytes } else { 0 };
        json.raw("{\"name\":\"").raw(name).raw("\",\"mac\":\"").raw(mac);
        json.raw("\",\"mtu\":").number(mtu).raw(",\"state\":\"").raw(state);
        json.raw("\",\"flags\":[").raw(flags).raw("],\"addresses\":[");
        on(json);
        json.raw("],");
        self.counters(json, (200 + pace) * seconds + own / 16, (150 + pace / 2) * seconds + own);
        json.raw("},");
    }

    fn wireguard(&self, json: &mut Json, iface: usize) {
        let mine = |link: &&Link| link.iface == iface;
        let ends = self.host.links.iter().filter_map(|link| self.world.links.get(*link));
        let (rx, tx) = ends
            .filter(mine)
            .filter_map(|link| link.seen_from(self.number))
            .fold((0, 0), |(rx, tx), (end, _)| (rx + end.rx_bytes, tx + end.tx_bytes));
        json.raw("{\"name\":\"wg").number(iface as u64);
        json.raw("\",\"mtu\":1420,\"state\":\"unknown\",");
        json.raw(r#""flags":["LOWER_UP","NOARP","POINTOPOINT","UP"],"addresses":[""#);
        json.show(identity::overlay_v4(self.id, iface)).raw("/16\",\"");
        json.show(identity::overlay_v6(self.id, iface)).raw("/64\"],\"public_key\":\"");
        json.bytes(self.host.keys.get(iface).map_or(&[], |key| key.as_slice()));
        json.raw("\",\"listen_port\":").number(WIREGUARD_PORT + iface as u64).raw(",");
        self.counters(json, rx, tx);
        json.raw("},");
    }

    fn routes(&self, json: &mut Json) {
        let id = self.id;
        let linkdown = if self.host.cable_cut_at.is_some() { "\"linkdown\"" } else { "" };
        let [u0, u1, u2, _] = identity::underlay_v4(id).octets();
        let [l0, l1, l2] = identity::lan(id);
        json.show(format_args!(
            "{{\"dst\":\"default\",\"gateway\":\"{u0}.{u1}.{u2}.254\",\"dev\":\"eth0\",\
             \"protocol\":\"static\",\"flags\":[{linkdown}]}},\
             {{\"dst\":\"default\",\"gateway\":\"2001:db8:77::fffe:1\",\"dev\":\"eth0\",\
             \"metric\":1024,\"flags\":[{linkdown}]}},\
             {{\"dst\":\"{u0}.{u1}.{u2}.0/24\",\"dev\":\"eth0\",\"protocol\":\"kernel\",\
             \"scope\":\"link\",\"flags\":[{linkdown}]}},\
             {{\"dst\":\"{l0}.{l1}.{l2}.0/24\",\"dev\":\"lan0\",\"protocol\":\"kernel\",\
             \"scope\":\"link\"}},"
        ));
        json.raw(r#"{"dst":"172.16.0.0/12","dev":"mgmt0","protocol":"kernel","scope":"link"},"#);
        json.raw(r#"{"dst":"10.0.0.0/10","dev":"wg0","protocol":"kernel","scope":"link"},"#);
        json.raw(r#"{"dst":"fd77:1::/64","dev":"wg0","protocol":"kernel"},"#);
        if self.world.mix.is_measured() {
            json.raw(r#"{"dst":"10.64.0.0/10","dev":"wg1","protocol":"kernel","scope":"link"},"#);
            json.raw(r#"{"dst":"fd77:2::/64","dev":"wg1","protocol":"kernel"},"#);
        }
        for (link, other) in self.routed() {
            let ([a, b, c], iface) = (identity::lan(other), link.iface);
            json.show(format_args!(
                "{{\"dst\":\"{a}.{b}.{c}.0/24\",\"dev\":\"wg{iface}\",\"scope\":\"link\",\
                 \"metric\":50}},"
            ));
        }
        if self.host.extra_route {
            json.raw(r#"{"dst":"198.18.77.0/24","dev":"lan0","protocol":"babel","metric":1024},"#);
        }
    }

    /// The links that lead to another site's network, each with the host there.
    fn routed(&self) -> impl Iterator<Item = (&Link, u64)> {
        let links = self.host.links.iter().filter_map(|link| self.world.links.get(*link));
        let others = links.filter_map(|link| {
            let (end, other) = link.seen_from(self.number)?;
            other.filter(|_| end.lists).map(|other| (link, other.host as u64))
        });
        others.take(if self.world.mix.is_measured() { SITE_ROUTES } else { usize::MAX })
    }

    fn peer(&self, json: &mut Json, link: &Link) {
        let Some((end, across)) = link.seen_from(self.number) else { return };
        if !end.lists {
            return;
        }
        json.raw("{\"interface\":\"wg").number(link.iface as u64).raw("\",\"public_key\":\"");
        match across {
            Some(other) => self.known_host(json, link, end, other),
            None => self.device(json, link),
        }
        let (shaken, psk) = (link.handshake_at, link.a.host.is_multiple_of(3));
        let shaken = if shaken == 0 { 0 } else { shaken + self.host.clock_offset };
        json.raw("],\"latest_handshake\":").seconds(shaken);
        json.raw(",\"rx_bytes\":").number(end.rx_bytes);
        json.raw(",\"tx_bytes\":").number(end.tx_bytes);
        json.raw(",\"persistent_keepalive\":");
        match link.keepalive() {
            0 => json.raw("\"off\""),
            seconds => json.number(seconds),
        };
        json.raw(",\"has_psk\":").raw(if psk { "true}," } else { "false}," });
    }

    /// Key, endpoint and allowed addresses of a peer that is a host of this world.
    fn known_host(&self, json: &mut Json, link: &Link, end: &End, other: &End) {
        let id = other.host as u64;
        let owner = self.world.hosts.get(other.host);
        let current = owner.and_then(|host| {
            (host.key_changes.get(link.iface) == Some(&end.knows))
                .then(|| host.keys.get(link.iface))
                .flatten()
        });
        match current {
            Some(key) => json.bytes(key),
            None => json.bytes(&identity::key(self.world.seed, id, link.iface, end.knows)),
        };
        json.raw("\",\"endpoint\":\"");
        let port = WIREGUARD_PORT + link.iface as u64;
        if id % 5 == 3 {
            json.raw("[").show(identity::underlay_v6(id)).raw("]:").number(port);
        } else {
            json.show(identity::underlay_v4(id)).raw(":").number(port);
        }
        let [a, b, c] = identity::lan(id);
        json.raw("\",\"allowed_ips\":[\"").show(identity::overlay_v4(id, link.iface));
        if self.world.mix == Mix::Demo {
            json.raw("/32\",\"").show(identity::overlay_v6(id, link.iface));
            json.raw("/128\"");
        } else {
            json.raw("/32\"");
        }
        // Nobody may use what no route leads to.
        if self.routed().any(|(routed, _)| std::ptr::eq(routed, link)) {
            json.show(format_args!(",\"{a}.{b}.{c}.0/24\""));
        }
    }

    /// The same for a device that has no agent, such as a phone.
    fn device(&self, json: &mut Json, link: &Link) {
        let number = OUTSIDE + self.device_number(link);
        json.bytes(&identity::key(self.world.seed, number, link.iface, 0));
        let last = number % 200 + 2;
        if link.handshake_at == 0 {
            json.raw("\",\"endpoint\":\"(none)\",\"allowed_ips\":[");
        } else {
            json.show(format_args!(
                "\",\"endpoint\":\"203.0.113.{last}:{}\",\"allowed_ips\":[",
                20_000 + number % 30_000
            ));
        }
        json.show(format_args!("\"10.63.{}.{last}/32\"", self.id % 250));
    }

    /// Which device of the host: its links are numbered in the order they were drawn.
    fn device_number(&self, link: &Link) -> u64 {
        let place = self.host.links.iter().position(|number| {
            self.world.links.get(*number).is_some_and(|other| std::ptr::eq(other, link))
        });
        self.id * 1024 + place.unwrap_or(0) as u64
    }

    /// Load reports leave out what stays zero, to be as large as the reference report.
    fn counters(&self, json: &mut Json, rx: u64, tx: u64) {
        json.raw("\"rx_bytes\":").number(rx).raw(",\"tx_bytes\":").number(tx);
        if self.world.mix == Mix::Demo {
            json.raw(",\"rx_errors\":0,\"tx_errors\":0,\"rx_dropped\":").number(rx >> 33);
            json.raw(",\"tx_dropped\":0");
        }
    }
}
