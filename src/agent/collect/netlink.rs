//! A netlink socket: requests to the kernel and their answers, and the kernel's own news.
//!
//! Small on purpose: one request at a time, one receive buffer that is wiped after every
//! datagram, an end to waiting. What the messages mean is not known here.
//!
//! Source: netlink(7), kernel `Documentation/userspace-api/netlink/intro.rst`.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, TokioSocket};
use tokio::time::timeout;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of one datagram: the kernel fills dumps up to 32 KiB if so much is offered.
const DATAGRAM_BYTES: usize = 32 * 1024;

/// How long the kernel may take for one request. A dump of a full routing table takes a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a dump is asked for again when the table changed meanwhile. The last one is taken
/// as it is: on a busy router every dump is interrupted.
const DUMP_TRIES: usize = 3;

/// Octets of a message's header (`struct nlmsghdr`).
const HEADER_BYTES: usize = 16;

/// What is done to a datagram before anything is read from it: a place to take secrets out.
pub(super) type Scrub = fn(&mut [u8]);

/// A socket of one netlink protocol.
pub(super) struct Socket {
    socket: TokioSocket,
    protocol: isize,
    scrub: Scrub,
    /// Never grows, so no copy of it is left behind.
    buffer: Zeroizing<Vec<u8>>,
    sequence: u32,
    /// An answer was not read to its end: the next request needs a new socket.
    spoiled: bool,
}

/// What a dump brought.
#[derive(Debug, Default)]
pub(super) struct Dump<T> {
    /// What was made of its messages.
    pub(super) kept: T,
    /// Messages that could not be understood.
    pub(super) unreadable: usize,
}

/// What the next message of a datagram is.
enum Step<M> {
    Message(M),
    /// Not understood, and passed over.
    Unreadable,
    /// The answer is complete.
    Done,
}

impl Socket {
    /// Opens a socket for requests.
    pub(super) fn open(protocol: isize, scrub: Scrub) -> io::Result<Self> {
        let buffer = Zeroizing::new(Vec::with_capacity(DATAGRAM_BYTES));
        let socket = connect(protocol)?;
        Ok(Self { socket, protocol, scrub, buffer, sequence: 0, spoiled: false })
    }

    /// Opens a socket that hears the news of multicast groups (`RTNLGRP_*`).
    pub(super) fn listen(protocol: isize, groups: &[u32]) -> io::Result<Self> {
        let socket = Self::open(protocol, leave)?;
        for group in groups {
            socket.socket.socket_ref().add_membership(*group)?;
        }
        Ok(socket)
    }

    /// Asks for a whole table and hands every entry to `keep`, which may end it early. If the
    /// table changed meanwhile, it is read again from the start.
    pub(super) async fn dump<M, T, K>(&mut self, request: &M, mut keep: K) -> io::Result<Dump<T>>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Clone,
        T: Default,
        K: FnMut(&mut T, M) -> ControlFlow<()>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            self.send(request.clone(), NLM_F_REQUEST | NLM_F_DUMP).await?;
            let mut dump = Dump::default();
            let interrupted = match timeout(PATIENCE, self.gather(&mut dump, &mut keep)).await {
                Ok(outcome) => outcome?,
                Err(_elapsed) => return Err(io::ErrorKind::TimedOut.into()),
            };
            if !interrupted || tries == DUMP_TRIES {
                return Ok(dump);
            }
        }
    }

    /// Asks for one thing.
    pub(super) async fn ask<M>(&mut self, request: M) -> io::Result<M>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.send(request, NLM_F_REQUEST).await?;
        let mut answer = Dump::<Option<M>>::default();
        let first = |kept: &mut Option<M>, message| {
            *kept = Some(message);
            ControlFlow::Break(())
        };
        match timeout(PATIENCE, self.gather(&mut answer, first)).await {
            Ok(outcome) => outcome?,
            Err(_elapsed) => return Err(io::ErrorKind::TimedOut.into()),
        };
        // The one message was the whole answer.
        self.spoiled = false;
        answer.kept.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Waits for news. Dropping the wait loses none. `ENOBUFS` tells that some were lost.
    pub(super) async fn news<M: NetlinkDeserializable>(&mut self) -> io::Result<Vec<M>> {
        self.receive().await?;
        let (mut messages, mut at) = (Vec::new(), 0);
        while let Some((step, _)) = next(&self.buffer, &mut at, None)? {
            match step {
                Step::Message(message) => messages.push(message),
                Step::Unreadable | Step::Done => {}
            }
        }
        Ok(messages)
    }

    /// Reads one answer to its end, or until `keep` has enough; whether it was interrupted.
    async fn gather<M, T, K>(&mut self, dump: &mut Dump<T>, mut keep: K) -> io::Result<bool>
    where
        M: NetlinkDeserializable,
        K: FnMut(&mut T, M) -> ControlFlow<()>,
    {
        let mut interrupted = false;
        loop {
            self.receive().await?;
            let mut at = 0;
            while let Some((step, flags)) = next(&self.buffer, &mut at, Some(self.sequence))
                .inspect_err(|_| self.spoiled = false)?
            {
                interrupted |= flags & NLM_F_DUMP_INTR != 0;
                match step {
                    Step::Message(message) => {
                        if keep(&mut dump.kept, message).is_break() {
                            return Ok(false);
                        }
                    }
                    Step::Unreadable => dump.unreadable += 1,
                    Step::Done => {
                        self.spoiled = false;
                        return Ok(interrupted);
                    }
                }
            }
        }
    }

    /// Sends a request; until its answer is complete the socket counts as spoiled.
    async fn send<M: NetlinkSerializable>(&mut self, request: M, flags: u16) -> io::Result<()> {
        if self.spoiled {
            self.socket = connect(self.protocol)?;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.spoiled = true;
        self.socket.send(&bytes).await.map(drop)
    }

    /// Receives one datagram into the buffer.
    async fn receive(&mut self) -> io::Result<()> {
        self.buffer.zeroize();
        self.socket.recv(&mut *self.buffer).await?;
        (self.scrub)(&mut self.buffer);
        Ok(())
    }
}

