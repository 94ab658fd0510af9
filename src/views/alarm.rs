//! `/alarms/{id}`: one alarm, its life, what it follows from, and what proves it.

use askama::Template;
use serde_json::Value;

use crate::model::id::AlarmId;
use crate::model::proven::Proven;
use crate::model::state::{AlarmState, EventKind, MessageState, Telling};
use crate::model::time::UnixSeconds;
use crate::store::notice::MessageRecord;
use crate::store::row::{AlarmRow, EventRow, ReportSummary};

use super::alarms::{AlarmItem, SHELF_TIMES, is_of_link};
use super::list::Head;
use super::page::PageContext;
use super::reports::ReportItem;
use super::text::{Moment, encode, span};

/// What of the store the page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The alarm.
    pub row: &'a AlarmRow,
    /// What the history says of its thing, oldest first; other alarms' events are left out.
    pub events: &'a [EventRow],
    /// Messages that tell of it.
    pub messages: &'a [MessageRecord],
    /// The alarm it follows, or followed, from.
    pub cause: Option<&'a AlarmRow>,
    /// What follows, or followed, from it.
    pub followers: &'a [AlarmRow],
    /// Reports around the raise: whose, the last before it and the first after it, and what came
    /// of proving each again.
    pub evidence: &'a [(String, Vec<(ReportSummary, Proven)>)],
}

/// One step of its life.
struct Step {
    order: (UnixSeconds, u8),
    at: Moment,
    what: String,
    who: String,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "alarm.html")]
struct AlarmPage<'a> {
    ctx: &'a PageContext,
    item: AlarmItem,
    subject: &'a str,
    sentence: String,
    report: Option<String>,
    steps: Vec<Step>,
    cause: Option<AlarmItem>,
    followers: Vec<AlarmItem>,
    left_out: bool,
    when: Option<Head>,
    evidence: Vec<(&'a str, Vec<ReportItem>)>,
    moment: Vec<(String, &'static str)>,
    times: &'static [(i64, &'static str)],
}

/// Alarms named that follow from it.
pub const FOLLOWERS: usize = 100;

/// The page. `limit` followers at most were read.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, told: &Told<'_>) -> Result<String, askama::Error> {
    let alarm = &told.row.alarm;
    let item = AlarmItem::new(ctx, told.row);
    let at = alarm.raised_at.unwrap_or(alarm.pending_since);
    let followers = told.followers.iter().take(FOLLOWERS);
    let evidence = told.evidence.iter().map(|(who, reports)| {
        let items = reports.iter().map(|(row, proven)| ReportItem::proven(ctx, row, proven));
        (who.as_str(), items.collect())
    });
    let page = AlarmPage {
        ctx,
        subject: &alarm.subject,
        sentence: sentence(ctx, told.row),
        report: alarm.report.and_then(|id| ctx.report_href(id)),
        steps: steps(ctx, told),
        cause: told.cause.map(|row| AlarmItem::new(ctx, row)),
        followers: followers.map(|row| AlarmItem::new(ctx, row)).collect(),
        left_out: told.followers.len() > FOLLOWERS,
        when: None,
        evidence: evidence.collect(),
        moment: moment(told.row, at),
        times: &SHELF_TIMES,
        item,
    };
    page.render()
}

/// How long it has been, or was, open.
fn sentence(ctx: &PageContext, row: &AlarmRow) -> String {
    let alarm = &row.alarm;
    let Some(raised) = alarm.raised_at else { return "It was never raised.".to_owned() };
    let open = span(alarm.cleared_at.unwrap_or(ctx.now).since(raised));
    match (alarm.state, &alarm.clear_cause) {
        (AlarmState::Cleared, Some(cause)) => format!("It was open for {open}: {cause}."),
        (AlarmState::Cleared, None) => format!("It was open for {open}."),
        (AlarmState::Returned, _) => {
            format!("Raised {open} ago. Its condition is over; somebody should have seen it.")
        }
        (AlarmState::Pending | AlarmState::Active | AlarmState::Acknowledged, _) => {
            format!("It has been open for {open}.")
        }
    }
}

