//! What happens next in a history.

use kattila::simulate::rng::Rng;

/// One thing that happens.
pub(super) enum Act {
    /// A verb of the scenarios.
    World(String),
    /// A host falls silent, or is heard again.
    Silent(&'static str),
    Back(&'static str),
    /// It keeps its reports; those of one that does come late.
    Hold(&'static str),
    Pour(u64),
    /// Somebody does something about one of the open alarms: the one at this place.
    Acknowledge(u64),
    Clear(u64),
    Shelve(u64, i64),
    Unshelve(u64),
    /// A host is in maintenance for so many seconds.
    Maintain(&'static str, i64),
    Reset(&'static str),
    Restart,
}

pub(super) const HOSTS: [&str; 5] = ["ax", "bx", "cx", "dx", "ex"];
pub(super) const LINKS: [&str; 6] = ["ax-bx", "bx-cx", "cx-dx", "dx-ex", "ax-ex", "ax-cx"];

fn pick<T: Copy>(dice: &mut Rng, of: &[T]) -> T {
    of[usize::try_from(dice.below(of.len() as u64)).unwrap()]
}

/// What happens before the next round; often nothing.
pub(super) fn next(dice: &mut Rng) -> Option<Act> {
    let (host, link) = (pick(dice, &HOSTS), pick(dice, &LINKS));
    let (n, chance) = (dice.word(), dice.below(48));
    let world = |text: String| Some(Act::World(text));
    match chance {
        0 | 1 => world(format!("fail {host}/eth0")),
        2 => world(format!("heal {host}/eth0")),
        3 => world(format!("unplug {host}/eth0")),
        4 => world(format!("plug {host}/eth0")),
        5 | 6 => world(format!("cut {link}")),
        7 | 8 => world(format!("mend {link}")),
        9 => world(format!("forget {link}")),
        10 => world(format!("list {link}")),
        11 => world(format!("reboot {host}")),
        12 => world(format!("lose {host} 3")),
        13 => world(format!("disk {} 100", pick(dice, &[1, 4, 8, 12, 60]))),
        14 => world(format!("certificate {}", pick(dice, &[1, 2, 9, 13, 60]))),
        15 => world(format!("mtu {host} {}", pick(dice, &[1420, 1380, 1300]))),
        16 => world(format!("nodefault {host}")),
        17 => world(format!("default {host}")),
        18 | 19 => Some(Act::Silent(host)),
        20 | 21 => Some(Act::Back(host)),
        22 => Some(Act::Hold(host)),
        23..=25 => Some(Act::Pour(n)),
        26 | 27 => Some(Act::Acknowledge(n)),
        28 => Some(Act::Clear(n)),
        29 | 30 => Some(Act::Shelve(n, pick(dice, &[300, 900]))),
        31 => Some(Act::Unshelve(n)),
        32 => Some(Act::Maintain(host, pick(dice, &[300, 600]))),
        33 => Some(Act::Reset(host)),
        34 | 35 => Some(Act::Restart),
        _ => None,
    }
}

/// What comes and goes for a while: an interface that fails at each second report.
pub(super) fn flaps(dice: &mut Rng) -> Option<&'static str> {
    (dice.below(24) == 0).then(|| pick(dice, &HOSTS))
}
