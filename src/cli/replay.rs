//! `kattila replay`: runs stored reports through the engine again, with other rules, and tells
//! which alarms would have been raised against those that were.
//!
//! Reads the database and never writes to it. The same reports and rules give the same answer,
//! byte for byte.

pub mod bench;
pub mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use thiserror::Error;

use crate::alarms::tuning::Tuning;
use crate::config::rules;
use crate::config::source::Values;
use crate::http::operators::past;
use crate::jobs::keys::stored_of;
use crate::model::id::{AlarmId, ReportId};
use crate::model::metric::Rollups;
use crate::model::state::{IdentityState, Scheme};
use crate::model::time::UnixSeconds;
use crate::process::chores::Keep;
use crate::process::engine::{Enroll, Settings};
use crate::process::newcomers::Room;
use crate::store::row::{AgentDetail, AlarmFilter, ReportFilter};
use crate::store::{Reader, StoreError, sqlite};
use crate::verify::Policy;
use crate::verify::bodies::Suspicion;
use crate::verify::shelf::Shelf;

use bench::{Bench, Proofs, rings};
use compare::{Comparison, NOT_REPLAYED, Pair, Told, compare};

use super::speak::{complain, say};
use super::{DONE, Database, FAILED, USAGE, storage_code};

/// Reports, and alarms, read at a time.
const PAGE: usize = 500;

/// What to run again.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Compare alarms raised from then on (Unix seconds or RFC 3339); without it, a day before the end
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to then; without it, up to the last stored report
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Rules file to try; without it `KATTILA_RULES_FILE`, else the catalogue
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Seconds before the begin whose reports are read to know what was so by then
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    warm_up: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

/// Why nothing was replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Something that was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The database cannot be read, or no scratch one be made.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The scratch manager failed.
    #[error("{0}")]
    Scratch(String),
}

/// What was found.
#[derive(Debug, Serialize)]
struct Outcome {
    from: UnixSeconds,
    to: UnixSeconds,
    warmed_up_from: UnixSeconds,
    reports: u64,
    agents: usize,
    /// Reports that could not be taken again, by reason.
    left_out: BTreeMap<&'static str, u64>,
    #[serde(flatten)]
    comparison: Comparison,
    cannot_be_known: Vec<String>,
}

/// Runs it; the exit code.
pub async fn run(args: ReplayArgs, values: Values) -> u8 {
    match replay(&args, &values).await {
        Ok(outcome) => {
            say(&if args.json { json(&outcome) } else { text(&outcome) });
            DONE
        }
        Err(ReplayError::Store(error)) => {
            complain(&error.to_string());
            storage_code(&error)
        }
        Err(error @ ReplayError::Usage(_)) => {
            complain(&error.to_string());
            USAGE
        }
        Err(error @ ReplayError::Scratch(_)) => {
            complain(&error.to_string());
            FAILED
        }
    }
}

/// Which reports are read.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: UnixSeconds,
    to: UnixSeconds,
    /// The first report, and when it was received.
    first: (ReportId, UnixSeconds),
    /// Whether reports before that are gone.
    is_cut: bool,
}

async fn replay(args: &ReplayArgs, values: &Values) -> Result<Outcome, ReplayError> {
    let tuning = Arc::new(tuning(args, values)?);
    let (settings, policy) = settings(values)?;
    let reader = sqlite::open_read_only(&args.database.file(values))?;
    let reader: &dyn Reader = &*reader;
    let span = span(reader, args)?;
    let (count, own) = agents(reader, &span)?;
    let pinned = own.iter().filter_map(|detail| {
        let row = detail.identities.iter().find(|row| row.state == IdentityState::Pinned)?;
        Some((detail.agent.id.clone(), row.public_key))
    });
    let kept = reader.keys()?.into_iter().map(stored_of).collect();
    let dictionaries = reader.frame_dictionaries()?.into_iter().map(|record| record.bytes);
    let shelf =
        Shelf::archive(dictionaries).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let proofs = Proofs { rings: rings(kept), pinned: pinned.collect(), policy, shelf };
    let bench = Bench::start(settings, &own, tuning, span.first.1).await?;
    let (reports, left_out) = feed(reader, &bench, &proofs, &span).await?;
    let ended = bench.end(span.to).await?;
    let comparison = compare(told(reader, &span)?, told(ended.reader(), &span)?);
    let cannot_be_known = unknown(&span, &left_out);
    Ok(Outcome {
        from: span.from,
        to: span.to,
        warmed_up_from: span.first.1,
        reports,
        agents: count,
        left_out,
        comparison,
        cannot_be_known,
    })
}

