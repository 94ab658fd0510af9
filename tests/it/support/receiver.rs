//! Who receives notifications: an HTTP server and an SMTP server on loopback that keep what they
//! got, and misbehave as they are told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How a receiver answers the next request; without any, it takes it.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    /// This status, with these headers.
    Status(u16, &'static str),
    /// The connection is closed before anything is answered.
    Cut,
    /// The connection is closed in the middle of the answer's body.
    Half,
    /// Nothing is answered until the receiver is told to.
    Hold(Arc<Notify>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What the alarms in it are: telling, kind and severity.
    pub(crate) fn told(&self) -> Vec<String> {
        let body = self.json();
        let word = |alarm: &Value, name: &str| alarm[name].as_str().unwrap().to_owned();
        let alarms = body["data"]["alarms"].as_array().unwrap().iter();
        let mut told: Vec<String> = alarms
            .map(|a| format!("{} {} {}", word(a, "telling"), word(a, "kind"), word(a, "severity")))
            .collect();
        told.sort();
        told
    }

    /// Checks the signature as the specification of Standard Webhooks says, with openssl: the
    /// program's own code has no part in it.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let id = self.header("webhook-id");
        let content = format!("{id}.{}.{}", self.header("webhook-timestamp"), self.body);
        let mac = openssl_mac(&key, content.as_bytes());
        let wanted = format!("v1,{}", STANDARD.encode(mac));
        self.header("webhook-signature").split(' ').any(|signature| signature == wanted)
    }
}

fn openssl_mac(key: &[u8], content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{hex}"), "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// A webhook's receiver.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    moods: Arc<Mutex<VecDeque<Mood>>>,
    came: Arc<Notify>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (got, moods, came) =
            <(Arc<Mutex<Vec<Got>>>, Arc<Mutex<VecDeque<Mood>>>, Arc<Notify>)>::default();
        let (all, next, notify) = (Arc::clone(&got), Arc::clone(&moods), Arc::clone(&came));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (all, next, notify) =
                    (Arc::clone(&all), Arc::clone(&next), Arc::clone(&notify));
                tokio::spawn(async move { serve(stream, &all, &next, &notify).await });
            }
        });
        Self { addr, got, moods, came }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How the next requests are answered, in order.
    pub(crate) fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.moods.lock().unwrap().extend(moods);
    }

    /// Waits for a request that came since it was last asked, or comes.
    pub(crate) async fn came(&self) {
        self.came.notified().await;
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    /// The only thing that came since the last time.
    pub(crate) fn take_one(&self) -> Got {
        let mut all = self.take();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }
}

async fn serve(
    stream: TcpStream,
    all: &Mutex<Vec<Got>>,
    moods: &Mutex<VecDeque<Mood>>,
    came: &Notify,
) {
    let mut stream = BufReader::new(stream);
    while let Some(got) = request(&mut stream).await {
        all.lock().unwrap().push(got);
        came.notify_one();
        let mood = moods.lock().unwrap().pop_front();
        let answer = match mood {
            None => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Some(Mood::Status(status, headers)) => {
                format!("HTTP/1.1 {status} As Told\r\n{headers}content-length: 0\r\n\r\n")
            }
            Some(Mood::Half) => "HTTP/1.1 500 Broken\r\ncontent-length: 100\r\n\r\nhal".to_owned(),
            Some(Mood::Cut) => return,
            Some(Mood::Hold(until)) => {
                until.notified().await;
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
        };
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() || answer.ends_with("hal") {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Got { path, headers, body: String::from_utf8(body).unwrap() })
}

/// A mail as it came.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    /// Who signed in: the base64 of `AUTH PLAIN`, or nothing.
    pub(crate) login: String,
    pub(crate) encrypted: bool,
}

/// A mail server. What it says to a command can be replaced, once: `("RCPT", "550 no such user")`.
#[derive(Clone)]
pub(crate) struct MailServer {
    pub(crate) addr: SocketAddr,
    got: Arc<Mutex<Vec<Mail>>>,
    says: Arc<Mutex<VecDeque<(&'static str, &'static str)>>>,
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl MailServer {
    pub(crate) async fn start(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = Self { addr, got: Arc::default(), says: Arc::default(), tls };
        let this = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let this = this.clone();
                tokio::spawn(async move { this.talk(stream).await });
            }
        });
        server
    }

    /// What it says once instead of the usual; an empty text closes the connection.
    pub(crate) fn will_say(&self, command: &'static str, answer: &'static str) {
        self.says.lock().unwrap().push_back((command, answer));
    }

    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    async fn talk(&self, stream: TcpStream) {
        let mut plain = BufReader::new(stream);
        if plain.get_mut().write_all(b"220 mail.test ESMTP\r\n").await.is_err() {
            return;
        }
        if !self.commands(&mut plain, false).await {
            return;
        }
        let Some(tls) = &self.tls else { return };
        let Ok(secret) = tls.accept(plain.into_inner()).await else { return };
        self.commands(&mut BufReader::new(secret), true).await;
    }

    /// Answers commands; true if TLS shall begin.
    async fn commands<S>(&self, stream: &mut BufReader<S>, encrypted: bool) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut mail =
            Mail { to: Vec::new(), text: String::new(), login: String::new(), encrypted };
        loop {
            let mut line = String::new();
            if !matches!(stream.read_line(&mut line).await, Ok(1..)) {
                return false;
            }
            let line = line.trim_end().to_owned();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let told = self.told(&verb);
            let offers = if self.tls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
            let usual = match verb.as_str() {
                "EHLO" => format!("250-mail.test\r\n{offers}250 AUTH PLAIN\r\n"),
                "DATA" => "354 go on\r\n".to_owned(),
                "STARTTLS" => "220 ready\r\n".to_owned(),
                "AUTH" => "235 welcome\r\n".to_owned(),
                "QUIT" => "221 bye\r\n".to_owned(),
                _ => "250 fine\r\n".to_owned(),
            };
            let refused = told.is_some();
            let answer = told.map_or(usual, |told| format!("{told}\r\n"));
            if answer == "\r\n" || stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
                return false;
            }
            match verb.as_str() {
                _ if refused => {}
                "STARTTLS" => return true,
                "AUTH" => mail.login = line.rsplit(' ').next().unwrap_or_default().to_owned(),
                "RCPT" => mail.to.push(line),
                "DATA" => {
                    mail.text = text(stream).await;
                    let told = self.told("TEXT");
                    let answer = told.unwrap_or("250 taken");
                    if told.is_none() {
                        self.got.lock().unwrap().push(mail.clone());
                    }
                    let answer = format!("{answer}\r\n");
                    if answer == "\r\n"
                        || stream.get_mut().write_all(answer.as_bytes()).await.is_err()
                    {
                        return false;
                    }
                }
                "QUIT" => return false,
                _ => {}
            }
        }
    }

    fn told(&self, verb: &str) -> Option<&'static str> {
        let mut says = self.says.lock().unwrap();
        let at = says.iter().position(|(command, _)| *command == verb)?;
        says.remove(at).map(|(_, answer)| answer)
    }
}

/// A mail's text up to the line with the dot.
async fn text<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> String {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if !matches!(stream.read_line(&mut line).await, Ok(1..)) || line == ".\r\n" {
            return text;
        }
        text.push_str(&line);
    }
}
