//! Writing a log from entries that exist already.
