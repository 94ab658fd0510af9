//! Every page of the console once, and what holds of all of them.

use super::alarms::{alarm_page, alarms, incidents, quality_page, windows};
use super::manager::{api, key_source, keys, manager, usage};
use super::*;
use crate::views::error::tests::wrong;

/// Every page, by the name of its file.
fn every_page() -> Vec<(&'static str, String)> {
    let envelope = b"{\"data\":{}}".to_vec();
    let stored = StoredReport { summary: reports().remove(0), envelope, own_key: None };
    let mut stranger = context("Sign in", Nav::Nowhere);
    stranger.role = None;
    stranger.signed_in = false;
    let of = |title, nav| context(title, nav);
    let reports_ctx = of("Reports", Nav::Reports);
    let text = String::from_utf8_lossy(&stored.envelope).into_owned();
    let shown = crate::views::report::Shown {
        report: &stored,
        proven: &Proven::Holds,
        text,
        encoding: None,
    };
    let report = crate::views::report::page(&of("Report 4", Nav::Reports), shown);
    let events_page = crate::views::events::page(
        &of("Events", Nav::Events),
        &events(),
        (&by_number("/events"), &Hits::default()),
    );
    let settings_ctx = of("Settings", Nav::Settings);
    let settings_page =
        crate::views::settings::page(&settings_ctx, &key_source(), &keys(), &usage(), &manager());
    let mut pages = pages_of_the_network();
    pages.extend([
        (
            "reports",
            crate::views::reports::page(
                &reports_ctx,
                &reports(),
                (&refusals(), Some(&crate::views::rates::tests::sample())),
                (&by_number("/reports"), &Hits::default()),
            ),
        ),
        ("report", report),
        ("events", events_page),
        ("settings", settings_page),
        ("audit", Ok(crate::views::audit::tests::sample(&of("Audit", Nav::Events)))),
        ("site", crate::views::site::tests::sample()),
        ("login", crate::views::login::page(&stranger, &login(true), None)),
        ("login-token", crate::views::login::page(&stranger, &login(false), Some("Not accepted."))),
        ("signed-in", crate::views::login::signed_in(&stranger, "olga", "/map")),
        ("setup", set_up(&stranger)),
        ("users", users()),
        ("account", account()),
        ("factor", factor()),
        ("recovery", recovery()),
        ("api", api_page()),
        ("error-403", crate::views::error::page(&of("Not allowed", Nav::Nowhere), &wrong(403))),
        ("error-404", crate::views::error::page(&of("Nothing here", Nav::Nowhere), &wrong(404))),
        ("error-409", crate::views::error::page(&of("Too late", Nav::Nowhere), &wrong(409))),
        ("error-500", crate::views::error::page(&of("Failed", Nav::Nowhere), &wrong(500))),
        ("error-503", crate::views::error::page(&of("Busy", Nav::Nowhere), &wrong(503))),
        ("error", crate::views::error::page(&stranger, &wrong(404))),
    ]);
    pages.into_iter().map(|(name, page)| (name, page.expect(name))).collect()
}

fn api_page() -> Result<String, askama::Error> {
    let (operations, codes) = api();
    let context = context("API", crate::views::page::Nav::Settings);
    crate::views::api::page(&context, (&operations, &codes), &Looked::default())
}

fn login(users: bool) -> crate::views::login::LoginForm<'static> {
    let (name, next, vouched) = ("", "/map", users.then_some("olga"));
    let provider = users.then(|| "id.example.org".to_owned());
    crate::views::login::LoginForm {
        users,
        setup: !users,
        with_token: false,
        name,
        next,
        vouched,
        provider,
    }
}

fn set_up(ctx: &PageContext) -> Result<String, askama::Error> {
    crate::views::people::set_up(
        ctx,
        &crate::views::people::SetupForm { first: true, name: "", failed: None },
    )
}

