//! Something that follows the log, opened in a thread of its own, watched, and replaced when it has failed.

use super::stop::Stop;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is looked whether what runs has failed, and how often what cannot be opened is tried again.
///
/// Reason: what makes a store fail is most often a full disk; a second more or less does not matter then.
const RETRY: Duration = Duration::from_secs(1);

/// What is supervised: how it is opened, and how one sees that it has failed.
pub trait Supervise: Send + Sync + 'static {
    /// What runs.
    type Running: Send + Sync + 'static;
    /// What opening came to.
    type Report: Send + 'static;
    /// Why it could not be opened.
    type Error: Display + Send + 'static;

    /// The name of the thread that watches it.
    const WATCH: &'static str;

    /// Said while it is being opened: "the index is being opened".
    const OPENING: &'static str;

    /// Said while one that has failed is being replaced: "the index is being made anew".
    const REPLACING: &'static str;

    /// Opens it and begins to follow the log. `install` is called once, as soon as others may use it.
    ///
    /// # Errors
    /// It cannot be opened now; it is tried again.
    fn open(&self, install: &mut dyn FnMut(Self::Running)) -> Result<Self::Report, Self::Error>;

    /// Says in the program's own log what the first opening came to.
    fn tell(&self, report: &Self::Report);

    /// Why what runs does not answer or does not follow; none if it does both.
    fn problem(&self, running: &Self::Running) -> Option<String>;

    /// Ends its threads, and waits for them.
    fn end(&self, running: &Self::Running);
}

/// What runs now, for all who ask it.
pub struct Current<R> {
    /// While there is none: why.
    running: RwLock<Result<Arc<R>, String>>,
    /// Another one runs, or none.
    changed: (Mutex<()>, Condvar),
}

impl<R> Current<R> {
    fn new(why_not: String) -> Current<R> {
        Current { running: RwLock::new(Err(why_not)), changed: Default::default() }
    }

    /// What runs.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<R>, String> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What runs; while there is none, it is waited for, at most this long, in a thread.
    ///
    /// # Errors
    /// As [`Current::now`].
    pub fn wait(&self, at_most: Duration) -> Result<Arc<R>, String> {
        if let Ok(running) = self.now() {
            return Ok(running);
        }
        let looking = self.changed.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.1.wait_timeout_while(looking, at_most, |()| self.now().is_err());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.now()
    }

    /// Puts another one, or a reason, in the place of what runs, which is given back.
    fn set(&self, running: Result<Arc<R>, String>) -> Result<Arc<R>, String> {
        let before = {
            let mut current = self.running.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, running)
        };
        // Under the lock, so that nobody misses it between looking and waiting.
        let _looking = self.changed.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.1.notify_all();
        before
    }
}

struct Shared<T: Supervise> {
    what: T,
    current: Arc<Current<T::Running>>,
    stop: Stop,
}

/// The result of the first opening, once there is one.
pub type First<T> = Receiver<Result<<T as Supervise>::Report, <T as Supervise>::Error>>;

/// See the module. Dropping it ends what runs and all threads.
pub struct Supervised<T: Supervise> {
    shared: Arc<Shared<T>>,
    begin: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Supervise> Supervised<T> {
    /// Starts the thread that opens and watches, once it is told to [begin](Supervised::begin). The receiver gets what
    /// the first opening came to; if that panicked, nothing.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(what: T) -> io::Result<(Supervised<T>, First<T>)> {
        let current = Arc::new(Current::new(T::OPENING.to_owned()));
        let shared = Arc::new(Shared { what, current, stop: Stop::default() });
        let (begin, begun) = channel();
        let (opened, first) = channel();
        let watched = shared.clone();
        let watch = move || {
            // Ends also when nobody will ever say it.
            if begun.recv().is_err() {
                return;
            }
            if let Some(result) = watched.open() {
                if let Ok(report) = &result {
                    watched.what.tell(report);
                }
                let _ = opened.send(result);
            }
            drop(opened);
            while !watched.stop.sleep(RETRY) {
                watched.replace_if_failed();
            }
        };
        let thread = thread::Builder::new().name(T::WATCH.to_owned()).spawn(watch)?;
        Ok((Supervised { shared, begin: Some(begin), thread: Some(thread) }, first))
    }

    /// Has it opened, if that has not begun.
    pub fn begin(&self) {
        if let Some(begin) = &self.begin {
            // Only the first time somebody listens.
            let _ = begin.send(());
        }
    }

    /// What is supervised.
    #[must_use]
    pub fn what(&self) -> &T {
        &self.shared.what
    }

