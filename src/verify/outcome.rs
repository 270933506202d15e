//! What is said while one looks, and the answer.

use crate::failure::Failure;
use crate::report::Report;

/// Told of progress, on the thread that called [`verify`](crate::verify).
pub trait Progress {
    /// `done` entries hold so far, of `total` if the source says how many there are.
    fn entries(&self, done: u64, total: Option<u64>);

    /// Told once, before the answer, whatever it is.
    fn finish(&self) {}
}

/// Tells nobody.
pub struct Quiet;

impl Progress for Quiet {
    fn entries(&self, _done: u64, _total: Option<u64>) {}
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Everything holds.
    Verified(Box<Report>),
    /// Something does not.
    Failed(Failure),
    /// Could not look; says why.
    CouldNotCheck(String),
}

impl Outcome {
    /// The exit code of the command: 0, 1 or 2.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Outcome::Verified(_) => 0,
            Outcome::Failed(_) => 1,
            Outcome::CouldNotCheck(_) => 2,
        }
    }

    /// Canonical JSON, on one line; its member `outcome` says which of the three it is.
    #[must_use]
    pub fn to_json(&self) -> String {
        use daybook_spec::{canonical, json::Json};
        match self {
            Outcome::Verified(report) => report.to_json(),
            Outcome::Failed(failure) => failure.to_json(),
            Outcome::CouldNotCheck(why) => canonical::to_string(&Json::object([
                ("message", Json::string(&**why)),
                ("outcome", Json::string("could-not-check")),
            ])),
        }
    }
}