fn users() -> Result<String, askama::Error> {
    let ctx = context("Users", Nav::Settings);
    let made = crate::views::people::MadeCode {
        name: "kim".to_owned(),
        code: "setup_q9mXb1kQ2r7uJ0n4Zt5sWc8yV3hLfE6gPaDxKoIiRUE".to_owned(),
        until: NOW.plus(86_400),
    };
    let news = crate::views::people::News::Code(made);
    crate::views::people::users(&ctx, (&people::people(), &people::tokens()), &news)
}

fn account() -> Result<String, askama::Error> {
    let own = people::sessions();
    let account = crate::views::people::Account {
        user: true,
        role: Role::Admin,
        fleets: "all fleets",
        masked: false,
        sessions: &own,
        factor: Some(9),
        failed: None,
    };
    crate::views::people::account(&context("Your account", Nav::Nowhere), &account)
}

fn factor() -> Result<String, askama::Error> {
    let uri = "otpauth://totp/Kattila:olga%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
               &issuer=Kattila"
        .to_owned();
    let step = crate::views::people::FactorStep::Enrol {
        secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
        qr: crate::views::qr::of(&uri),
        uri,
        failed: Some("This is no code of the secret now.".to_owned()),
    };
    crate::views::people::factor(&context("A second factor", Nav::Nowhere), &step)
}

fn recovery() -> Result<String, askama::Error> {
    let codes = (0..10).map(|n| format!("MZXW-6YTB-OI{n}7-GEZD")).collect();
    let step = crate::views::people::FactorStep::Enrolled(codes);
    crate::views::people::factor(&context("Recovery codes", Nav::Nowhere), &step)
}

fn paths_page() -> Result<String, askama::Error> {
    let answers = crate::views::paths::Answers {
        ways: &[ways::journey()],
        carriers: Some(&ways::carriers()),
        networks: Some(crate::views::paths::Networks {
            all: &ways::networks(),
            sort: "prefix",
            left_out: 1,
            goes_on: false,
            next: Some("hosts~lab~10.9.0.0/24"),
        }),
        ..crate::views::paths::Answers::default()
    };
    let asked = crate::views::paths::Asked::default();
    crate::views::paths::page(&context("Paths", Nav::Paths), &asked, &answers)
}

