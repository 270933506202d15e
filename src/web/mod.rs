//! What `api` and `console` share of HTTP.

pub mod auth;
pub mod body;
pub mod pace;
mod parameter;
pub mod problem;
pub mod rate;
pub mod server;
mod service;

pub use parameter::time_parameter;
pub use problem::{Problem, ProblemType};
pub use service::{Service, Settings};
