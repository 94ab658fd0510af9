use super::*;
use crate::notify::plan::{MailTls, Template, Way};

/// Files by name; what is not there cannot be read.
struct Shelf;

impl Files for Shelf {
    fn secret(&self, path: &str) -> Result<Secret, String> {
        self.open(path).map(Secret::new)
    }

    fn open(&self, path: &str) -> Result<String, String> {
        match path {
            "sign" => Ok("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".to_owned()),
            "bad" => Ok("hunter2".to_owned()),
            "url" => Ok("https://hooks.slack.com/services/T0/B0/xyz".to_owned()),
            _ => Err(format!("{path} cannot be read: not there")),
        }
    }
}

const WHOLE: &str = r#"
console = "https://kattila.example.org/"

[[channel]]
name = "chat"
type = "webhook"
url_file = "url"
template = "slack"
also = ["acknowledged"]

[[channel]]
name = "pager"
type = "webhook"
url = "https://pager.example.org/in"
secret_file = "sign"

[[channel]]
name = "mail"
type = "email"
smtp = "mail.example.org"
from = "kattila@example.org"
to = "ops@example.org"

[[route]]
severity_at_least = "major"
kinds = ["edge.*", "agent.offline"]
days = ["mon-fri"]
hours = "18:00-08:00"
utc_offset = "+02:00"
labels = { site = "oulu*" }
channels = ["pager", "chat"]
group_wait = 0
repeat_every = "4h"
escalate = [{ after = "15m", channels = ["mail"] }]
continue = true

[[route]]
channels = "chat"

[heartbeat]
url = "https://watch.example.org/ping"
every = 30
"#;

#[test]
fn a_whole_plan() {
    let plan = parse(WHOLE, &Shelf).unwrap();
    assert_eq!(plan.console.as_deref(), Some("https://kattila.example.org"));
    let [chat, pager, mail] = &plan.channels[..] else { panic!("{plan:?}") };
    assert_eq!(
        (chat.kind(), chat.place().as_str()),
        ("webhook (slack)", "https://hooks.slack.com")
    );
    let Way::Webhook(web) = &pager.way else { panic!("{pager:?}") };
    assert_eq!((web.secrets.len(), &web.template), (1, &Template::Kattila));
    let Way::Email(way) = &mail.way else { panic!("{mail:?}") };
    assert_eq!((way.port, way.tls), (587, MailTls::StartTls));
    let [first, second] = &plan.routes[..] else { panic!("{plan:?}") };
    let when = first.when.as_ref().unwrap();
    assert_eq!((when.hours, when.utc_offset_s, when.days[5]), ((1_080, 480), 7_200, false));
    assert_eq!((first.repeat_s, first.group_wait_s, first.goes_on), (14_400, 0, true));
    assert_eq!(first.escalate[0].after_s, 900);
    assert_eq!(*second, Route::to(vec!["chat".into()]));
    assert_eq!(plan.heartbeat.as_ref().map(|beat| beat.every_s), Some(30));
    assert_eq!(plan.news_wait("chat"), 0);
    let shown = format!("{plan:?}");
    assert!(!shown.contains("whsec") && !shown.contains("xyz"), "{shown}");
}

use crate::notify::route::Route;

#[test]
fn every_mistake_is_told_with_its_line_and_key() {
    let text = r#"colour = "red"
[[channel]]
name = "Big Chat"
type = "webhook"
url = "ftp://x"
secret_file = "bad"
[[channel]]
name = "mail"
type = "email"
smtp = "mail:port"
from = "nobody"
user = "me"
[[channel]]
type = "pigeon"
[[route]]
channels = ["mail", "nowhere"]
severity_at_least = "dreadful"
kinds = ["edge.gone"]
hours = "8-18"
days = "someday"
repeat_every = 5
utc_ofset = "+02:00"
[heartbeat]
every = "often"
"#;
    let told: Vec<String> =
        parse(text, &Shelf).unwrap_err().iter().map(ToString::to_string).collect();
    for start in [
        "line 1: colour is not known; did you mean",
        "line 3: channel.name \"Big Chat\" must be",
        "line 5: channel.url must begin with https://",
        "line 6: channel.secret_file must hold",
        "line 10: channel.smtp \"mail:port\" must be",
        "line 11: channel.from \"nobody\" must be",
        "line 7: channel.to is missing",
        "line 12: channel.user needs password_file",
        "line 13: channel.name is missing",
        "line 14: channel.type \"pigeon\" must be one of: webhook, email",
        "line 16: route.channels \"nowhere\" is no channel",
        "line 17: route.severity_at_least \"dreadful\" must be one of: warning",
        "line 18: route.kinds \"edge.gone\" fits no kind",
        "line 19: route.hours \"8-18\" must be",
        "line 20: route.days \"someday\" must be",
        "line 21: route.repeat_every must be 60 to",
        "line 22: route.utc_ofset is not known; did you mean utc_offset?",
        "line 23: heartbeat.url is missing",
        "line 24: heartbeat.every must be 10 to",
    ] {
        assert!(told.iter().any(|line| line.starts_with(start)), "{start} not in {told:#?}");
    }
    assert!(!told.join(" ").contains("hunter2"));
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let told = parse("\n[[channel]\nname = chat\n", &Shelf).unwrap_err();
    assert!(told.iter().any(|mistake| mistake.line == 2), "{told:?}");
}
