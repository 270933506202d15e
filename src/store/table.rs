//! The key spaces of a store.

/// A key space of its own. Batches span tables, scans do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What the index says about itself: a handful of keys.
    Meta,
    /// Point lookups of random keys, most of which miss.
    Ids,
    /// Lists, read by range.
    Postings,
    /// Rows of views: read one by one, and changed.
    Rows,
    /// The events of rows, read by range.
    Events,
    /// Keys without values that come and go, read by range.
    Terms,
}

impl Table {
    /// What the index of identities and lists consists of.
    pub const INDEX: [Table; 3] = [Table::Meta, Table::Ids, Table::Postings];

    /// All tables, in key order: what the views consist of.
    pub const ALL: [Table; 6] =
        [Table::Meta, Table::Ids, Table::Postings, Table::Rows, Table::Events, Table::Terms];
}
