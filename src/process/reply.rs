//! What travels to the processor's thread, who waits for it, and what each is told.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::audit::Asker;
use super::handle::{Accepted, Command, CommandError, Done, Submission};
use super::identity::Enrolled;
use super::totals::Totals;
use crate::model::id::ReportId;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::dictionary::Samples;
use crate::store::prune::{Prunable, Pruned};
use crate::verify::Announcement;
use crate::verify::enrol::Enrolment;
use crate::verify::rejection::Rejection;

/// What became of a report. What was read of it travels back, so that its many small pieces are
/// freed by the thread that made them and not by the one all others wait for.
pub(super) struct Settled {
    pub(super) result: Result<Accepted, Rejection>,
    pub(super) spent: Box<Submission>,
}

/// A chunk of retention: of what, after which number. It waits for the end of its batch.
pub(super) struct Chunk {
    pub(super) what: Prunable,
    pub(super) after: i64,
    pub(super) to: oneshot::Sender<Result<Pruned, StoreError>>,
}

/// A page of stored reports to learn from: of those before one. It waits for the end of its batch.
pub(super) struct Ask {
    pub(super) before: ReportId,
    pub(super) limit: usize,
    pub(super) to: oneshot::Sender<Result<Samples, StoreError>>,
}

/// What travels to the thread.
pub(super) enum Job {
    Report(Box<Submission>, oneshot::Sender<Settled>),
    Announce(Announcement, Option<IpAddr>, oneshot::Sender<Result<(), Rejection>>),
    Enrol(Box<Enrolment>, Option<IpAddr>, oneshot::Sender<Result<Enrolled, Rejection>>),
    Command(Command, Option<Asker>, oneshot::Sender<Result<Done, CommandError>>),
    Chunk(Chunk),
    Sample(Ask),
    Stop(oneshot::Sender<()>),
}

/// An answer that waits for the commit.
pub(super) enum Reply {
    Report(oneshot::Sender<Settled>, Result<Accepted, Rejection>, Box<Submission>),
    Announce(oneshot::Sender<Result<(), Rejection>>, Result<(), Rejection>),
    Enrol(oneshot::Sender<Result<Enrolled, Rejection>>, Result<Enrolled, Rejection>),
    Command(oneshot::Sender<Result<Done, CommandError>>, Result<Done, CommandError>),
    /// Begins after the answers.
    Chunk(Chunk),
    /// Likewise.
    Sample(Ask),
    Stop(oneshot::Sender<()>),
}

/// Answers after the commit, or after there was none.
pub(super) fn answer(totals: &Totals, reply: Reply, committed: bool) {
    // A receiver that went away has given up waiting; its report is stored all the same.
    let _gone = match reply {
        Reply::Report(to, result, spent) => {
            let result = if committed { result } else { Err(Rejection::StorageUnavailable) };
            if let Ok(accepted) = &result {
                let total = if accepted.duplicate { &totals.duplicates } else { &totals.stored };
                total.fetch_add(1, Ordering::Relaxed);
                if !accepted.duplicate {
                    // The commit was just now.
                    let now = UnixSeconds(totals.last_commit.load(Ordering::Relaxed));
                    totals.rates.accepted.add(now);
                }
            }
            to.send(Settled { result, spent }).is_err()
        }
        Reply::Announce(to, result) => {
            to.send(if committed { result } else { Err(Rejection::StorageUnavailable) }).is_err()
        }
        Reply::Enrol(to, result) => {
            to.send(if committed { result } else { Err(Rejection::StorageUnavailable) }).is_err()
        }
        Reply::Command(to, result) => {
            let gone = CommandError::Unavailable("storage is unavailable".into());
            to.send(if committed { result } else { Err(gone) }).is_err()
        }
        Reply::Chunk(Chunk { to, .. }) => to.send(Err(untaken())).is_err(),
        Reply::Sample(Ask { to, .. }) => to.send(Err(untaken())).is_err(),
        Reply::Stop(to) => to.send(()).is_err(),
    };
}

/// Refuses what was queued while storage takes nothing; says whether a stop was among it.
pub(super) fn refuse_all(jobs: Vec<Job>) -> bool {
    let mut stop = false;
    for job in jobs {
        // As in `answer`: nobody may be waiting any more.
        let _gone = match job {
            Job::Report(spent, to) => {
                let result = Err(Rejection::StorageUnavailable);
                to.send(Settled { result, spent }).is_err()
            }
            Job::Announce(_, _, to) => to.send(Err(Rejection::StorageUnavailable)).is_err(),
            Job::Enrol(_, _, to) => to.send(Err(Rejection::StorageUnavailable)).is_err(),
            Job::Command(_, _, to) => {
                to.send(Err(CommandError::Unavailable("storage is unavailable".into()))).is_err()
            }
            Job::Chunk(Chunk { to, .. }) => to.send(Err(untaken())).is_err(),
            Job::Sample(Ask { to, .. }) => to.send(Err(untaken())).is_err(),
            Job::Stop(to) => {
                stop = true;
                to.send(()).is_err()
            }
        };
    }
    stop
}

fn untaken() -> StoreError {
    StoreError::Unavailable("it takes no change".into())
}
