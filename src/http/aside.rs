//! Work for those who look, on threads that stand aside for reports.
//!
//! A map of ten thousand nodes is written in a tenth of a second. On the runtime's own threads
//! that is time in which no report is taken in; on a thread of its own, of the same rank, it
//! takes its share of two cores from them. So it is done on other threads, and these wait where
//! the machine has more to do than it can.

use std::cell::Cell;

use rustix::process::nice;
use tokio::task::spawn_blocking;

use super::error::ApiError;

/// How far they stand back, in the units of `nice(2)`: about a tenth of the weight of a thread
/// that takes reports in (sched(7)).
const BACK: i32 = 10;

thread_local! {
    static IS_BACK: Cell<bool> = const { Cell::new(false) };
}

/// Does work for somebody who looks.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let work = move || {
        step_back();
        work()
    };
    spawn_blocking(work).await.map_err(ApiError::internal)
}

/// On Linux the nice value is the thread's own (setpriority(2), "C library/kernel differences").
/// Such a thread stays back: all that is done on these threads may wait.
fn step_back() {
    if !IS_BACK.replace(true)
        && let Err(error) = nice(BACK)
    {
        tracing::debug!(%error, "cannot lower the rank of a thread that serves readers");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[tokio::test]
    async fn work_for_readers_stands_back_and_the_runtime_does_not() {
        let rank = || getpriority_process(None).unwrap();
        let before = rank();
        // Twice: a thread that is back already does not step back again.
        for _ in 0..2 {
            assert_eq!(aside(rank).await.unwrap(), (before + BACK).min(19));
        }
        assert_eq!(rank(), before);
    }
}
