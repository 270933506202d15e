//! What `api` and `console` share of HTTP.

pub mod accept;
mod answer_problem;
pub mod auth;
pub mod body;
pub mod csv;
mod edge;
pub mod in_flight;
pub mod metrics;
pub mod observe;
pub mod parameters;
pub mod problem;
pub mod rate;
mod record_problem;
pub mod server;
mod service;
pub mod shares;
pub mod strangers;
pub mod turns;

pub use problem::{Problem, ProblemType};
pub use service::{Service, Settings};
