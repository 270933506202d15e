//! The verifier: does a ledger hold what it promises?
//!
//! It looks at a data folder, an export, a receipt or a running server, and answers with exactly one of three:
//! everything holds, something does not (which, and why), or it could not look. It may use the formats of
//! [`daybook_spec`], files, threads and (feature `url`) an HTTP client, and nothing else, so that it
//! stays small enough for an outsider to read. What it reads may have been made by an enemy: it must never say that
//! something holds which it has not checked, never believe a size before it has counted, never allocate by a number
//! that it was told, never wait without bound, and never write anywhere but to the file that the caller named, and to a
//! new one beside it where a fork was found.
//!
//! | module | what |
//! | --- | --- |
//! | [`command`] | the command line, shared by `daybook-verify` and `daybook verify` |
//! | `source` | where entries come from |
//! | `entries`, `keys` | what is checked of one entry, on many threads |
//! | `signatures`, `batch` | by which rules signatures count: one by one strictly, or (feature `batch`) many at once |
//! | `pipeline` | what is checked of their order, in one |
//! | `receipt`, `keylist` | one entry by itself, across changes of keys |
//! | `judge` | what is checked of the whole |
//! | `remember` | that a ledger only grew since last time |
//! | `published` | that it is the history of which checkpoints were published |
//! | `evidence` | two checkpoints that contradict each other, left in a file |
//!
//! ```
//! use daybook_verify::{Options, Outcome, Quiet, Source, verify};
//!
//! let outcome = verify(Source::Folder("no/such/folder".into()), &Options::default(), &Quiet);
//! assert!(matches!(outcome, Outcome::CouldNotCheck(_)));
//! ```

#[cfg(feature = "batch")]
mod batch;
pub mod command;
mod entries;
mod evidence;
mod failure;
mod judge;
mod keylist;
mod keys;
mod options;
mod outcome;
mod pipeline;
mod published;
mod receipt;
mod remember;
mod report;
mod signatures;
mod source;

pub use failure::{Code, Failure, Fork, Problem};
pub use judge::verify;
pub use keylist::MAX_KEY_LIST_BYTES;
pub use keys::{KeyInForce, MAX_KEYS};
pub use options::{Options, REQUEST_TIMEOUT, Source};
pub use outcome::{Outcome, Progress, Quiet};
pub use pipeline::MAX_THREADS;
pub use published::{MAX_PUBLISHED, Published};
pub use report::{Remembered, Report, SourceKind};
pub use signatures::{SEED_BYTES, Seed, Signatures};