/// Pages that show the network as it was then.
fn moment(row: &AlarmRow, at: UnixSeconds) -> Vec<(String, &'static str)> {
    let mut links = vec![(format!("/map?at={at}"), "Map"), (format!("/links?at={at}"), "Links")];
    if let Some(id) = &row.agent_id {
        links.push((format!("/agents/{}?at={at}", encode(id.as_str())), "Its agent"));
    }
    if is_of_link(row) {
        links.push((format!("/links/{}?at={at}", encode(&row.alarm.subject)), "Its link"));
    }
    links
}

/// Its life, oldest first: what the history says, what the alarm itself says where the history
/// is gone, and what people were told.
fn steps(ctx: &PageContext, told: &Told<'_>) -> Vec<Step> {
    let alarm = &told.row.alarm;
    let step = |at: UnixSeconds, order: u8, what: String, who: String| Step {
        order: (at, order),
        at: Moment::full(at, ctx.now),
        what,
        who,
        href: None,
    };
    let own: Vec<&EventRow> = told.events.iter().filter(|row| is_of(row, alarm.id)).collect();
    let mut steps = vec![step(alarm.pending_since, 0, "The condition began".into(), String::new())];
    let mut before: Option<&Value> = None;
    for row in &own {
        let Some(after) = &row.after else { continue };
        let who = row.cause.clone().unwrap_or_default();
        let what = words(row.kind, after, before);
        let href = row.report.and_then(|id| ctx.report_href(id));
        steps.push(Step { href, ..step(row.recorded_at, 1, what, who) });
        before = Some(after);
    }
    let has = |kind: EventKind| own.iter().any(|row| row.kind == kind);
    let by = || alarm.acknowledged_by.clone().unwrap_or_default();
    let cause = alarm.clear_cause.as_deref().unwrap_or_default();
    for (kind, at, what, who) in [
        (EventKind::AlarmRaised, alarm.raised_at, "Raised".to_owned(), String::new()),
        (EventKind::AlarmAcknowledged, alarm.acknowledged_at, "Acknowledged".to_owned(), by()),
        (EventKind::AlarmReturned, alarm.returned_at, "The condition was over".into(), "".into()),
        (EventKind::AlarmCleared, alarm.cleared_at, format!("Over: {cause}"), String::new()),
    ] {
        // An acknowledgement that ends an alarm is its end in the history.
        let known = has(kind) || (kind == EventKind::AlarmAcknowledged && cause == "acknowledged");
        steps.extend(at.filter(|_| !known).map(|at| step(at, 1, what, who)));
    }
    for message in told.messages {
        for item in message.items.iter().filter(|item| item.alarm == alarm.id) {
            let what = format!("{} was told: {}", message.channel, telling(item.telling));
            let who = delivery(message).to_owned();
            steps.push(step(message.created_at, 2, what, who));
        }
    }
    steps.sort_by_key(|step| step.order);
    steps
}

/// Whether an event is about this alarm, and not about one before or after it.
fn is_of(row: &EventRow, id: AlarmId) -> bool {
    let number = row.after.as_ref().and_then(|after| after.get("id")).and_then(Value::as_i64);
    number == Some(id.0)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_i64)
}

