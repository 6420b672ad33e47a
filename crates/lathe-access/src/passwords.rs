//! Passwords: argon2id off the reactor, a bound on guesses, and a short memory of what was verified.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use lathe_core::{Clock, Code, Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::secret;

/// Passwords tried per user name and minute before the next answer is "too many".
const GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(9).unwrap();
/// When this many user names were guessed at, those that have recovered are forgotten.
const GUESSED_AT_COUNT: usize = 10_000;
/// How long a verified password needs no second argon2: clients send Basic credentials with every request.
const REMEMBERED_MS: i64 = 60_000;
/// How many hashes may run at once; each takes a core and 19 MiB of memory.
const CONCURRENT_HASHES: usize = 2;
/// How many may wait for their turn; one more is answered `Unavailable`.
const WAITING_HASHES: usize = 256;
const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 1024;
/// The salt for the passwords of users that do not exist: nothing is compared with the result.
const NOBODYS_SALT: &[u8; 16] = b"lathe-no-such-us";

/// Lathe's clock in the limiter's terms; the machine's own never goes back there.
#[derive(Debug, Clone)]
struct GuessClock {
    clock: Clock,
    started: Instant,
}

impl governor::clock::Clock for GuessClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        match &self.clock {
            Clock::System => self.started.elapsed(),
            Clock::Fixed(_) => Duration::from_millis(u64::try_from(self.clock.now_ms()).unwrap_or(0)),
        }
    }
}

type Guesses = RateLimiter<String, DefaultKeyedStateStore<String>, GuessClock, NoOpMiddleware<Duration>>;

struct Remembered {
    digest: Vec<u8>,
    stored_hash: String,
    verified_at_ms: i64,
}

/// A place in the queue, and the turn to hash; given back when dropped.
struct Turn {
    _place: OwnedSemaphorePermit,
    _slot: OwnedSemaphorePermit,
}

/// Verifies and hashes passwords.
pub(crate) struct Passwords {
    clock: Clock,
    guesses: Guesses,
    remembered: Mutex<HashMap<String, Remembered>>,
    places: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    /// Makes digests in memory worthless outside this process; without it nothing is remembered.
    pepper: Option<String>,
    hashes: AtomicU64,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

impl Passwords {
    pub(crate) fn new(clock: Clock) -> Self {
        let guess_clock = GuessClock { clock: clock.clone(), started: Instant::now() };
        Self {
            clock,
            guesses: RateLimiter::new(
                Quota::per_minute(GUESSES_PER_MINUTE),
                DefaultKeyedStateStore::default(),
                guess_clock,
            ),
            remembered: Mutex::default(),
            places: Arc::new(Semaphore::new(CONCURRENT_HASHES + WAITING_HASHES)),
            slots: Arc::new(Semaphore::new(CONCURRENT_HASHES)),
            pepper: secret::generate().ok(),
            hashes: AtomicU64::new(0),
        }
    }

    /// How many argon2 hashes were made.
    pub(crate) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// What stands for a user name and its password in memory.
    pub(crate) fn digest(&self, username: &str, password: &str) -> Option<Vec<u8>> {
        // User names hold no NUL, so no two pairs make the same text.
        self.pepper.as_ref().map(|pepper| secret::hash(&format!("{pepper}{username}\0{password}")))
    }

    /// Checks the rules for a new password and hashes it (PHC string, argon2id with a random salt).
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        check_new(password)?;
        let password = password.to_owned();
        let turn = self.take_turn().await?;
        let (hash, _turn) = self.off_reactor(turn, move || hash_now(&password)).await?;
        hash
    }

    /// Fails unless the password belongs to the stored hash; `None` is an unknown user and costs the same.
    pub(crate) async fn verify(&self, username: &str, password: &str, stored_hash: Option<&str>) -> Result<()> {
        if password.len() > MAX_LENGTH {
            return Err(wrong());
        }
        let digest = self.digest(username, password);
        if self.is_remembered(username, digest.as_deref(), stored_hash) {
            return Ok(());
        }
        let turn = self.take_turn().await?;
        // A client's first requests often come together: the one before in the queue may have verified this very password.
        if self.is_remembered(username, digest.as_deref(), stored_hash) {
            return Ok(());
        }
        self.count_guess(username)?;
        let (attempt, known) = (password.to_owned(), stored_hash.map(str::to_owned));
        // The turn ends after the result is remembered, so that the next in the queue finds it.
        let (is_right, _turn) = self.off_reactor(turn, move || verify_now(&attempt, known.as_deref())).await?;
        match stored_hash {
            Some(stored) if is_right => {
                self.remember(username, digest, stored);
                Ok(())
            }
            _ => Err(wrong()),
        }
    }

    /// Counts before the password is tried, so that guesses that are sent together count too.
    fn count_guess(&self, username: &str) -> Result<()> {
        if self.guesses.len() >= GUESSED_AT_COUNT {
            self.guesses.retain_recent();
        }
        self.guesses
            .check_key(&username.to_owned())
            .map_err(|_| Error::new(Code::RateLimited, "too many sign-ins for this user; wait a minute"))
    }

