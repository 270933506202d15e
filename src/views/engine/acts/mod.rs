//! Acts that take two, and the imports that are among them.
//!
//! Here live what such an act comes to ([`act`]), what an import holds ([`import`]), how both are reckoned from the entries
//! that are known ([`two`], [`imports`], [`counted`]), and on which lists those entries stand ([`listed`]). May use what the engine knows of
//! events, and entries beside rows. It must never keep an answer: an act is in effect, or was not yet, as of whatever is
//! asked about.

pub(super) mod act;
pub(super) mod counted;
pub(super) mod import;
pub(super) mod imports;
pub(super) mod listed;
pub(super) mod two;

#[cfg(test)]
mod tests;
