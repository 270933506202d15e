//! Where entries come from: a data folder, an export, a server. A source finds the frames of entries and hands them
//! on in chunks; it may use the formats of `spec`, files and sockets, and must never believe a number that it was
//! told before it has counted itself, allocate by such a number, or judge an entry.

#[cfg(feature = "url")]
mod answers;
pub(crate) mod export;
pub(crate) mod folder;
#[cfg(feature = "url")]
pub(crate) mod url;

use crate::entries::Chunk;
use crate::failure::Problem;
use daybook_spec::layout::Head;
use daybook_spec::note::VerifierKey;

/// Bytes after which a chunk goes on its way.
///
/// Reason: some 600 ordinary entries, thirty milliseconds of one core: little to queue, enough that handing over costs
/// nothing, and a batch of signatures that a larger one would not make much cheaper.
pub(crate) const CHUNK_BYTES: usize = 640 << 10;

/// Entries after which a chunk goes on its way; bounds what a chunk of absurdly small frames becomes.
pub(crate) const CHUNK_ENTRIES: u64 = 1024;

/// Where entries come from, in order, from entry 0.
pub(crate) trait EntrySource: Send {
    /// The next entries; none at the end.
    ///
    /// # Errors
    /// What stands there is no entry's frame, or could not be read. Everything before has been handed out.
    fn next(&mut self) -> Result<Option<Chunk>, Problem>;

    /// How many entries there should be, to show progress; not believed.
    fn total(&self) -> Option<u64>;

    /// The size of the checkpoint, if the source knows it before its end.
    fn checkpoint_size(&self) -> Option<u64>;

    /// What the source says of the whole, after its end.
    ///
    /// # Errors
    /// The source ended without saying it.
    fn claims(&mut self) -> Result<Claims, Problem>;
}

/// What a source says of all its entries together.
#[derive(Debug)]
pub(crate) struct Claims {
    /// The checkpoint note.
    pub checkpoint: Vec<u8>,
    /// Whether entries may follow that the checkpoint does not cover yet.
    pub may_trail: bool,
    /// The folder's head.
    pub head: Option<Head>,
    /// The first line of an export: the first key and the origin.
    pub header: Option<(VerifierKey, String)>,
    /// What a person should know although it is no fault.
    pub warnings: Vec<String>,
}
