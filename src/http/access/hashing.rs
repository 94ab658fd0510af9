//! Hashes passwords away from the runtime's threads, two at a time: each takes 46 MiB.

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::http::error::ApiError;
use crate::model::password::{MOST_BYTES, Password};
use crate::sign::password::{self, Match, SALT_BYTES};
use crate::wire::codes::ErrorCode;

/// Hashes under way at once.
const AT_ONCE: usize = 2;

/// Hashes under way or waited for; beyond, people are asked to try again.
const ASKED: usize = 32;

/// Seconds after which they may: as long as the queue takes on a slow machine.
const RETRY_S: u32 = 5;

/// The two places.
#[derive(Debug)]
pub struct Hashing {
    running: Semaphore,
    asked: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { running: Semaphore::new(AT_ONCE), asked: Semaphore::new(ASKED) }
    }
}

impl Hashing {
    /// A password as it is stored.
    pub async fn hash(&self, password: Password) -> Result<String, ApiError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(ApiError::internal)?;
        let hashed = self.run(move || password::hash(password.bytes(), salt)).await?;
        hashed.map_err(ApiError::internal)
    }

    /// Compares what was typed with what is stored. Takes the same time if nothing is.
    pub async fn compare(
        &self,
        typed: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<Match, ApiError> {
        self.run(move || match stored {
            Some(stored) if typed.len() <= MOST_BYTES => {
                password::compare(typed.as_bytes(), &stored)
            }
            // What is longer is nobody's password.
            Some(_) | None => password::compare_with_nothing(b"nobody's"),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = |_full| {
            let text = "Too many people sign in at this moment; try again in a few seconds.";
            ApiError::new(ErrorCode::Overloaded, text).retry_after(RETRY_S)
        };
        let _place = self.asked.try_acquire().map_err(busy)?;
        let _turn = self.running.acquire().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let hashing = Hashing::default();
        let all = hashing.asked.acquire_many(32).await.unwrap();
        let refused = hashing.compare(Zeroizing::new("x".to_owned()), None).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after), (ErrorCode::Overloaded, Some(RETRY_S)));
        drop(all);
        let compared = hashing.compare(Zeroizing::new("x".to_owned()), None).await.unwrap();
        assert_eq!(compared, Match::Wrong);
    }

    #[tokio::test]
    async fn what_is_hashed_is_known_again() {
        let hashing = Hashing::default();
        let typed = Zeroizing::new("stone bridge".to_owned());
        let password = Password::chosen(typed.clone(), "olga", 12).unwrap();
        let stored = hashing.hash(password.clone()).await.unwrap();
        assert_ne!(stored, hashing.hash(password).await.unwrap(), "each has a salt of its own");
        assert_eq!(hashing.compare(typed, Some(stored.clone())).await.unwrap(), Match::Right);
        let long = Zeroizing::new("x".repeat(MOST_BYTES + 1));
        assert_eq!(hashing.compare(long, Some(stored)).await.unwrap(), Match::Wrong);
    }
}
