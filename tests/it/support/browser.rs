//! Somebody at a browser without scripts: signs in, keeps the cookie, sends the pages' forms with
//! the token of the form.

use std::net::SocketAddr;

use hyper::Method;

use super::http::{Answer, get, send};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A browser with the cookie of one session.
#[derive(Clone)]
pub(crate) struct Tab {
    addr: SocketAddr,
    cookie: Option<String>,
}

impl Tab {
    /// One that has not signed in.
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self { addr, cookie: None }
    }

    /// One that is signed in by name and password.
    pub(crate) async fn signed_in(addr: SocketAddr, name: &str, password: &str) -> Self {
        let mut tab = Self::new(addr);
        let answer = tab.sign_in(name, password).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        tab
    }

    /// The same browser after the manager moved to another address.
    pub(crate) fn moved(self, addr: SocketAddr) -> Self {
        Self { addr, ..self }
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.open_form("/login", &format!("name={name}&password={}", password.replace(' ', "+")))
            .await
    }

    /// Sends a form that needs no session, and keeps the cookie that comes back.
    pub(crate) async fn open_form(&mut self, path: &str, fields: &str) -> Answer {
        let origin = format!("http://{}", self.addr);
        let mut headers = vec![("origin", origin.as_str()), FORM];
        headers.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        let answer = send(self.addr, Method::POST, path, &headers, fields.to_owned()).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        if let Some(set) = answer.header("set-cookie") {
            self.cookie = set.split(';').next().map(str::to_owned);
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let accept = ("accept", "text/html");
        match &self.cookie {
            Some(cookie) => get(self.addr, path, &[("cookie", cookie), accept]).await,
            None => get(self.addr, path, &[accept]).await,
        }
    }

    /// What forms of this session must bring back.
    pub(crate) async fn form_token(&self) -> String {
        let page = self.get("/account").await.text();
        let token = page.split("name=\"form_token\" value=\"").nth(1).expect("a form");
        token.split('"').next().unwrap().to_owned()
    }

    /// Sends a form of a page, and keeps the cookie if another one comes back.
    pub(crate) async fn post(&mut self, path: &str, fields: &str) -> Answer {
        let token = self.form_token().await;
        self.open_form(path, &format!("form_token={token}&{fields}")).await
    }

    /// Sends a form as a browser does, which wants a page to come back.
    pub(crate) async fn submit(&mut self, path: &str, fields: &str) -> Answer {
        let token = self.form_token().await;
        let (origin, body) =
            (format!("http://{}", self.addr), format!("form_token={token}&{fields}"));
        let headers =
            [("origin", origin.as_str()), FORM, ("cookie", self.cookie()), ("accept", "text/html")];
        send(self.addr, Method::POST, path, &headers, body).await
    }

    /// The cookie, as sent.
    pub(crate) fn cookie(&self) -> &str {
        self.cookie.as_deref().expect("signed in")
    }
}
