//! Watches spans open and close, and keeps of them what may leave the process.
//!
//! Which fields may is a list, so that nothing leaves because somebody added it to a log line.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::model::trace::TraceParent;

/// What is known of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) id: Option<String>,
    pub(super) method: Option<String>,
    pub(super) route: Option<String>,
    pub(super) status: Option<u64>,
    pub(super) code: Option<String>,
    /// The span of whoever sent it, in another process.
    pub(super) sender: Option<TraceParent>,
}

/// A span that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: &'static str,
    /// Nanoseconds since 1970, as near as milliseconds tell.
    pub(super) began_ns: u128,
    pub(super) took_ns: u128,
    pub(super) facts: Facts,
}

impl Closed {
    /// A span that begins here is part of its sender's trace, if there is one.
    fn join_sender(&mut self) {
        if let (Some(sender), None) = (self.facts.sender, self.parent) {
            (self.trace, self.parent) = (sender.trace, Some(sender.parent));
        }
    }
}

/// A span that is not.
struct Open {
    closed: Closed,
    began: Instant,
}

/// Hands closed spans to whoever exports them.
#[derive(Debug)]
pub struct SpanLayer {
    to: mpsc::Sender<Closed>,
    dropped: Arc<AtomicU64>,
    clock: Clock,
}

impl SpanLayer {
    pub(super) fn new(to: mpsc::Sender<Closed>, dropped: Arc<AtomicU64>, clock: Clock) -> Self {
        Self { to, dropped, clock }
    }

    /// Whether the layer wants to hear of this: requests but for health checks, what they wait
    /// for, and what is said of their answers.
    pub fn wants(what: &Metadata<'_>) -> bool {
        let target = what.target();
        if what.is_span() {
            let is_health = what.name() == "request" && *what.level() > Level::INFO;
            target.starts_with("kattila::http") && !is_health
        } else {
            target == "kattila::http::observe"
        }
    }

    fn open(&self, name: &'static str, parent: Option<&Closed>) -> Open {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        // Without random numbers a name is not unique, which harms nobody.
        getrandom::fill(&mut span).unwrap_or_default();
        match parent {
            Some(parent) => trace = parent.trace,
            None => getrandom::fill(&mut trace).unwrap_or_default(),
        }
        let began_ns = u128::try_from(self.clock.now_millis()).unwrap_or(0) * 1_000_000;
        let parent = parent.map(|parent| parent.span);
        let facts = Facts::default();
        let closed = Closed { trace, span, parent, name, began_ns, took_ns: 0, facts };
        Open { closed, began: Instant::now() }
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'l> LookupSpan<'l>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = span.parent();
        let parent = parent.as_ref().map(|parent| parent.extensions());
        let parent = parent.as_ref().and_then(|held| held.get::<Open>());
        let mut open = self.open(span.name(), parent.map(|open| &open.closed));
        attributes.record(&mut open.closed.facts);
        open.closed.join_sender();
        span.extensions_mut().insert(open);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            event.record(&mut open.closed.facts);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Open { mut closed, began }) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        closed.took_ns = began.elapsed().as_nanos();
        if self.to.try_send(closed).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Takes what the list allows and nothing else.
impl Visit for Facts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "status" {
            self.status = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let kept = match field.name() {
            "id" => &mut self.id,
            "method" => &mut self.method,
            "route" => &mut self.route,
            "code" => &mut self.code,
            "traceparent" => {
                self.sender = format!("{value:?}").parse().ok();
                return;
            }
            _ => return,
        };
        *kept = Some(format!("{value:?}"));
    }
}
