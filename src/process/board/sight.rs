//! The whole map: gathered in a few milliseconds, made in a tenth of a second, kept for a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Board;
use super::state::Held;
use crate::model::time::UnixSeconds;
use crate::topology::picture::Picture;

/// What the last picture was made of, and what the next one is made of.
#[derive(Debug, Default)]
pub(super) struct Sight {
    made: Mutex<Option<Arc<Picture>>>,
    gathered: Mutex<Option<Held>>,
    /// Held by whoever makes one; the others wait and take it.
    making: Mutex<()>,
    count: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds after which a picture goes that nobody has asked for again: of 10,000 nodes and 50,000
/// links it takes tens of megabytes. Who asks again and again frees the last one, and not the
/// thread that publishes.
const HELD_S: i64 = 10;

impl Sight {
    /// Gives up a picture, and what the next was to be made of, that have been out of date for long.
    pub(super) fn let_go(&self, now: UnixSeconds) {
        let mut made = lock(&self.made);
        if made.as_ref().is_some_and(|picture| now.since(picture.generated_at) >= HELD_S) {
            let outdated = (made.take(), lock(&self.gathered).take());
            // Whoever asks meanwhile does not wait until it is freed.
            drop(made);
            drop(outdated);
        }
    }
}

impl Board {
    /// Gathers what the next picture is made of, unless there is one of this moment. For those who
    /// have it made on a thread that stands back: while one of these holds the board and waits
    /// for its turn, so does the processor.
    pub fn gather(&self, now: UnixSeconds) {
        if self.made(now).is_some() {
            return;
        }
        let position = self.position();
        let mut gathered = lock(&self.sight.gathered);
        if gathered.as_ref().is_none_or(|held| held.position() != position) {
            *gathered = Some(self.hold());
        }
    }

    /// The whole picture. Made once per change and second, however many ask.
    pub fn picture(&self, now: UnixSeconds) -> Arc<Picture> {
        let _turn = lock(&self.sight.making);
        if let Some(made) = self.made(now) {
            return made;
        }
        let gathered = lock(&self.sight.gathered).take();
        let position = self.position();
        let of_now = gathered.filter(|held| held.position() == position);
        let held = of_now.unwrap_or_else(|| self.hold());
        let picture = Arc::new(held.picture(&self.epoch, now));
        self.sight.count.fetch_add(1, Ordering::Relaxed);
        *lock(&self.sight.made) = Some(Arc::clone(&picture));
        picture
    }

    /// Takes what a picture is made of, and notes that what changed since the last patch is seen.
    pub(super) fn hold(&self) -> Held {
        let mut inner = self.write();
        inner.look();
        inner.hold()
    }

    /// How many pictures have been made, for whomever.
    pub fn maps_made(&self) -> u64 {
        self.sight.count.load(Ordering::Relaxed)
    }

    /// The picture of this moment, if somebody has asked for it.
    fn made(&self, now: UnixSeconds) -> Option<Arc<Picture>> {
        let made = lock(&self.sight.made);
        let picture = made.as_ref()?;
        let is_of_now = (picture.seq, picture.layout_rev) == self.position()
            && now.since(picture.generated_at) < 1;
        is_of_now.then(|| Arc::clone(picture))
    }
}
