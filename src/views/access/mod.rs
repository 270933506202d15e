//! Access: who asked, who was granted what, who looked at it again, and what was done with it.
//!
//! Here live the views of grants, requests and uses, each a fold over its own events; and [`who`], which puts grants and
//! roles together: who can reach what, and which uses nothing covers.

pub mod grants;
mod listed;
pub mod reach;
pub mod requests;
pub mod uses;
pub mod who;

pub use grants::Grants;
pub use listed::resource;
pub use requests::Requests;
pub use uses::Uses;
