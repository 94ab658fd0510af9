//! `/alarms/quality`: how often alarms come, how long they stay, and whether anybody acts.

use askama::Template;

use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::{Key, Table};
use super::page::PageContext;
use super::text::{Moment, encode, plural, span};

/// What is told of one kind, or of all together.
#[derive(Debug, Clone, Copy, Default)]
pub struct TallyItem {
    /// How often it was raised.
    pub raised: usize,
    /// Those that are open still.
    pub open: usize,
    /// The median of the seconds open.
    pub open_median_s: Option<i64>,
    /// Nine in ten were open for at most so many seconds.
    pub open_p90_s: Option<i64>,
    /// Those open for more than a day.
    pub standing: usize,
    /// Those acknowledged.
    pub acknowledged: usize,
    /// The median of the seconds to that.
    pub ack_median_s: Option<i64>,
    /// Those raised again within ten minutes.
    pub flapped: usize,
    /// Those that ended by themselves, acknowledged by nobody.
    pub unattended: usize,
    /// Those acknowledged that ended by themselves.
    pub without_action: usize,
    /// Those that followed from another one.
    pub followers: usize,
}

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// From when on alarms are counted.
    pub from: UnixSeconds,
    /// Up to when.
    pub to: UnixSeconds,
    /// All kinds together.
    pub all: TallyItem,
    /// Each kind.
    pub kinds: Vec<(&'static str, TallyItem)>,
    /// Kind, subject and how often, of the most frequent things.
    pub subjects: Vec<(&'static str, Thing, usize)>,
    /// Alarms that followed from none, per day, in hundredths.
    pub per_day_hundredths: i64,
    /// Whether there were more alarms than are counted.
    pub cut: bool,
}

/// A thing that alarms were about.
#[derive(Debug, Clone)]
pub struct Thing {
    /// What people call it.
    pub name: String,
    /// Its page, if it has one.
    pub href: Option<String>,
}

struct Row {
    kind: &'static str,
    href: String,
    tally: TallyItem,
    median: String,
    p90: String,
    ack: String,
}

impl Row {
    fn new((kind, tally): (&'static str, TallyItem), shown: &Shown) -> Self {
        let time = |seconds: Option<i64>| seconds.map_or_else(|| "—".to_owned(), span);
        let (from, to) = (shown.from, shown.to);
        Self {
            kind,
            href: format!("/alarms?state=cleared&kind={}&from={from}&to={to}", encode(kind)),
            tally,
            median: time(tally.open_median_s),
            p90: time(tally.open_p90_s),
            ack: time(tally.ack_median_s),
        }
    }
}

const COLUMNS: [Column; 12] = [
    ("kind", "Kind", ""),
    ("raised", "Raised", "number"),
    ("open", "Open now", "number optional"),
    ("median", "Open, median", "number"),
    ("p90", "Open, 9 in 10", "number optional"),
    ("standing", "Over a day", "number optional"),
    ("acknowledged", "Acknowledged", "number optional"),
    ("ack", "After, median", "number optional"),
    ("flapped", "Again in 10 min", "number optional"),
    ("unattended", "Ended unseen", "number optional"),
    ("unacted", "Seen, ended by itself", "number optional"),
    ("followers", "Followed", "number optional"),
];

fn key(by: &str, Row { kind, tally, .. }: &Row) -> Key {
    match by {
        "raised" => tally.raised.into(),
        "open" => tally.open.into(),
        "median" => tally.open_median_s.into(),
        "p90" => tally.open_p90_s.into(),
        "standing" => tally.standing.into(),
        "acknowledged" => tally.acknowledged.into(),
        "ack" => tally.ack_median_s.into(),
        "flapped" => tally.flapped.into(),
        "unattended" => tally.unattended.into(),
        "unacted" => tally.without_action.into(),
        "followers" => tally.followers.into(),
        _ => (*kind).into(),
    }
}

#[derive(Template)]
#[template(path = "quality.html")]
struct QualityPage<'a> {
    ctx: &'a PageContext,
    from: Moment,
    to: Moment,
    from_text: String,
    to_text: String,
    lead: String,
    rows: Table<Row>,
    /// The same for programs.
    api: String,
    subjects: &'a [(&'static str, Thing, usize)],
    cut: bool,
}

/// The page.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(ctx: &PageContext, shown: &Shown) -> Result<String, askama::Error> {
    let all = &shown.all;
    let (days, rest) = (shown.per_day_hundredths / 100, shown.per_day_hundredths % 100);
    let rows: Vec<_> = shown.kinds.iter().map(|kind| Row::new(*kind, shown)).collect();
    let span = format!("?from={}&to={}", shown.from, shown.to);
    let path = format!("/alarms/quality{span}");
    let id = |row: &Row| row.kind.to_owned();
    let rows = ctx.orders.table(("", &path), &COLUMNS, rows, (id, key));
    let page = QualityPage {
        ctx,
        from: Moment::full(shown.from, ctx.now),
        to: Moment::full(shown.to, ctx.now),
        from_text: shown.from.to_rfc3339(),
        to_text: shown.to.to_rfc3339(),
        lead: format!(
            "{} raised, {days}.{rest:02} a day that follow from no other; {} followed from another, \
             {} raised again within 10 min, {} open for more than a day.",
            plural(all.raised, "alarm"),
            all.followers,
            all.flapped,
            all.standing
        ),
        rows,
        api: format!("/api/v1/alarms/quality{span}"),
        subjects: &shown.subjects,
        cut: shown.cut,
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use crate::views::samples::alarms::quality_page;

    #[test]
    fn the_page_tells_of_every_kind_and_leads_to_its_alarms() {
        let html = quality_page().expect("rendered");
        for wanted in [
            "12 alarms raised, 3.07 a day",
            "agent.offline",
            "/alarms?state=cleared&#38;kind=agent.offline&#38;from=",
            "2 min",
            "oul-gw2",
        ] {
            assert!(html.contains(wanted), "{wanted}: {html}");
        }
    }
}
