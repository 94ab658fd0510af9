//! Who watches the stream with a token, as a program does.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// An open stream, and all that it has told.
pub(crate) struct Stream {
    socket: TcpStream,
    /// What it told, headers included.
    pub(crate) text: String,
}

impl Stream {
    /// Goes on from a map.
    pub(crate) async fn after(map: &Value, addr: SocketAddr, token: &str) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap(), map, token).await
    }

    /// The same for somebody who takes a few kilobytes and no more until they read on.
    pub(crate) async fn narrow(map: &Value, addr: SocketAddr, token: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(addr).await.unwrap(), map, token).await
    }

    async fn over(mut socket: TcpStream, map: &Value, token: &str) -> Self {
        let request = format!(
            "GET /api/v1/stream HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer {token}\r\nLast-Event-ID: {}:{}\r\n\r\n",
            map["epoch"].as_str().unwrap(),
            map["seq"],
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        Self { socket, text: String::new() }
    }

    /// The patches that it has told so far.
    pub(crate) fn patches(&self) -> Vec<Value> {
        let events = self.text.split("event: patch").skip(1);
        let data = events.filter_map(|event| event.split_once("data: ")?.1.lines().next());
        data.filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// Reads on until it has told this.
    pub(crate) async fn until(&mut self, wanted: &str) {
        // What was looked through once is not looked through again.
        let mut from = 0;
        while !self.text.as_bytes()[from..].windows(wanted.len()).any(|w| w == wanted.as_bytes()) {
            from = self.text.len().saturating_sub(wanted.len());
            let mut some = [0; 8192];
            let count = self.socket.read(&mut some).await.unwrap();
            assert_ne!(count, 0, "the stream ended: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&some[..count]));
        }
    }
}