fn by_number(path: &'static str) -> crate::views::list::Numbered<'static> {
    let (oldest_first, goes_on) = (false, false);
    crate::views::list::Numbered { path, agent: "", q: "", oldest_first, goes_on, limit: 100 }
}

fn agents_page(ctx: &PageContext) -> Result<String, askama::Error> {
    let listed = crate::views::agents::AgentListItem::from_picture(&picture());
    let told = crate::views::agents::acknowledged((3, 2, true));
    let ctx = PageContext { told: Some(told), ..ctx.clone() };
    let all = (&ListQuery::default(), &Hits::default());
    crate::views::agents::page(&ctx, &listed, &waiting(), all)
}

fn pages_of_the_network() -> Vec<(&'static str, Result<String, askama::Error>)> {
    let (query, all) = (ListQuery::default(), Hits::default());
    let map = context("Map", Nav::Map);
    let agents = context("Agents", Nav::Agents);
    let links = context("Links", Nav::Links);
    let alarms_ctx = context("Alarms", Nav::Alarms);
    let dead = picture().edges.remove(1);
    let open = crate::views::alarms::Tab::Open;
    let (taken, loss) = ways::loss();
    let paths = context("Paths", Nav::Paths);
    let (picture, told, sent) = (picture(), alarms(), reports());
    let relays_for = ["tre-gw1".parse().expect("an agent")];
    let drawn = curves::day(NOW);
    let span = crate::views::alarms::Span { before: None, limit: 100 };
    let around = crate::views::agent::Around {
        picture: &picture,
        delays: &[1, 0],
        relays_for: &relays_for,
        alarms: &told,
        reports: &sent,
        refused: &refusals(),
        windows: &windows(),
        curves: &drawn,
    };
    vec![
        ("paths", paths_page()),
        ("what-if", crate::views::what_if::page(&paths, "hel-gw1", Ok((&taken, &loss)))),
        ("weak-points", crate::views::what_if::start(&paths, &ways::weakest())),
        ("map", crate::views::map::page(&map, &picture, &start())),
        ("empty", crate::views::map::page(&map, &Picture::default(), &start())),
        ("agents", agents_page(&agents)),
        ("agent", crate::views::agent::page(&agents, &agent(), &around)),
        ("links", crate::views::links::page(&links, &picture, (&query, &all))),
        (
            "link",
            crate::views::link::page(&links, &dead, ["hel-gw1", "oul-gw2"], (&events(), &drawn)),
        ),
        (
            "alarms",
            crate::views::alarms::page(
                &alarms_ctx,
                open,
                &incidents(),
                ((&Default::default(), &Hits::default()), &ListQuery::default(), span),
            ),
        ),
        ("notifications", notifications()),
        (
            "rules",
            crate::views::rules::page(&context("Alarm rules", Nav::Alarms), &notices::rules()),
        ),
        ("alarm", alarm_page()),
        ("quality", quality_page()),
        ("maintenance", crate::views::maintenance::page(&alarms_ctx, &windows())),
    ]
    .into_iter()
    .chain(pages_of_the_past())
    .collect()
}

/// A context of a page about the past.
fn then(title: &str, nav: Nav, path: &str) -> PageContext {
    let learnt_later = [("00000000000000b2".to_owned(), NOW)].into();
    let at = NOW.minus(3_600);
    let (previous, next) = (Some(at.minus(60)), Some(at.plus(5)));
    let keep = "q=state%3Adown&".to_owned();
    let viewing = crate::views::then::Viewing {
        at,
        path: path.to_owned(),
        keep,
        previous,
        next,
        learnt_later,
    };
    PageContext { then: Some(viewing), ..context(title, nav) }
}

fn pages_of_the_past() -> Vec<(&'static str, Result<String, askama::Error>)> {
    let picture = picture();
    let listed = crate::views::agents::AgentListItem::from_picture(&picture);
    let query = ListQuery { at: Some(NOW.minus(3_600)), ..ListQuery::default() };
    let all = Hits::default();
    let agents = then("Agents", Nav::Agents, "/agents");
    let links = then("Links", Nav::Links, "/links");
    let agent = then("oul-gw2", Nav::Agents, "/agents/oul-gw2");
    let link = then("Link", Nav::Links, "/links/00000000000000b2");
    let gone = context("Link", Nav::Links);
    let ends = || ["hel-gw1".to_owned(), "oul-gw2".to_owned()];
    let dead = picture.edges.get(1);
    let changes = context("Changes", Nav::Events);
    let difference = crate::views::changes::samples::told();
    let times = (NOW.minus(86_400), NOW);
    let drawn = curves::day(NOW.minus(3_600));
    use crate::views::thing_then;
    vec![
        ("agents-then", crate::views::agents::page(&agents, &listed, &[], (&query, &all))),
        ("links-then", crate::views::links::page(&links, &picture, (&query, &all))),
        ("link-then", thing_then::link(&link, dead, ends(), (None, &events(), Some(&drawn)))),
        ("link-gone", thing_then::link(&gone, dead, ends(), (Some(NOW), &events(), None))),
        ("link-not-there", thing_then::link(&link, None, ends(), (None, &[], None))),
        (
            "agent-then",
            thing_then::agent(
                &agent,
                &picture,
                ("oul-gw2", Some(NOW), Some(&said())),
                (&events(), Some(&drawn)),
            ),
        ),
        ("changes", crate::views::changes::page(&changes, times, Ok(&difference))),
        (
            "changes-refused",
            crate::views::changes::page(&changes, times, Err("The history begins later.")),
        ),
    ]
}

fn notifications() -> Result<String, askama::Error> {
    let mut ctx = context("Notifications", Nav::Alarms);
    ctx.channels_failing = vec!["mail".to_owned()];
    let shown = crate::views::notifications::Shown { limit: 100, ..Default::default() };
    crate::views::notifications::page(&ctx, &notices::overview(), &notices::notices(), &shown)
}

/// Elements that have no end tag.
const VOID: [&str; 5] = ["meta", "link", "input", "br", "!doctype"];

fn open_elements(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).expect("a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "in <{tag}> after {open:?}");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    open
}

#[test]
fn every_page_is_well_formed_and_fits_the_content_security_policy() {
    // Kept for `tests/browser/preview.mjs`, which shows them with made-up data.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pages");
    std::fs::create_dir_all(folder).expect("a place for the pages");
    for (name, html) in every_page() {
        std::fs::write(format!("{folder}/{name}.html"), &html).expect("a page kept");
        assert_eq!(open_elements(&html), Vec::<String>::new(), "{name}");
        for banned in [" style=", "<style", "javascript:", " onclick=", " onload=", "http-equiv"] {
            assert!(!html.contains(banned), "{name} has {banned}");
        }
        for script in html.split("<script").skip(1) {
            assert!(script.contains("></script>"), "{name} has an inline script");
        }
        let posts = html.matches("method=\"post\"").count();
        let tokens = html.matches("name=\"form_token\" value=\"form-token\"").count();
        let open = name.starts_with("login") || name == "setup";
        assert!(posts == tokens || open, "{name}: a form without its token");
        assert!(html.contains("id=\"main\"") && html.matches("<h1").count() == 1, "{name}");
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name} uses an id twice");
    }
}

