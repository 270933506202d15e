//! States that rows have beside those that a register declares, and the types that give them.

/// Nobody has confirmed what would open the row.
pub(super) const PROPOSED: &str = "proposed";
/// Nobody did in time.
pub(super) const LAPSED: &str = "lapsed";

/// The type that opens an import.
pub(super) const OPENED: &str = "import.opened";
/// The window of an import had not ended when it was opened: nothing confirms it.
pub(super) const VOID: &str = "void";