/// For protocols that carry no secrets.
pub(super) fn leave(_datagram: &mut [u8]) {}

fn connect(protocol: isize) -> io::Result<TokioSocket> {
    let socket = TokioSocket::new(protocol)?;
    socket.socket_ref().connect(&netlink_sys::SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// The next message of a datagram and its flags; `None` at the end. A refusal of the kernel is
/// an error. Messages that answer another request are passed over.
fn next<M: NetlinkDeserializable>(
    datagram: &[u8],
    at: &mut usize,
    sequence: Option<u32>,
) -> io::Result<Option<(Step<M>, u16)>> {
    while let Some(rest) = datagram.get(*at..).filter(|rest| rest.len() >= HEADER_BYTES) {
        let Ok(buffer) = NetlinkBuffer::new_checked(&rest) else { return Ok(None) };
        let length = usize::try_from(buffer.length()).unwrap_or(rest.len());
        let (flags, number) = (buffer.flags(), buffer.sequence_number());
        // Messages begin at multiples of four octets (`NLMSG_ALIGN`).
        *at += length.next_multiple_of(4);
        if sequence.is_some_and(|wanted| wanted != number) {
            continue;
        }
        let Some(bytes) = rest.get(..length) else { return Ok(None) };
        let step = match NetlinkMessage::<M>::deserialize(bytes).map(|message| message.payload) {
            Ok(NetlinkPayload::InnerMessage(message)) => Step::Message(message),
            Ok(NetlinkPayload::Done(done)) => refusal(done.code).map(|()| Step::Done)?,
            Ok(NetlinkPayload::Error(error)) => refusal(error.raw_code()).map(|()| Step::Done)?,
            Ok(_) => continue,
            Err(_unreadable) => Step::Unreadable,
        };
        return Ok(Some((step, flags)));
    }
    Ok(None)
}

/// The kernel's negative error number.
fn refusal(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::link::{LinkAttribute, LinkMessage};

    use super::*;

    /// A message about a link.
    fn link(sequence: u32, name: &str) -> Vec<u8> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let mut header = NetlinkHeader::default();
        header.sequence_number = sequence;
        let payload = NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link));
        let mut message = NetlinkMessage::new(header, payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
        message.serialize(&mut bytes);
        bytes
    }

    /// The end of an answer (`NLMSG_DONE`, a part of several).
    fn done(sequence: u32, code: i32) -> Vec<u8> {
        let (length, kind, flags) =
            (20_u32.to_ne_bytes(), 3_u16.to_ne_bytes(), 2_u16.to_ne_bytes());
        let (sequence, code) = (sequence.to_ne_bytes(), code.to_ne_bytes());
        [&length[..], &kind, &flags, &sequence, &[0; 4], &code].concat()
    }

    /// The steps of a datagram as letters, or the error.
    fn steps(bytes: &[u8]) -> Result<String, Option<i32>> {
        let (mut at, mut letters) = (0, String::new());
        while let Some((step, _)) = next::<RouteNetlinkMessage>(bytes, &mut at, Some(7))
            .map_err(|error| error.raw_os_error())?
        {
            letters.push(match step {
                Step::Message(_) => 'm',
                Step::Unreadable => 'u',
                Step::Done => 'd',
            });
        }
        Ok(letters)
    }

    #[test]
    fn messages_of_one_datagram() {
        let bytes = [link(7, "a"), link(6, "old"), link(7, "b"), done(7, 0)].concat();
        assert_eq!(steps(&bytes), Ok("mmd".to_owned()));
        assert_eq!(steps(&[]), Ok(String::new()));
        assert_eq!(steps(&bytes[..10]), Ok(String::new()));
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let mut bytes = [link(7, "abc"), link(7, "b")].concat();
        // The first link's only attribute claims to be longer than its message.
        bytes[32] = 0xff;
        assert_eq!(steps(&bytes), Ok("um".to_owned()));
    }

    #[test]
    fn a_refusal_is_the_systems_error() {
        assert_eq!(steps(&done(7, -1)), Err(Some(1)));
        assert_eq!(steps(&[done(6, -1), done(7, 0)].concat()), Ok("d".to_owned()));
    }
}
