//! The rules file: what an operator changes of the catalogue, checked as a whole.

use super::catalogue::{ClearBy, Rule, rule};
use super::tuning::{Delay, Entry, Limit, MOST, Settings, Tuning};
use crate::form::fields::{self, duration};
use crate::form::{self, Mistake};
use crate::model::pattern::fits;
use crate::model::state::{AlarmKind, Severity};
use crate::model::version::version;

type Fields<'r, 't> = fields::Fields<'r, 't, ()>;

/// Reports that a delay counts at most.
const MOST_REPORTS: u32 = 100;

/// Seconds of a delay at most: a week.
const MOST_SECONDS: i64 = 604_800;

/// Reads the file, or everything that is wrong with it.
pub fn parse(text: &str) -> Result<Tuning, Vec<Mistake>> {
    form::parse(text, (), |mut top| {
        let rules = top.tables("rule", MOST);
        let entries = rules.into_iter().map(entry).collect();
        top.finish();
        Tuning::new(entries)
    })
}

fn entry(mut fields: Fields<'_, '_>) -> Entry {
    let kinds = kinds(&mut fields);
    let (at_least, at_most) = severity(&mut fields);
    let entry = Entry {
        line: fields.line(),
        fleets: fields.texts("fleets"),
        labels: fields.pairs("labels"),
        set: Settings {
            enabled: fields.has("enabled").then(|| fields.flag("enabled")),
            at_least,
            at_most,
            raise_after: delay(&mut fields, "raise_after", &kinds, raise_delay),
            clear_after: delay(&mut fields, "clear_after", &kinds, clear_delay),
            limits: limits(&mut fields, &kinds),
            least_version: least_version(&mut fields, &kinds),
            links: links(&mut fields, &kinds),
        },
        kinds,
    };
    fields.know(["enabled"]);
    if entry.set == Settings::default() {
        let keys = "enabled, severity, raise_after, clear_after, limits, least_version or links";
        fields.wrong("kinds", format!("changes nothing; write one of {keys} beside it"));
    }
    fields.finish();
    entry
}

fn kinds(fields: &mut Fields<'_, '_>) -> Vec<AlarmKind> {
    if !fields.has("kinds") {
        fields.wrong("kinds", "is missing");
    }
    let mut kinds = Vec::new();
    for pattern in fields.texts("kinds") {
        let fitting = AlarmKind::ALL.iter().filter(|kind| fits(&pattern, kind.as_str()));
        let fitting: Vec<AlarmKind> = fitting.copied().collect();
        if fitting.is_empty() {
            let near = AlarmKind::ALL
                .iter()
                .min_by_key(|kind| strsim::damerau_levenshtein(kind.as_str(), &pattern));
            let hint = near.map(|kind| format!("; did you mean {kind}?")).unwrap_or_default();
            fields.wrong("kinds", format!("\"{pattern}\" fits no kind of alarm{hint}"));
        }
        kinds.extend(fitting);
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn severity(fields: &mut Fields<'_, '_>) -> (Option<Severity>, Option<Severity>) {
    let mut one = |key: &'static str| {
        let words: Vec<(&str, Severity)> =
            Severity::ALL.iter().map(|severity| (severity.as_str(), *severity)).collect();
        let given = fields.has(key);
        fields.one_of(key, &words).filter(|_| given)
    };
    let (exact, least, most) = (one("severity"), one("severity_at_least"), one("severity_at_most"));
    if exact.is_some() && (least.is_some() || most.is_some()) {
        fields.wrong("severity", "stands beside severity_at_least or severity_at_most; keep one");
    }
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        fields.wrong("severity_at_least", "is worse than severity_at_most");
    }
    (exact.or(least), exact.or(most))
}

fn delay(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    kinds: &[AlarmKind],
    check: fn(&Rule, Delay) -> Result<(), String>,
) -> Option<Delay> {
    let text = fields.text(key)?;
    let Some(delay) = read_delay(&text) else {
        let rule = format!(
            "\"{text}\" must be such as \"3 reports\" (1 to {MOST_REPORTS}) or \"120s\", \"5m\" \
             (at most a week)"
        );
        fields.wrong(key, rule);
        return None;
    };
    for kind in kinds {
        if let Err(problem) = check(rule(*kind), delay) {
            fields.wrong(key, format!("cannot be \"{text}\": {kind} {problem}"));
            return None;
        }
    }
    Some(delay)
}

