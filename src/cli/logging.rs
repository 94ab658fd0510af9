//! The log: lines on standard error, as text or as JSON.

use std::io::{self, IsTerminal as _};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::config::Log;
use crate::delivery::spans::layer::SpanLayer;

/// Begins to log, and to export spans if there is somebody who takes them.
pub fn begin(log: &Log, spans: Option<SpanLayer>) -> Result<(), TryInitError> {
    let wanted = FilterFn::new(SpanLayer::wants).with_max_level_hint(LevelFilter::DEBUG);
    let spans = spans.map(|spans| spans.with_filter(wanted));
    lines(log, io::stderr, io::stderr().is_terminal()).with(spans).try_init()
}

/// What the settings ask for, written somewhere. The filter has been checked with the other
/// settings; if it were wrong after all, `info` holds.
pub fn lines<W>(
    log: &Log,
    writer: W,
    colours: bool,
) -> impl Subscriber + for<'l> LookupSpan<'l> + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_checked| EnvFilter::new("info"));
    // The hint keeps what the settings leave out as cheap as it is without this.
    let harmless = FilterFn::new(is_harmless).with_max_level_hint(LevelFilter::TRACE);
    let lines = fmt::layer::<Registry>().with_writer(writer);
    let lines = if log.json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(colours).boxed()
    };
    Registry::default().with(lines.with_filter(filter.and(harmless)))
}

/// Whether a line may appear however much the settings ask for. The DNS crates write whole
/// answers at `debug`, and the answer to our question is the key.
fn is_harmless(line: &Metadata<'_>) -> bool {
    !line.target().starts_with("hickory_") || *line.level() <= Level::INFO
}
