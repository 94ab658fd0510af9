use super::*;
use crate::views::page::Nav;
use crate::views::samples::context;
use crate::views::samples::people::{people, sessions, tokens};

#[test]
fn users_tell_how_they_stand() {
    let ctx = context("Users", Nav::Settings);
    let made = MadeCode { name: "kim".into(), code: "setup_x".into(), until: ctx.now };
    let (all, programs) = (people(), tokens());
    let shown = |news: &News| users(&ctx, (&all, &programs), news).expect("rendered");
    let html = shown(&News::Code(made));
    for text in ["Active", "Disabled", "Has a setup code", "Needs a setup code", "setup_x"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(html.contains("action=\"/users/kim/role\""));
    assert!(html.contains("action=\"/users/kim/fleets\"") && html.contains("lab, office-north"));
    assert!(html.contains("<option value=\"admin\" selected>"));
    let later = shown(&News::Failed("no & no".into()));
    assert!(!later.contains("setup_x") && later.contains("no &#38; no"));
    let token = News::Token { name: "ci".into(), token: "kat_x".into() };
    assert!(shown(&token).contains("kat_x") && !format!("{token:?}").contains("kat_x"));
    assert!(html.contains("action=\"/tokens/71d0000000000001/revoke\""));
}

#[test]
fn only_users_have_a_password_to_change() {
    let ctx = context("admin", Nav::Nowhere);
    let own = sessions();
    let mut mine = Account {
        user: true,
        role: Role::Viewer,
        fleets: "lab, office",
        masked: true,
        sessions: &own,
        factor: None,
        failed: None,
    };
    let html = account(&ctx, &mine).expect("rendered");
    assert!(html.contains("/account/password") && html.contains("this one"));
    assert!(html.contains("lab, office"));
    assert!(html.contains("\"/account/factor\"") && !html.contains("/account/factor/off"));
    mine.factor = Some(3);
    let html = account(&ctx, &mine).expect("rendered");
    assert!(html.contains("/account/factor/off") && html.contains("3 recovery codes"));
    mine.user = false;
    assert!(!account(&ctx, &mine).expect("rendered").contains("/account/password"));
}

#[test]
fn the_first_page_says_where_the_code_is_from() {
    let mut ctx = context("Set up", Nav::Nowhere);
    ctx.role = None;
    let form = SetupForm { first: true, name: "", failed: None };
    assert!(set_up(&ctx, &form).expect("rendered").contains("what the manager printed"));
    let form = SetupForm { first: false, name: "kim", failed: Some("no") };
    let html = set_up(&ctx, &form).expect("rendered");
    assert!(html.contains("value=\"kim\"") && html.contains("an admin has given you"));
}
