//! Stretches: what may hold several times, or side by side, under one name. Roles, grants, delegations, deployments.
//!
//! Each beginning gives a stretch `[from, until)`. The *act* decides which beginnings an ending ends: those that were done
//! before it, whenever either was recorded; what was done after it stands anew. *Valid time* decides when: a stretch is cut
//! at the moment from which the ending holds, and is empty where that lies before its beginning. An ending may name one
//! stretch. What was told before everything that it can mean counts for the first of it, if it was done at most
//! [`EARLY`] before, or takes effect at or after its `from`; otherwise it ends nothing, and is shown.
//!
//! Beginnings and endings are given in the order in which they were done, as the engine folds them.

mod reckoning;
mod stretch;

pub use reckoning::{MAX_STRETCHES, Stretches};
pub use stretch::{Cut, Done, EARLY, Ending, Identity, Reduction, Standing, Stretch, begins, ends};