/// One event in words; `before` is what the event before it said.
fn words(kind: EventKind, after: &Value, before: Option<&Value>) -> String {
    let severity = text(after, "severity");
    let until = number(after, "shelved_until").map(|at| UnixSeconds(at).to_rfc3339());
    match kind.as_str() {
        "alarm.raised" => match before.map(|before| text(before, "severity")) {
            Some(was) if was != severity => format!("Now {severity}, was {was}"),
            Some(_) | None => format!("Raised as {severity}: {}", text(after, "message")),
        },
        "alarm.acknowledged" => match text(after, "note") {
            "" => "Acknowledged".to_owned(),
            note => format!("Acknowledged: {note}"),
        },
        "alarm.returned" => "The condition was over; it waits for somebody".to_owned(),
        "alarm.cleared" => format!("Over: {}", text(after, "cause")),
        "alarm.inhibited" => match number(after, "inhibited_by") {
            Some(cause) => format!("Follows from alarm {cause}"),
            None => "Counts for itself".to_owned(),
        },
        "alarm.shelved" => {
            format!("Shelved until {}: {}", until.unwrap_or_default(), text(after, "shelve_reason"))
        }
        "alarm.flapping" => flapping(after).to_owned(),
        "alarm.unshelved" => "Taken from the shelf".to_owned(),
        "alarm.maintenance" => match number(after, "maintenance") {
            Some(window) => format!("Covered by maintenance window {window}"),
            None => "Not in maintenance any more".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// What an event about an alarm that comes and goes says.
fn flapping(after: &Value) -> &'static str {
    let is = |name: &str| after.get(name).and_then(Value::as_bool).unwrap_or(false);
    match (is("flapping"), is("over")) {
        (true, true) => "It comes and goes and is held open: the condition is over",
        (true, false) => "It comes and goes and is held open: the condition holds",
        (false, _) => "It comes and goes no more",
    }
}

const fn telling(telling: Telling) -> &'static str {
    match telling {
        Telling::Raised => "raised",
        Telling::Flapping => "flapping",
        Telling::Worse => "worse",
        Telling::Repeated => "still open",
        Telling::Escalated => "nobody has acknowledged it",
        Telling::Acknowledged => "acknowledged",
        Telling::Returned => "its condition is over",
        Telling::Cleared => "over",
    }
}

const fn delivery(message: &MessageRecord) -> &'static str {
    match message.state {
        MessageState::Waiting => "not sent yet",
        MessageState::Sent => "sent",
        MessageState::Dead => "given up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Role;
    use crate::model::id::EventId;
    use crate::views::page::Nav;
    use crate::views::samples::alarms::{alarm_page, alarms};
    use crate::views::samples::{context, proven_reports};
    use serde_json::json;

    #[test]
    fn the_page_tells_the_life_the_cause_and_the_proof() {
        let html = alarm_page().expect("rendered");
        for wanted in [
            "Raised as major: oul-gw2 has not reported for 2 h.",
            "Now critical, was major",
            "Acknowledged: on it",
            "Shelved until",
            "Covered by maintenance window 2",
            "chat was told: raised",
            "follows from",
            "A key belongs to no agent.",
            "45819852fbdfc69a",
            "/map?at=",
            "/alarms/7/shelve",
        ] {
            assert!(html.contains(wanted), "{wanted}: {html}");
        }
        let at = |text: &str| html.find(text).expect("there");
        assert!(at("Raised as major") < at("chat was told") && at("chat was told") < at("Now cri"));
    }

    #[test]
    fn a_cleared_alarm_without_history_tells_what_it_knows_itself() {
        let mut ctx = context("Alarm 7", Nav::Alarms);
        ctx.role = Some(Role::Viewer);
        let mut row = alarms().remove(2);
        row.alarm.state = AlarmState::Cleared;
        row.alarm.acknowledged_at = Some(ctx.now.minus(60));
        row.alarm.acknowledged_by = Some("olga".to_owned());
        row.alarm.cleared_at = Some(ctx.now.minus(30));
        row.alarm.clear_cause = Some("condition over".to_owned());
        let other = EventRow {
            id: EventId(3),
            after: Some(json!({"id": 6, "severity": "major", "message": "an earlier one"})),
            ..crate::views::samples::events().remove(0)
        };
        let told = Told {
            row: &row,
            events: &[other],
            messages: &[],
            cause: None,
            followers: &[],
            evidence: &[("oul-gw2".to_owned(), proven_reports())],
        };
        let html = page(&ctx, &told).expect("rendered");
        for wanted in ["It was open for", "Raised", "Acknowledged", "olga", "Over: condition over"]
        {
            assert!(html.contains(wanted), "{wanted}");
        }
        assert!(
            !html.contains("an earlier one")
                && !html.contains("<form method=\"post\" action=\"/al")
        );
    }
}
