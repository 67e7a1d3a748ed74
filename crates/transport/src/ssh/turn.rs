//! Turns at logging in: however many hosts a run works on at once, only so many of them are being let in.
//!
//! What a login costs is the handshake's arithmetic here and sshd, PAM and sudo there, so that a thousand begun together end no
//! earlier than one after the other, and take memory, time limits and each other's processor time meanwhile. A turn lasts from
//! the first packet until the first shell has answered. A host that does not answer keeps it for a moment only; how long that
//! is, the others tell: where all are slow there are too many of them already.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Enough that round trips of 100 ms are hidden behind each other's: some 60 hosts a second.
const AT_ONCE: usize = 64;
/// For the network's part: a first packet that was lost is sent again after a second.
const UNTIL_REACHED: Duration = Duration::from_millis(1200);
/// For the login and the first answer: three times what others take, within these. It is no time limit: the host goes on,
/// without a turn.
const UNTIL_ANSWERED: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(60);

/// Who is being let in.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    until_reached: Duration,
    pace: Arc<Pace>,
}

/// How long turns take.
struct Pace {
    until_answered: RangeInclusive<Duration>,
    /// On average, of those that came to their end; the last ones count most.
    usual: Mutex<Option<Duration>>,
}

impl Pace {
    fn new(until_answered: RangeInclusive<Duration>) -> Self {
        Self {
            until_answered,
            usual: Mutex::default(),
        }
    }

    fn usual(&self) -> MutexGuard<'_, Option<Duration>> {
        self.usual.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a turn may take, by what is known now.
    fn longest(&self) -> Duration {
        let (least, most) = (*self.until_answered.start(), *self.until_answered.end());
        self.usual().map_or(most, |usual| (usual * 3).clamp(least, most))
    }

    fn took(&self, time: Duration) {
        let mut usual = self.usual();
        *usual = Some(usual.map_or(time, |usual| (usual * 7 + time) / 8));
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(AT_ONCE, UNTIL_REACHED, UNTIL_ANSWERED)
    }
}

/// A turn at a host that is not reached yet.
pub(super) struct Turn {
    place: Option<OwnedSemaphorePermit>,
    until_reached: Duration,
    pace: Arc<Pace>,
}

/// A turn at a host that was reached. It ends when this is dropped, or when its time is over.
pub(super) struct Held {
    _ended: Option<oneshot::Sender<()>>,
}

impl Turns {
    fn new(at_once: usize, until_reached: Duration, until_answered: RangeInclusive<Duration>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_once)),
            until_reached,
            pace: Arc::new(Pace::new(until_answered)),
        }
    }

    /// Waits for a turn; they come in the order in which they were asked for.
    pub async fn next(&self) -> Turn {
        Turn {
            // It is never closed.
            place: self.places.clone().acquire_owned().await.ok(),
            until_reached: self.until_reached,
            pace: self.pace.clone(),
        }
    }
}

impl Turn {
    /// Does `reaching`. A host that cannot be reached soon lets others go first, and is waited for all the same.
    pub async fn reach<T>(self, reaching: impl Future<Output = T>) -> (T, Held) {
        tokio::pin!(reaching);
        match tokio::time::timeout(self.until_reached, &mut reaching).await {
            Ok(reached) => (reached, Held::new(self.place, self.pace)),
            Err(_) => {
                drop(self.place);
                (reaching.await, Held { _ended: None })
            }
        }
    }
}

impl Held {
    fn new(place: Option<OwnedSemaphorePermit>, pace: Arc<Pace>) -> Self {
        let (ended, mut end) = oneshot::channel();
        let began = Instant::now();
        tokio::spawn(async move {
            loop {
                // What is usual may have become longer since.
                let left = pace.longest().saturating_sub(began.elapsed());
                if left.is_zero() {
                    break;
                }
                if tokio::time::timeout(left, &mut end).await.is_ok() {
                    pace.took(began.elapsed());
                    break;
                }
            }
            drop(place);
        });
        Self { _ended: Some(ended) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn no_more_than_so_many_are_let_in_at_once_and_all_are() {
        static COUNTS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
        let [now, most, done] = &COUNTS;
        let turns = Arc::new(Turns::new(3, LONG, LONG..=LONG));
        let mut logins = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let turns = turns.clone();
            logins.spawn(async move {
                let turn = turns.next().await;
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                let ((), held) = turn.reach(tokio::task::yield_now()).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                now.fetch_sub(1, SeqCst);
                done.fetch_add(1, SeqCst);
                drop(held);
            });
        }
        logins.join_all().await;
        assert_eq!((most.load(SeqCst), done.load(SeqCst)), (3, 50));
    }

    #[tokio::test]
    async fn a_host_that_is_not_reached_holds_up_nobody_and_is_waited_for() {
        let turns = Turns::new(1, SHORT, LONG..=LONG);
        let (there, reached) = oneshot::channel::<u8>();
        let dead = async { turns.next().await.reach(reached).await.0 };
        let alive = async {
            // Its turn comes while the other is still being waited for.
            let (_, _held) = turns.next().await.reach(std::future::ready(())).await;
            there.send(7).expect("somebody waits");
        };
        let (late, ()) = tokio::join!(dead, alive);
        assert_eq!(late, Ok(7));
    }

    #[tokio::test]
    async fn a_host_that_was_reached_and_says_nothing_holds_up_nobody() {
        let turns = Turns::new(1, LONG, SHORT..=SHORT);
        let (_, _silent) = turns.next().await.reach(std::future::ready(())).await;
        turns.next().await;
    }

    #[test]
    fn how_long_a_host_may_keep_its_turn_follows_from_what_the_others_take() {
        let s = Duration::from_secs;
        let pace = Pace::new(s(10)..=s(60));
        assert_eq!(pace.longest(), s(60), "nobody knows yet");
        pace.took(s(1));
        assert_eq!(pace.longest(), s(10));
        (0..50).for_each(|_| pace.took(s(8)));
        assert!((s(23)..=s(24)).contains(&pace.longest()), "{:?}", pace.longest());
        (0..50).for_each(|_| pace.took(s(45)));
        assert_eq!(pace.longest(), s(60));
    }

    #[tokio::test]
    async fn a_turn_ends_with_the_login() {
        let turns = Turns::new(1, LONG, LONG..=LONG);
        for _ in 0..5 {
            let (_, held) = turns.next().await.reach(std::future::ready(())).await;
            drop(held);
        }
        // Given up half-way.
        let pending = turns.next().await.reach(std::future::pending::<()>());
        assert!(tokio::time::timeout(SHORT, pending).await.is_err());
        turns.next().await;
    }
}