    fn is_remembered(&self, username: &str, digest: Option<&[u8]>, stored_hash: Option<&str>) -> bool {
        let (Some(digest), Some(stored_hash)) = (digest, stored_hash) else { return false };
        let now_ms = self.clock.now_ms();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(username).is_some_and(|entry| {
            // The stored hash changes with the password, so a changed password is forgotten at once, on every server.
            (0..REMEMBERED_MS).contains(&now_ms.saturating_sub(entry.verified_at_ms))
                && entry.stored_hash == stored_hash
                && secret::is_same(&entry.digest, digest)
        })
    }

    /// One entry per existing user: memory is bounded by the number of people.
    fn remember(&self, username: &str, digest: Option<Vec<u8>>, stored_hash: &str) {
        let Some(digest) = digest else { return };
        let entry = Remembered { digest, stored_hash: stored_hash.to_owned(), verified_at_ms: self.clock.now_ms() };
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).insert(username.to_owned(), entry);
    }

    async fn take_turn(&self) -> Result<Turn> {
        let busy = || Error::new(Code::Unavailable, "too many people sign in right now; try again in a moment");
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| busy())?;
        Ok(Turn { _place: place, _slot: slot })
    }

    /// The turn goes with the work: it is held until the hash is made, also when nobody waits for it any more.
    async fn off_reactor<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Turn)> {
        self.hashes.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || (work(), turn))
            .await
            .map_err(|error| Error::internal("hashing a password ended early").with_source(error))
    }
}

/// Checks the rules for a new password; the message never repeats it.
fn check_new(password: &str) -> Result<()> {
    if !(MIN_LENGTH..=MAX_LENGTH).contains(&password.len()) {
        return Err(Error::invalid(format!(
            "a password has {MIN_LENGTH} to {MAX_LENGTH} bytes; this one has {}",
            password.len()
        )));
    }
    // It would be looked up as a token, and never compared with the password.
    if secret::is_token(password) {
        return Err(Error::invalid("this password has the form of an access token; choose another"));
    }
    Ok(())
}

/// One message for unknown users and wrong passwords.
pub(crate) fn wrong() -> Error {
    Error::new(Code::Unauthenticated, "user name and password do not belong together")
}

fn hash_now(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal(format!("a password could not be hashed: {error}")))
}

fn verify_now(password: &str, stored_hash: Option<&str>) -> bool {
    match stored_hash.and_then(|stored| PasswordHash::new(stored).ok()) {
        Some(stored) => Argon2::default().verify_password(password.as_bytes(), &stored).is_ok(),
        None => {
            // Only the time it takes is of interest.
            let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), NOBODYS_SALT);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_argon2_serves_requests_that_come_together() {
        let passwords = Passwords::new(Clock::fixed(0));
        let stored = passwords.hash("correct horse").await.unwrap();
        assert_eq!(passwords.hashes(), 1);
        let together = (0..40).map(|_| passwords.verify("anna", "correct horse", Some(&stored)));
        for verified in futures::future::join_all(together).await {
            verified.unwrap();
        }
        assert!(passwords.hashes() <= 1 + CONCURRENT_HASHES as u64, "{}", passwords.hashes());
    }

    #[tokio::test]
    async fn an_unknown_user_costs_one_hash_as_a_known_one_does() {
        let passwords = Passwords::new(Clock::fixed(0));
        let stored = passwords.hash("correct horse").await.unwrap();
        let known = passwords.verify("anna", "wrong horse", Some(&stored)).await.unwrap_err();
        assert_eq!(passwords.hashes(), 2);
        let unknown = passwords.verify("nobody", "wrong horse", None).await.unwrap_err();
        assert_eq!(passwords.hashes(), 3);
        assert_eq!((known.code(), known.message()), (unknown.code(), unknown.message()));
    }

    #[tokio::test]
    async fn a_verified_password_is_remembered_for_a_minute_and_only_beside_its_stored_hash() {
        let clock = Clock::fixed(0);
        let passwords = Passwords::new(clock.clone());
        let (stored, changed) =
            (passwords.hash("correct horse").await.unwrap(), passwords.hash("another horse").await.unwrap());
        passwords.verify("anna", "correct horse", Some(&stored)).await.unwrap();
        let hashes = passwords.hashes();
        clock.advance_ms(REMEMBERED_MS - 1);
        passwords.verify("anna", "correct horse", Some(&stored)).await.unwrap();
        assert_eq!(passwords.hashes(), hashes);
        assert!(passwords.verify("anna", "correct horse", Some(&changed)).await.is_err());
        clock.advance_ms(1);
        passwords.verify("anna", "correct horse", Some(&stored)).await.unwrap();
        assert_eq!(passwords.hashes(), hashes + 2);
    }

    #[test]
    fn the_rules_for_passwords_never_repeat_them() {
        let (longest, too_long) = ("x".repeat(1024), "x".repeat(1025));
        assert!(check_new("12345678").is_ok() && check_new(&longest).is_ok());
        let token = secret::generate_token().unwrap();
        for password in ["short77", too_long.as_str(), token.as_str()] {
            assert!(!check_new(password).unwrap_err().message().contains(password));
        }
    }
}
