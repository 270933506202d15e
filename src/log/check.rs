//! Checking a data folder.
