//! The log with a disk and a clock that the test owns.

mod bounds;
mod faults;
mod identity;
mod kit;
mod no_room;
mod order;
