//! `/shares`: links that show one view to whoever holds them.

use askama::Template;

use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;

use super::list::Column;
use super::ordered::Table;
use super::page::PageContext;
use super::text::Moment;

/// Lives that the form offers, in days.
const LIVES: [u32; 5] = [1, 7, 30, 90, 365];

/// What the form begins with, in days.
const USUAL: u32 = 7;

/// A shared link.
#[derive(Debug, Clone)]
pub struct ShareItem {
    /// Names it.
    pub id: String,
    /// Path and query of the page that it opens.
    pub view: String,
    /// The fleets it shows.
    pub fleets: Vec<FleetId>,
    /// Whether it shows pseudonyms.
    pub masked: bool,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it ends.
    pub expires_at: UnixSeconds,
    /// How often it was opened.
    pub opened: u64,
    /// When it was opened last.
    pub last_opened_at: Option<UnixSeconds>,
}

/// A link that was made now; shown this once.
#[derive(Clone)]
pub struct Made {
    /// Its whole address.
    pub address: String,
    /// When it ends.
    pub until: UnixSeconds,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Made(until {})", self.until)
    }
}

/// What was done just now, told on the page.
#[derive(Debug, Clone)]
pub enum News {
    /// Nothing.
    None,
    /// A link was made.
    Made(Made),
    /// It could not be done, and why.
    Failed(String),
}

/// A link as the page shows it.
struct Line<'a> {
    item: &'a ShareItem,
    fleets: String,
    made: Moment,
    ends: String,
    last: Option<Moment>,
}

impl<'a> Line<'a> {
    fn of(item: &'a ShareItem, now: UnixSeconds) -> Self {
        let fleets: Vec<&str> = item.fleets.iter().map(FleetId::as_str).collect();
        Self {
            item,
            fleets: fleets.join(", "),
            made: Moment::ago(item.created_at, now),
            ends: item.expires_at.to_rfc3339(),
            last: item.last_opened_at.map(|at| Moment::ago(at, now)),
        }
    }
}

const COLUMNS: [Column; 7] = [
    ("id", "Link", "optional"),
    ("opens", "Opens", ""),
    ("shows", "Shows", "optional"),
    ("made", "Made", "optional"),
    ("ends", "Ends", ""),
    ("opened", "Opened", "optional"),
    ("", "Take back", ""),
];

#[derive(Template)]
#[template(path = "shares.html")]
struct Page<'a> {
    ctx: &'a PageContext,
    lines: Table<Line<'a>>,
    days: Vec<u32>,
    usual: u32,
    view: &'a str,
    news: &'a News,
}

/// The page. `most` is for how many days a link may work.
///
/// # Errors
/// If the template cannot be rendered.
pub fn page(
    ctx: &PageContext,
    (items, most): (&[ShareItem], u32),
    (view, news): (&str, &News),
) -> askama::Result<String> {
    let mut days: Vec<u32> = LIVES.into_iter().filter(|days| *days < most).collect();
    days.extend((most > 0).then_some(most));
    let usual = USUAL.min(most);
    let lines: Vec<_> = items.iter().map(|item| Line::of(item, ctx.now)).collect();
    let key = |by: &str, line: &Line<'_>| match by {
        "opens" => line.item.view.as_str().into(),
        "shows" => line.fleets.as_str().into(),
        "made" => line.item.created_at.into(),
        "ends" => line.item.expires_at.into(),
        "opened" => line.item.last_opened_at.into(),
        _ => line.item.id.as_str().into(),
    };
    let id = |line: &Line<'_>| line.item.id.to_string();
    let lines = ctx.orders.table(("", "/shares"), &COLUMNS, lines, (id, key));
    let view = if view.is_empty() { "/map" } else { view };
    Page { ctx, lines, days, usual, view, news }.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::page::Nav;
    use crate::views::samples::context;

    #[test]
    fn lives_end_where_the_settings_say() {
        let ctx = context("Shared links", Nav::Nowhere);
        let options = |most| {
            let page = page(&ctx, (&[], most), ("", &News::None)).unwrap();
            page.matches("<option").count()
        };
        assert_eq!([0, 1, 7, 10, 90, 400].map(options), [0, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn an_address_stands_on_the_page_and_in_no_other_text() {
        let made = Made { address: "https://k/s/secret".to_owned(), until: UnixSeconds(1) };
        assert!(!format!("{made:?}").contains("secret"));
        let ctx = context("Shared links", Nav::Nowhere);
        let page = page(&ctx, (&[], 90), ("/map?q=<b>", &News::Made(made))).unwrap();
        assert_eq!(page.matches("https://k/s/secret").count(), 1);
        assert!(!page.contains("<b>"), "the view is text");
    }
}