    /// What runs now, also for those who outlive this.
    #[must_use]
    pub fn current(&self) -> &Arc<Current<T::Running>> {
        &self.shared.current
    }

    /// What runs.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<T::Running>, String> {
        self.shared.current.now()
    }

    /// Why there is none, or why the one there is does not answer or does not follow; none if it does both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match self.now() {
            Ok(running) => self.shared.what.problem(&running),
            Err(why) => Some(why),
        }
    }
}

impl<T: Supervise> Drop for Supervised<T> {
    fn drop(&mut self) {
        self.begin = None;
        self.shared.stop.say();
        if let Some(thread) = self.thread.take() {
            // It catches the panics of what it opens.
            let _ = thread.join();
        }
        self.shared.put_away("the ledger is closed".to_owned());
    }
}

impl<T: Supervise> Shared<T> {
    /// Opens it. None after a panic, which is a reason to try again, as every error is.
    fn open(&self) -> Option<Result<T::Report, T::Error>> {
        let mut install = |running| drop(self.current.set(Ok(Arc::new(running))));
        let opened = catch_unwind(AssertUnwindSafe(|| self.what.open(&mut install)));
        match &opened {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.put_away(error.to_string()),
            Err(_) => self.put_away(format!("{}: it panicked", T::OPENING)),
        }
        opened.ok()
    }

    /// Replaces one that has failed, and opens one where there is none.
    fn replace_if_failed(&self) {
        let why = match self.current.now() {
            Ok(running) => match self.what.problem(&running) {
                Some(problem) => problem,
                None => return,
            },
            Err(why) => why,
        };
        tracing::warn!(%why, "{}", T::REPLACING);
        // The old one is closed first: its folder is locked. Whoever still asks it keeps it alive for a moment.
        self.put_away(format!("{}: {why}", T::REPLACING));
        self.open();
    }

    /// Ends what runs; from now on there is none, for this reason.
    fn put_away(&self, why: String) {
        if let Ok(running) = self.current.set(Err(why)) {
            self.what.end(&running);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    /// Something that can be opened at the third attempt: the first fails, the second panics.
    #[derive(Default)]
    struct Toy {
        opened: AtomicUsize,
        ended: AtomicUsize,
        fails: AtomicBool,
    }

    impl Supervise for Arc<Toy> {
        type Running = usize;
        type Report = usize;
        type Error = String;
        const WATCH: &'static str = "toy-watch";
        const OPENING: &'static str = "the toy is being opened";
        const REPLACING: &'static str = "the toy is being wound up again";

        fn open(&self, install: &mut dyn FnMut(usize)) -> Result<usize, String> {
            let attempt = self.opened.fetch_add(1, Ordering::SeqCst);
            match attempt {
                0 => Err("no spring".to_owned()),
                1 => panic!("the test says so"),
                _ => {
                    self.fails.store(false, Ordering::SeqCst);
                    install(attempt);
                    Ok(attempt)
                }
            }
        }

        fn tell(&self, _: &usize) {}

        fn problem(&self, _: &usize) -> Option<String> {
            self.fails.load(Ordering::SeqCst).then(|| "it stands".to_owned())
        }

        fn end(&self, _: &usize) {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_cannot_be_opened_is_tried_again_and_what_fails_is_replaced() {
        let toy = Arc::new(Toy::default());
        let (supervised, first) = Supervised::start(toy.clone()).unwrap();
        assert_eq!(supervised.problem().as_deref(), Some("the toy is being opened"));
        supervised.begin();
        assert_eq!(first.recv_timeout(LONG).unwrap(), Err("no spring".to_owned()));
        let running = supervised.current().wait(LONG);
        assert_eq!((running, supervised.problem()), (Ok(Arc::new(2)), None));
        toy.fails.store(true, Ordering::SeqCst);
        let began = Instant::now();
        while supervised.now() != Ok(Arc::new(3)) {
            assert!(began.elapsed() < LONG, "{:?}", supervised.problem());
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(toy.ended.load(Ordering::SeqCst), 1);
        let current = supervised.current().clone();
        drop(supervised);
        assert_eq!(current.now(), Err("the ledger is closed".to_owned()));
        assert_eq!(toy.ended.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_stop_waits_for_no_interval_and_needs_no_beginning() {
        let (never_begun, _) = Supervised::start(Arc::new(Toy::default())).unwrap();
        let (failing, first) = Supervised::start(Arc::new(Toy::default())).unwrap();
        failing.begin();
        first.recv_timeout(LONG).unwrap().unwrap_err();
        let began = Instant::now();
        drop((never_begun, failing));
        assert!(began.elapsed() < RETRY / 2, "{:?}", began.elapsed());
    }
}
