//! Integration tests: the real binary, over HTTP and its command line. One binary, one module per promise.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

mod kit;

mod abuse;
mod adoption;
mod annulled;
mod appending;
mod asking;
mod bounds;
mod business_time;
mod cataloguing;
mod caveats;
mod checking;
mod clock;
mod commands;
mod courses;
mod crashing;
mod describing;
mod disk_full;
mod edge;
mod faults;
mod imported;
mod imports;
mod intake;
mod late;
mod listing;
mod look_alikes;
mod metrics;
mod naming;
mod old_answers;
mod old_formats;
mod operating;
mod overload;
mod packages;
mod proving;
mod publishing;
mod put_back;
mod resources;
mod rights;
mod rotating;
mod rotting;
mod schema_fuzz;
mod side_by_side;
mod small_groups;
mod stopping;
mod strace;
mod streaming;
mod submitting;
mod tables;
mod tampering;
mod telling;
mod told;
mod verifying;
mod viewing;
