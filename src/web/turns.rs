//! Whose question is worked on: one caller has so many at once, and its others wait for these, so that the processors are
//! there for other callers too.

use crate::answers::deadline::Deadline;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Questions of one caller that wait, for each that is worked on.
///
/// Reason: those that are worked on end within the time in which anybody waits for an answer, most of them within
/// milliseconds; who has more than these waiting asks faster than it is answered.
const WAITING_FOR_EACH: usize = 32;

/// Turns of callers. Only authenticated callers have any, so there are no more of them than there are tokens.
pub struct Turns {
    most_of_one: usize,
    by_caller: Mutex<HashMap<String, Arc<Line>>>,
}

/// The questions of one caller: those that are worked on, and those that wait.
struct Line {
    working: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// Why a question has no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// The deadline passed before.
    TooLate,
    /// Too many questions of this caller wait already.
    TooMany,
}

/// A caller's turn, until it is dropped.
pub struct Turn {
    _working: OwnedSemaphorePermit,
    _one: OwnedSemaphorePermit,
}

impl Turns {
    /// So many questions of one caller are worked on at once.
    #[must_use]
    pub fn new(most_of_one: usize) -> Self {
        Self { most_of_one: most_of_one.max(1), by_caller: Mutex::default() }
    }

    fn line(&self, caller: &str) -> Arc<Line> {
        let mut by_caller = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = by_caller.get(caller) {
            return line.clone();
        }
        let working = Arc::new(Semaphore::new(self.most_of_one));
        let all = Arc::new(Semaphore::new(self.most_of_one.saturating_mul(1 + WAITING_FOR_EACH)));
        let line = Arc::new(Line { working, all });
        by_caller.insert(caller.to_owned(), line.clone());
        line
    }

    /// Waits for a turn of this caller, in the order in which it asked.
    ///
    /// # Errors
    /// See [`NoTurn`].
    pub async fn of(&self, caller: &str, deadline: Deadline) -> Result<Turn, NoTurn> {
        let line = self.line(caller);
        let one = line.all.clone().try_acquire_owned().map_err(|_| NoTurn::TooMany)?;
        let turn = tokio::time::timeout(deadline.left(), line.working.clone().acquire_owned()).await;
        // Nobody ever closes a line.
        let working = turn.ok().and_then(Result::ok).ok_or(NoTurn::TooLate)?;
        Ok(Turn { _working: working, _one: one })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;
    use std::time::Duration;

    #[actix_web::test]
    async fn the_questions_of_one_caller_wait_for_each_other_and_for_nobody_elses() {
        let turns = Turns::new(2);
        let soon = || Deadline::after(Duration::from_millis(50));
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(turns.of("a", soon()).await.ok());
        }
        assert!(held.iter().all(Option::is_some));
        assert_eq!(turns.of("a", soon()).await.err(), Some(NoTurn::TooLate));
        assert!(turns.of("b", soon()).await.is_ok());
        let waiting = turns.of("a", Deadline::after(Duration::from_secs(60)));
        held.pop();
        assert!(waiting.await.is_ok());
    }

    async fn waits(turn: &mut (impl Future + Unpin)) -> bool {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *turn).poll(context).is_pending())).await
    }

    #[actix_web::test]
    async fn no_more_than_so_many_wait() {
        let turns = Turns::new(1);
        let late = || Deadline::after(Duration::from_secs(60));
        let _held = turns.of("a", late()).await.ok();
        let mut waiting: Vec<_> = (0..WAITING_FOR_EACH).map(|_| Box::pin(turns.of("a", late()))).collect();
        for one in &mut waiting {
            assert!(waits(one).await);
        }
        assert_eq!(turns.of("a", late()).await.err(), Some(NoTurn::TooMany));
        // Whoever goes makes room.
        waiting.pop();
        assert!(waits(&mut Box::pin(turns.of("a", late()))).await);
    }
}
