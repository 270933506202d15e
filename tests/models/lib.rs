//! Plain models of the answers: all entries in, the rows out, everything reckoned anew for every question.
//!
//! They are slow and know no store, no index and no order of arrival but the one that the rules name. Where a view and
//! its model differ, one of them is wrong, and the rules decide which.

pub mod access;
pub mod approvals;
pub mod base;
pub mod corrections;
pub mod decisions;
pub mod escalations;
pub mod fairness;
pub mod rows;
pub mod times;