/// Tables that are no lists of their own: parts of one thing, or of one answer. Each is told whole.
const PARTS: [&str; 30] = [
    "Interfaces",
    "WireGuard peers",
    "Routes",
    "Report path",
    "Peers",
    "Parts",
    "Question",
    "Details",
    "What the ends report",
    "What the ends reported",
    "What the thresholds make of the fleet",
    "Settings in force",
    "Codes of refusals",
    "Changed here",
    "Last changes",
    // The next lists begin on the page of one thing, which leads to the whole list.
    "Alarms",
    "Reports",
    "Events",
    "Refused",
    // What differs between two times, and what is lost without something.
    "What happened",
    "Agents that appeared",
    "Agents that went",
    "Agents",
    "Links",
    "Links that appeared",
    "Links that went",
    "Reports per minute, as a table",
    "Networks",
    "Single points of failure",
    "Hosts",
];

/// Pages that are about one thing or answer one question: their tables may be parts.
fn is_of_one(name: &str) -> bool {
    let ones = [
        "agent",
        "link",
        "report",
        "alarm",
        "changes",
        "what-if",
        "api",
        "paths",
        "map",
        "weak-points",
    ];
    ones.iter().any(|one| name == *one || name.starts_with(&format!("{one}-")))
}

#[test]
fn every_list_is_sorted_by_its_heads_paged_and_taken_away() {
    let mut lists = 0;
    for (name, html) in every_page() {
        for table in html.split("<div class=\"scroll\"").skip(1) {
            let label = table.split("aria-label=\"").nth(1).and_then(|rest| rest.split('"').next());
            let label = label.expect("a name");
            let heads = table.split("</thead>").next().expect("heads");
            if heads.contains("sort=") {
                assert!(html.contains(">CSV</a>") && html.contains(">JSON</a>"), "{name}: {label}");
                lists += 1;
            } else {
                let is_part = PARTS.contains(&label) || label.ends_with("as a table");
                assert!(is_of_one(name) || is_part, "{name}: {label} is not sorted");
            }
        }
    }
    assert!(lists >= 15, "{lists}");
}
