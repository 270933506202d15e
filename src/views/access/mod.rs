//! Access: who asked, who was granted what, who looked at it again, and what was done with it.
//!
//! Here live the views of grants, requests and uses, each a fold over its own events. Who can reach what, and which uses
//! nothing covers, is answered from grants and roles together, and not here.

mod duties;
pub mod grants;
mod listed;
#[cfg(test)]
pub(crate) mod model_tests;
pub mod requests;
mod told;
mod used;
pub mod uses;

pub use grants::Grants;
pub use listed::resource;
pub use requests::Requests;
pub use uses::Uses;
