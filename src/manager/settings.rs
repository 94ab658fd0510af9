//! What the settings mean to the processor and the store.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::process::chores::Keep;
use crate::process::engine::{Enroll, Settings};
use crate::process::newcomers::Room;
use crate::store::phase::Watch;
use crate::store::sqlite::archive::Terms;
use crate::store::sqlite::upgrade::Earlier;
use crate::store::sqlite::{self, Durability, Opened, Opening};
use crate::store::{StoreError, prune};

/// What the processor is told.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        report_interval: i64::from(config.interval),
        max_skew: i64::from(config.verify.max_skew),
        nonce_window: config.verify.nonce_window,
        enroll: match config.enroll {
            config::Enroll::Open => Enroll::Open,
            config::Enroll::Approve => Enroll::Approve,
            config::Enroll::Closed => Enroll::Closed,
        },
        v1_repeats: config.verify.v1_repeats,
        rate: config.rates.agent,
        room: Room { rate: config.rates.new, agents: config.agents_max },
        keep: Keep {
            reports: limits(config.kept.reports),
            events: limits(config.kept.events),
            alarms: limits(config.kept.alarms),
            slots: limits(config.kept.slots),
            hours: limits(config.kept.hours),
        },
        rollups: config.kept.rollups,
    }
}

fn limits(kept: config::KeptBy) -> prune::Limits {
    prune::Limits { age: kept.age.map(i64::from), bytes: kept.bytes }
}

/// Opens the database, with its archive if there is to be one.
pub(super) fn open(
    config: &Config,
    clock: &Clock,
    watch: Arc<dyn Watch>,
) -> Result<Opened, StoreError> {
    let archived = config.archive.as_ref().map(|archive| Terms {
        dir: archive.dir.clone(),
        keep_s: archive.kept.age.map(i64::from),
        bytes: archive.kept.bytes,
        clock: clock.clone(),
    });
    let earlier = if config.upgrade_copy { Earlier::Copied } else { Earlier::GivenUp };
    let (durability, watch) = (durability(config), Some(watch));
    sqlite::open_with(&config.db, Opening { durability, earlier, archived, watch })
}

/// What a commit survives.
fn durability(config: &Config) -> Durability {
    match config.durability {
        config::Durability::Full => Durability::Full,
        config::Durability::Normal => Durability::Normal,
    }
}
