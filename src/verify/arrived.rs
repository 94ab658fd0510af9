//! A body as it came in: what it must be, and what it takes to read it.

use bytes::Bytes;

use crate::wire::envelope::{self, Envelope, EnvelopeError};
use crate::wire::frame;

use super::shelf::Shelf;

/// The shape that a body has by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// JSON: a report of any version, or a relay's envelope.
    Json,
    /// A frame.
    Framed,
}

/// A body that is to be verified.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// As received.
    pub body: &'a Bytes,
    /// What it must be; `None` if that is to be told from the bytes.
    pub shape: Option<Shape>,
    /// The dictionaries that frames may be compressed with.
    pub shelf: Option<&'a Shelf>,
}

impl<'a> From<&'a Bytes> for Arrived<'a> {
    fn from(body: &'a Bytes) -> Self {
        Self { body, shape: None, shelf: None }
    }
}

impl<'a> Arrived<'a> {
    /// Takes it apart.
    pub(super) fn parse(&self) -> Result<Envelope<'a>, EnvelopeError> {
        match self.shape {
            None => envelope::parse(self.body),
            Some(Shape::Json) => envelope::parse_json(self.body),
            Some(Shape::Framed) => frame::parse(self.body).map(Envelope::V2),
        }
    }
}