/// Has every report of these times taken again, each at the second in which it was received; how
/// many those are, and how many could not be taken.
async fn feed(
    reader: &dyn Reader,
    bench: &Bench,
    proofs: &Proofs,
    span: &Span,
) -> Result<(u64, BTreeMap<&'static str, u64>), ReplayError> {
    let (mut reports, mut left_out) = (0, BTreeMap::new());
    let mut after = ReportId(span.first.0.0 - 1);
    loop {
        let rows = reader.reports(&ReportFilter::onwards(after, PAGE))?;
        let Some(last) = rows.last() else { return Ok((reports, left_out)) };
        after = last.summary.id;
        for row in &rows {
            if row.summary.received_at > span.to {
                return Ok((reports, left_out));
            }
            bench.pass(row.summary.received_at).await?;
            reports += 1;
            if let Err(why) = bench.take(row, proofs).await {
                *left_out.entry(why).or_default() += 1;
            }
        }
    }
}

fn tuning(args: &ReplayArgs, values: &Values) -> Result<Tuning, ReplayError> {
    let set = values.get("KATTILA_RULES_FILE").map(PathBuf::from);
    match args.rules.clone().or(set) {
        None => Ok(Tuning::default()),
        Some(file) => {
            rules::read(&file).map_err(|mistakes| ReplayError::Usage(mistakes.join("\n")))
        }
    }
}

/// The processor's settings as far as they matter for what is judged.
fn settings(values: &Values) -> Result<(Settings, Policy), ReplayError> {
    let number = |name: &str| {
        let text = values.get_or_default(name);
        let wrong = |_| ReplayError::Usage(format!("{name}: \"{text}\" must be a whole number"));
        text.trim().parse::<i64>().map_err(wrong)
    };
    let max_skew = number("KATTILA_MAX_SKEW")?;
    let settings = Settings {
        report_interval: number("KATTILA_REPORT_INTERVAL")?,
        max_skew,
        nonce_window: usize::try_from(number("KATTILA_NONCE_WINDOW")?).unwrap_or(1),
        enroll: Enroll::Open,
        v1_repeats: Suspicion::Alarm,
        rate: None,
        room: Room::UNLIMITED,
        keep: Keep::default(),
        rollups: Rollups::Off,
    };
    // What was taken once is taken again, whatever the settings are now.
    Ok((settings, Policy { max_skew: 86_400, relay_psk: true, ..Policy::default() }))
}

/// The first stored report from a number on, without its envelope.
fn report_from(
    reader: &dyn Reader,
    id: ReportId,
) -> Result<Option<(ReportId, UnixSeconds)>, StoreError> {
    let after = Some(ReportId(id.0 - 1));
    let filter = ReportFilter { after, limit: 1, ..ReportFilter::default() };
    let found = reader.reports(&filter)?;
    Ok(found.first().map(|row| (row.summary.id, row.summary.received_at)))
}

fn span(reader: &dyn Reader, args: &ReplayArgs) -> Result<Span, ReplayError> {
    let time = |text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let said = || {
            let rule = "write Unix seconds or a time such as 2026-11-20T14:02:11Z";
            ReplayError::Usage(format!("{text} is no time; {rule}"))
        };
        past::time(text).map(Some).map_err(|_refused| said())
    };
    let empty = || ReplayError::Usage("no report is stored".to_owned());
    let newest = reader.reports(&ReportFilter { limit: 1, ..ReportFilter::default() })?;
    let newest = newest.first().ok_or_else(empty)?;
    let (last, ends) = (newest.summary.id, newest.summary.received_at);
    let oldest = report_from(reader, ReportId(1))?.ok_or_else(empty)?;
    let to = time(&args.to)?.unwrap_or(ends);
    let from = time(&args.from)?.unwrap_or_else(|| to.minus(86_400));
    if from > to {
        return Err(ReplayError::Usage("--from must not be later than --to".to_owned()));
    }
    let begin = from.minus(args.warm_up.max(0));
    // Numbers grow with time: the first report of a time is found by halving.
    let (mut low, mut high) = (oldest.0.0, last.0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match report_from(reader, ReportId(middle))? {
            Some((id, at)) if at < begin => low = id.0 + 1,
            _ => high = middle,
        }
    }
    let first = report_from(reader, ReportId(low))?.filter(|(_, at)| *at <= to);
    let first = first.ok_or_else(|| {
        ReplayError::Usage(format!(
            "no report is stored between {} and {}",
            begin.to_rfc3339(),
            to.to_rfc3339()
        ))
    })?;
    let is_cut = oldest.1 > begin && oldest.0 > ReportId(1);
    Ok(Span { from, to, first, is_cut })
}

