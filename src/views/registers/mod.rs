//! A register of the catalogue as a view: one fold for all of them, driven by what the catalogue says of each.
//!
//! Rows of most registers have one life, which begins again when it is opened after its end. Of what holds several times or
//! side by side, rows keep stretches.

mod acts;
mod declared;
mod deployments;
mod fold;
mod imports;
pub mod repeat;
mod rounds;
mod states;
pub(in crate::views) mod stretched;

pub use declared::RegisterView;
pub(super) use declared::fingerprint;

#[cfg(test)]
mod tests;
