//! Every route, over real HTTP, for a signed-in user of each role.

use std::net::SocketAddr;

use kattila::http::routes;
use kattila::model::access::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{KIM, OLGA, add};
use crate::support::browser::Tab;
use crate::support::manager::TestManager;

/// The status of an answer whose body nobody reads: a stream's never ends.
async fn status(addr: SocketAddr, tab: &Tab, token: &str, (method, path): (&str, &str)) -> u16 {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let cookie = tab.cookie();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nOrigin: http://{addr}\r\nCookie: {cookie}\r\n\
         X-Kattila-Form: {token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Connection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reaches_what_it_may_and_is_refused_the_rest() {
    let kattila = TestManager::start_with(&[("KATTILA_RATE_SOURCE", "off")]).await;
    add(&kattila, "olga", "admin", OLGA).await;
    add(&kattila, "per", "operator", KIM).await;
    add(&kattila, "kim", "viewer", KIM).await;
    let everybody =
        [("kim", Role::Viewer, KIM), ("per", Role::Operator, KIM), ("olga", Role::Admin, OLGA)];
    for (name, have, password) in everybody {
        let tab = Tab::signed_in(kattila.addr(), name, password).await;
        let token = tab.form_token().await;
        let (mut allowed, mut refused) = (0, 0);
        // The way out comes last.
        let all = routes::all().into_iter().filter(|route| route.path != "/logout");
        for route in all {
            let Some(need) = route.need.role() else { continue };
            let path = route.path.replace("{id}", "0");
            let got = status(kattila.addr(), &tab, &token, (route.method, &path)).await;
            let what = format!("{name}: {} {path} answers {got}", route.method);
            if need > have {
                assert_eq!(got, 403, "{what}");
                refused += 1;
            } else {
                assert!(!matches!(got, 401 | 403 | 500..), "{what}");
                allowed += 1;
            }
        }
        assert!(allowed > 50 && (have == Role::Admin || refused > 30), "{allowed} {refused}");
        assert_eq!(status(kattila.addr(), &tab, &token, ("POST", "/logout")).await, 303);
        assert_eq!(tab.get("/account").await.status, 303, "the way out leads out");
    }
    kattila.stop().await;
}
