//! The one binary.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// A report is taken in on one thread and freed on another; the allocator of the C library spends
/// a seventh of the time of a report on that (docs/performance.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(kattila::cli::run())
}