fn read_delay(text: &str) -> Option<Delay> {
    let count = text.strip_suffix("reports").or_else(|| text.strip_suffix("report"));
    match count {
        Some(count) => {
            let count = count.trim().parse().ok()?;
            (1..=MOST_REPORTS).contains(&count).then_some(Delay::Reports(count))
        }
        None => {
            let seconds = duration(text)?;
            (0..=MOST_SECONDS).contains(&seconds).then_some(Delay::Seconds(seconds))
        }
    }
}

/// Whether a kind can be raised after such a delay.
fn raise_delay(rule: &Rule, delay: Delay) -> Result<(), String> {
    match (rule.clear, delay) {
        (ClearBy::Quiet { .. } | ClearBy::Person, _) => {
            Err("is about something that happened, which nothing can be waited for".to_owned())
        }
        (_, Delay::Reports(_)) if rule.raise_count == 1 => {
            Err("is not counted in reports; give a time such as \"60s\"".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether a kind can end after such a delay.
fn clear_delay(rule: &Rule, delay: Delay) -> Result<(), String> {
    match (rule.clear, delay) {
        (ClearBy::Person, _) => Err("is ended by a person only".to_owned()),
        (ClearBy::Reports { .. }, Delay::Seconds(_)) => {
            Err("is ended by reports, since silence ends nothing; give \"2 reports\"".to_owned())
        }
        (ClearBy::Steady { .. } | ClearBy::Quiet { .. }, Delay::Reports(_)) => {
            Err("is ended by time; give one such as \"30m\"".to_owned())
        }
        (ClearBy::Quiet { .. }, Delay::Seconds(..60)) => {
            Err("is counted by the minute; give 60s at least".to_owned())
        }
        _ => Ok(()),
    }
}

fn limits(fields: &mut Fields<'_, '_>, kinds: &[AlarmKind]) -> Vec<(String, i64)> {
    let pairs = fields.numbers("limits");
    for (name, value) in &pairs {
        for kind in kinds {
            let known = rule(*kind).limits;
            match known.iter().find(|limit| limit.name == name) {
                None => fields.wrong("limits", unknown(*kind, name, known)),
                Some(Limit { least, most, .. }) if !(*least..=*most).contains(value) => {
                    fields.wrong("limits", format!("{name} of {kind} must be {least} to {most}"));
                }
                Some(_) => {}
            }
        }
    }
    pairs
}

/// What only the kinds about what is meant know.
fn links(fields: &mut Fields<'_, '_>, kinds: &[AlarmKind]) -> Vec<[String; 2]> {
    const KEY: &str = "links";
    const OWN: [AlarmKind; 2] = [AlarmKind::EdgeExpectedMissing, AlarmKind::EdgeUnexpected];
    let told = fields.texts(KEY);
    if told.is_empty() {
        return Vec::new();
    }
    if kinds.iter().any(|kind| !OWN.contains(kind)) {
        let [missing, unexpected] = OWN;
        fields.wrong(KEY, format!("belongs to {missing} and {unexpected} alone"));
    }
    if !fields.has("fleets") || fields.has("labels") {
        fields
            .wrong(KEY, "is about whole fleets; write fleets beside it, and no labels".to_owned());
    }
    let mut links = Vec::new();
    for link in told {
        match link.split_once(" - ").map(|(one, other)| [one.trim(), other.trim()]) {
            Some(ends) if !ends.contains(&"") && ends[0] != ends[1] => {
                links.push(ends.map(str::to_owned));
            }
            _ => {
                fields.wrong(KEY, format!("\"{link}\" must be two hosts, such as \"alpha - beta\""))
            }
        }
    }
    links
}

/// What only the kind about old programs knows.
fn least_version(fields: &mut Fields<'_, '_>, kinds: &[AlarmKind]) -> Option<String> {
    const KEY: &str = "least_version";
    let least = fields.text(KEY)?;
    let kind = AlarmKind::AgentVersionOld;
    if kinds != [kind] {
        fields.wrong(KEY, format!("belongs to {kind} alone; give that as the only kind"));
        return None;
    }
    if version(&least).is_none() {
        fields.wrong(KEY, format!("\"{least}\" has no numbers; write such as \"1.4\""));
        return None;
    }
    Some(least)
}

fn unknown(kind: AlarmKind, name: &str, known: &[Limit]) -> String {
    let names: Vec<&str> = known.iter().map(|limit| limit.name).collect();
    if names.is_empty() {
        return format!("\"{name}\" is no limit of {kind}, which has none");
    }
    format!("\"{name}\" is no limit of {kind}; it has: {}", names.join(", "))
}

#[cfg(test)]
mod tests;
