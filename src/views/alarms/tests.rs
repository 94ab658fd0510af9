use super::*;
use crate::model::access::Role;
use crate::views::page::Nav;
use crate::views::samples::alarms::alarms;
use crate::views::samples::context;

const ALL: Span = Span { before: None, limit: 100 };

fn page(
    ctx: &PageContext,
    tab: Tab,
    rows: &[AlarmRow],
    span: Span,
) -> Result<String, askama::Error> {
    super::page(ctx, tab, rows, ((&Kept::default(), &Hits::default()), &ListQuery::default(), span))
}

#[test]
fn what_the_list_is_narrowed_to_is_kept_from_page_to_page() {
    let ctx = context("Alarms", Nav::Alarms);
    let kept = Kept { q: "a b".into(), kind: "edge.down".into(), ..Kept::default() };
    let one = Span { limit: 1, ..ALL };
    let order = ListQuery::default();
    let html = super::page(&ctx, Tab::Open, &alarms(), ((&kept, &Hits::default()), &order, one))
        .expect("rendered");
    assert!(html.contains("?state=open&#38;kind=edge.down&#38;q=a%20b&#38;after="), "{html}");
    assert!(html.contains("&#38;q=a%20b&#38;sort=raised"), "{html}");
    assert!(html.contains("/status/alarms?state=&#38;kind=edge.down"), "{html}");
    assert!(html.contains("<option value=\"edge.down\" selected>"));
    assert!(html.contains("/api/v1/export/alarms.csv?state=&#38;kind=edge.down"));
}

#[test]
fn open_alarms_carry_forms_for_operators_only() {
    let mut ctx = context("Alarms", Nav::Alarms);
    let html = page(&ctx, Tab::Open, &alarms(), ALL).expect("rendered");
    assert!(html.contains("action=\"/alarms/7/ack\"") && html.contains("value=\"form-token\""));
    assert!(!html.contains("/alarms/8/ack"), "acknowledged alarms are on another tab");
    ctx.role = Some(Role::Viewer);
    let html = page(&ctx, Tab::Open, &alarms(), ALL).expect("rendered");
    assert!(
        html.contains("oul-gw2 has not reported")
            && !html.contains("<form method=\"post\" action=\"/alarms")
    );
}

#[test]
fn the_worst_is_first_and_notes_are_shown() {
    let ctx = context("Alarms", Nav::Alarms);
    let html = page(&ctx, Tab::Open, &alarms(), ALL).expect("rendered");
    let at = |text: &str| html.find(text).expect("there");
    assert!(at("oul-gw2 has not reported") < at("A key belongs to no agent"));
    let html = page(&ctx, Tab::Acknowledged, &alarms(), ALL).expect("rendered");
    assert!(html.contains("admin: cable is on order"));
}

#[test]
fn an_incident_is_its_cause_with_what_follows() {
    let ctx = context("Alarms", Nav::Alarms);
    let mut rows = alarms();
    let (unknown, edge, offline) = (9, 8, 7);
    rows[0].alarm.inhibited_by = Some(AlarmId(edge));
    rows[1].alarm.inhibited_by = Some(AlarmId(offline));
    let tree = Tree::of(&rows);
    let below: Vec<_> =
        tree.below(AlarmId(offline)).iter().map(|(d, r)| (*d, r.alarm.id.0)).collect();
    assert_eq!(below, [(1, edge), (2, unknown)]);
    let html = page(&ctx, Tab::Open, &rows, ALL).expect("rendered");
    assert!(html.contains("<summary>1 link, 1 other alarm attached</summary>"), "{html}");
    let root = html.find("agent.offline").expect("the cause");
    assert!(root < html.find("hel-gw1 to oul-gw2").expect("what follows"));
    for wanted in [
        "form=\"bulk\" name=\"incident\" value=\"7\"",
        "form=\"bulk\" name=\"id\" value=\"8\"",
        "form=\"bulk\" name=\"acknowledge\" value=\"9\"",
    ] {
        assert!(html.contains(wanted), "{wanted}");
    }
    // The incident is on its cause's tab, whoever has seen what of it.
    let html = page(&ctx, Tab::Acknowledged, &rows, ALL).expect("rendered");
    assert!(!html.contains("hel-gw1 to oul-gw2"));
    // Whose cause is gone stands for itself, and says so.
    let html = page(&ctx, Tab::Acknowledged, &rows[..2], ALL).expect("rendered");
    assert!(
        html.contains("follows from <a href=\"/alarms/7\">alarm 7</a>")
            && html.contains("1 other alarm attached")
    );
}

