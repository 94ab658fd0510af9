//! Who watches the stream with a token, as a program does.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An open stream, and all that it has told.
pub(crate) struct Stream {
    socket: TcpStream,
    /// What it told, headers included.
    pub(crate) text: String,
}

impl Stream {
    /// Goes on from a map.
    pub(crate) async fn after(map: &Value, addr: SocketAddr, token: &str) -> Self {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let request = format!(
            "GET /api/v1/stream HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer {token}\r\nLast-Event-ID: {}:{}\r\n\r\n",
            map["epoch"].as_str().unwrap(),
            map["seq"],
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        Self { socket, text: String::new() }
    }

    /// Reads on until it has told this.
    pub(crate) async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let mut some = [0; 4096];
            let count = self.socket.read(&mut some).await.unwrap();
            assert_ne!(count, 0, "the stream ended: {}", self.text);
            self.text.push_str(&String::from_utf8_lossy(&some[..count]));
        }
    }
}
