//! The second factor: enrolled with its first code, asked for, used up, lost and taken away.

use kattila::sign::totp::{SECRET_BYTES, shown};

use super::{KIM, OLGA, failed, with_two};
use crate::support::browser::Tab;
use crate::support::http::Answer;
use crate::support::manager::TestManager;

/// What stands in the element of an id.
fn told(page: &Answer, id: &str) -> String {
    let text = page.text();
    let after = text.split(&format!("id=\"{id}\">")).nth(1).unwrap_or_else(|| panic!("{text}"));
    after.split("</ul>").next().unwrap().split("</code></p>").next().unwrap().to_owned()
}

/// Base 32, read.
fn secret(text: &str) -> [u8; SECRET_BYTES] {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        _ => u32::from(letter - b'2') + 26,
    };
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        held = ((held << 5) | value(letter)) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap());
        }
    }
    bytes.try_into().unwrap()
}

fn recovery(page: &Answer) -> Vec<String> {
    let list = told(page, "recovery");
    list.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// Signs in, in a browser of its own.
async fn sign_in(kattila: &TestManager, password: &str, code: &str) -> u16 {
    let fields = format!("name=kim&password={}&code={code}", password.replace(' ', "+"));
    Tab::new(kattila.addr()).open_form("/login", &fields).await.status
}

/// The code that the app shows now.
fn code(kattila: &TestManager, secret: &[u8; SECRET_BYTES]) -> String {
    shown(secret, kattila.clock.now().0)
}

/// Kim's browser after enrolling, with the secret and the recovery codes.
async fn enrolled(kattila: &TestManager) -> (Tab, [u8; SECRET_BYTES], Vec<String>) {
    let mut tab = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let other = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let wrong = tab.post("/account/factor", "password=guess").await;
    assert_eq!((wrong.status, failed(&wrong).contains("another one")), (403, true));
    assert_eq!(tab.post("/account/factor/confirm", "code=123456").await.status, 409, "no secret");
    let typed = format!("password={}", KIM.replace(' ', "+"));
    let page = tab.post("/account/factor", &typed).await;
    let secret = secret(&told(&page, "secret"));
    assert!(
        page.text().contains("otpauth://totp/Kattila:kim?secret=") && page.text().contains("<svg")
    );
    assert_eq!(sign_in(kattila, KIM, "").await, 303, "it does not count yet");
    let early = tab.post("/account/factor/confirm", "code=000000").await;
    assert_eq!((early.status, failed(&early).contains("no code")), (400, true));
    let confirm = format!("code={}", code(kattila, &secret));
    let page = tab.post("/account/factor/confirm", &confirm).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let codes = recovery(&page);
    assert_eq!(codes.len(), 10);
    assert_eq!(tab.get("/account").await.status, 200, "a new session");
    assert_eq!(other.get("/account").await.status, 303, "others have ended");
    (tab, secret, codes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_needed_and_counts_once() {
    let kattila = with_two().await;
    let (mut tab, secret, codes) = enrolled(&kattila).await;
    let first = code(&kattila, &secret);
    assert_eq!(sign_in(&kattila, KIM, "").await, 401);
    assert_eq!(sign_in(&kattila, KIM, &first).await, 401, "it was used to enrol");
    kattila.clock.set(kattila.clock.now().plus(60));
    let second = code(&kattila, &secret);
    assert_eq!(sign_in(&kattila, "wrong", &second).await, 401);
    assert_eq!(sign_in(&kattila, KIM, &second).await, 303);
    assert_eq!(sign_in(&kattila, KIM, &second).await, 401, "used");
    // A used code stays used over a restart, and so does a recovery code.
    let kattila = kattila.restart().await;
    tab = tab.moved(kattila.addr());
    assert_eq!(sign_in(&kattila, KIM, &second).await, 401);
    let typed = codes[3].to_lowercase().replace('-', "");
    assert_eq!(sign_in(&kattila, KIM, &typed).await, 303);
    assert_eq!(sign_in(&kattila, KIM, &codes[3]).await, 401);
    assert!(tab.get("/account").await.text().contains("9 recovery codes are left"));
    let rows = crate::support::rows::Rows::of(&kattila.db()).table("users").join("\n");
    assert!(codes.iter().all(|code| !rows.contains(code.as_str())));

    // The own password can be changed without a code, in a session that was opened with one.
    let typed = KIM.replace(' ', "+");
    let fields = format!("old={typed}&password=copper+kettle&again=copper+kettle");
    assert_eq!(tab.post("/account/password", &fields).await.status, 303);
    assert_eq!(tab.get("/account").await.status, 200);
    let off = tab.post("/account/factor/off", "password=guess").await;
    assert_eq!(off.status, 403);
    assert_eq!(tab.post("/account/factor/off", "password=copper+kettle").await.status, 303);
    assert_eq!(sign_in(&kattila, "copper kettle", "").await, 303);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_code_is_no_way_around_and_an_admin_is_the_way_back() {
    let kattila = with_two().await;
    let (tab, secret, _) = enrolled(&kattila).await;
    let mut olga = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    assert!(olga.get("/users").await.text().contains("second factor"));
    let page = olga.post("/users/kim/reset", "").await.text();
    let setup = page.split("id=\"setup-code\">").nth(1).unwrap().split('<').next().unwrap();
    let mut kim = Tab::new(kattila.addr());
    let fields = format!("name=kim&code={setup}&password=copper+kettle&again=copper+kettle");
    let answer = kim.open_form("/setup", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/login")));
    assert_eq!(answer.header("set-cookie"), None, "no session without the second factor");
    assert_eq!(sign_in(&kattila, "copper kettle", "").await, 401);
    kattila.clock.set(kattila.clock.now().plus(60));
    assert_eq!(sign_in(&kattila, "copper kettle", &code(&kattila, &secret)).await, 303);
    assert_eq!(olga.post("/users/kim/drop-factor", "").await.status, 303);
    assert_eq!(tab.get("/account").await.status, 303, "sessions ended");
    assert_eq!(sign_in(&kattila, "copper kettle", "").await, 303);
    let none =
        kattila.operator().post("/api/v1/users/kim/drop-factor", &serde_json::json!({})).await;
    assert_eq!(none.status, 409, "{}", none.text());
    kattila.stop().await;
}