#[test]
fn what_is_set_aside_stands_on_its_own_tab() {
    let ctx = context("Alarms", Nav::Alarms);
    let mut rows = alarms();
    rows[2].alarm.shelved = Some(crate::model::shelf::Shelved {
        at: ctx.now,
        until: ctx.now.plus(7_200),
        by: "olga".to_owned(),
        reason: "parts ordered".to_owned(),
    });
    rows[0].alarm.maintenance = Some(crate::model::id::WindowId(3));
    let on = |tab| page(&ctx, tab, &rows, ALL).expect("rendered");
    assert!(on(Tab::Open).contains("No alarm is open."));
    let shelf = on(Tab::Shelved);
    assert!(shelf.contains("by olga: parts ordered") && shelf.contains("in 2 h"), "{shelf}");
    assert!(shelf.contains("/alarms/7/unshelve") && !shelf.contains("belongs to no agent"));
    let upkeep = on(Tab::Maintenance);
    assert!(upkeep.contains("belongs to no agent") && upkeep.contains("/maintenance#window-3"));
}

#[test]
fn incidents_are_paged_whole() {
    let ctx = context("Alarms", Nav::Alarms);
    let one = Span { limit: 1, ..ALL };
    let mut order = ListQuery::default();
    let mut seen = Vec::new();
    loop {
        let asked = ((&Kept::default(), &Hits::default()), &order, one);
        let html = super::page(&ctx, Tab::Open, &alarms(), asked).expect("rendered");
        let row = html.split("<td class=\"words slim\"><a class=\"plain\" href=\"/alarms/").nth(1);
        seen.push(row.and_then(|row| row.split('"').next()).expect("a row").to_owned());
        let Some(next) = html.split("rel=\"next\" href=\"").nth(1) else { break };
        let after = next.split('"').next().and_then(|href| href.split("after=").nth(1));
        order.after = after.map(str::to_owned);
    }
    assert_eq!(seen, ["7", "9"], "the worst first, whatever is newer");
}

#[test]
fn open_alarms_are_sorted_by_their_heads() {
    let ctx = context("Alarms", Nav::Alarms);
    let shown = |sort: &str| {
        let order = ListQuery { sort: sort.into(), ..ListQuery::default() };
        let asked = ((&Kept::default(), &Hits::default()), &order, ALL);
        super::page(&ctx, Tab::Open, &alarms(), asked).expect("rendered")
    };
    let before = |html: &str, a: &str, b: &str| html.find(a) < html.find(b);
    let (worst, newest) = ("href=\"/alarms/7\"", "href=\"/alarms/9\"");
    assert!(before(&shown("severity"), worst, newest) && before(&shown("raised"), newest, worst));
    assert!(before(&shown("-raised"), worst, newest));
    assert!(shown("-raised").contains("aria-sort=\"descending\"><a"), "{}", shown("-raised"));
    let mut over = alarms();
    over[0].alarm.state = crate::model::state::AlarmState::Cleared;
    let cleared = page(&ctx, Tab::Cleared, &over, ALL).expect("rendered");
    assert!(!cleared.contains("sort="), "the store has these in one order only");
    assert!(cleared.contains("Those raised last come first"), "{cleared}");
    assert!(!shown("").contains("Those raised last come first"));
}