/// How many agents reported in these times, and those that sign with keys of their own.
fn agents(reader: &dyn Reader, span: &Span) -> Result<(usize, Vec<AgentDetail>), StoreError> {
    let (mut all, mut own) = (BTreeSet::new(), BTreeSet::new());
    let mut after = Some(ReportId(span.first.0.0 - 1));
    loop {
        let filter = ReportFilter { after, limit: PAGE, ..ReportFilter::default() };
        let rows = reader.reports(&filter)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.summary.id);
        let within = rows.iter().map(|row| &row.summary);
        for summary in within.filter(|summary| summary.received_at <= span.to) {
            all.insert(summary.agent_id.clone());
            if summary.scheme == Scheme::V2Ed25519 {
                own.insert(summary.agent_id.clone());
            }
            own.extend(summary.relay_path.relays().iter().cloned());
        }
    }
    let details: Result<Vec<_>, StoreError> = own.iter().map(|id| reader.agent(id)).collect();
    Ok((all.len(), details?.into_iter().flatten().collect()))
}

/// The alarms that were raised within these times.
fn told(reader: &dyn Reader, span: &Span) -> Result<Vec<Told>, StoreError> {
    let mut told = Vec::new();
    for cleared in [false, true] {
        let mut before: Option<AlarmId> = None;
        loop {
            let since = cleared.then_some(span.from);
            let filter =
                AlarmFilter { cleared, since, before, limit: PAGE, ..AlarmFilter::default() };
            let rows = reader.alarms(&filter)?;
            let Some(last) = rows.last() else { break };
            before = Some(last.alarm.id);
            told.extend(rows.iter().filter_map(|row| Told::of(row, span.from, span.to)));
        }
    }
    Ok(told)
}

/// What a replay cannot tell, in sentences.
fn unknown(span: &Span, left_out: &BTreeMap<&'static str, u64>) -> Vec<String> {
    let kinds: Vec<&str> = NOT_REPLAYED.iter().map(|kind| kind.as_str()).collect();
    let mut said = vec![
        format!(
            "Refused requests, secrets, keys, channels and the manager itself are not in stored \
             reports: {} are left out on both sides.",
            kinds.join(", ")
        ),
        "What people did (acknowledge, clear, reset, take out of service) and restarts of the \
         manager are not repeated."
            .to_owned(),
        format!("Agents that fell silent before {} are not known.", span.first.1.to_rfc3339()),
    ];
    if span.is_cut {
        said.push(format!("Reports before {} are not kept any more.", span.first.1.to_rfc3339()));
    }
    for (why, count) in left_out {
        let reports = if *count == 1 { "report".to_owned() } else { "reports".to_owned() };
        said.push(format!("{count} {reports} could not be taken again: {why}."));
    }
    said
}

fn json(outcome: &Outcome) -> String {
    serde_json::to_string_pretty(outcome).unwrap_or_default()
}

fn text(outcome: &Outcome) -> String {
    let Outcome { comparison, .. } = outcome;
    let mut lines = vec![
        format!(
            "{} reports of {} agents, {} to {}, warmed up from {}",
            outcome.reports,
            outcome.agents,
            outcome.from.to_rfc3339(),
            outcome.to.to_rfc3339(),
            outcome.warmed_up_from.to_rfc3339()
        ),
        format!("as it was        {}", comparison.same.len()),
        format!("otherwise        {}", comparison.changed.len()),
    ];
    for Pair { was, would } in &comparison.changed {
        lines.push(format!(
            "  {} {}: was {}, would be {}",
            was.kind,
            was.subject,
            when(was),
            when(would)
        ));
    }
    let one = |told: &Told| format!("  {} {}: {}", told.kind, told.subject, when(told));
    lines.push(format!("would not be     {}", comparison.only_was.len()));
    lines.extend(comparison.only_was.iter().map(one));
    lines.push(format!("would be as well {}", comparison.only_would.len()));
    lines.extend(comparison.only_would.iter().map(one));
    lines.push("cannot be known:".to_owned());
    lines.extend(outcome.cannot_be_known.iter().map(|said| format!("  {said}")));
    lines.join("\n")
}

fn when(told: &Told) -> String {
    let end = told.cleared_at.map_or_else(|| "still open".to_owned(), UnixSeconds::to_rfc3339);
    format!("{} {} to {end}", told.severity, told.raised_at.to_rfc3339())
}
