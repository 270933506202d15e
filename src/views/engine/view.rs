//! What a view is: which rows an event is about, and what it does to them.

use super::judging::Judge;
use super::opening::Opening;
use super::row::{Row, RowEvent};
use crate::spec::time::Timestamp;
use crate::views::stats::Contribution;
use serde_json::Value;

/// The field of a row that says that its events were recorded in another order than they were done.
pub const OUT_OF_ORDER: &str = "out_of_order";

/// What an unknown alias is called until its row is known. No identifier begins so.
pub(super) const STUB: &str = "?";

/// How an event names the row that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RowName {
    /// By the row's own id.
    Id(String),
    /// By another name, which an event of the row has given it (see [`View::aliases`]) or is yet to give.
    Alias(String),
}

/// A projection of the log into rows: pure functions of events, so that replaying gives the same rows.
///
/// The engine does the rest: order by effective time, late events, corrections, storage, lists, counts, and answers as of
/// a number and at a time.
pub trait View: Send + Sync {
    /// The last part of its address.
    fn name(&self) -> &str;

    /// What its rows are, as links name it.
    fn family(&self) -> &str;

    /// Another one means other rows from the same events: the view is then built anew, beside the old one.
    fn version(&self) -> u64;

    /// The types of event that it wants to see.
    fn types(&self) -> Vec<String>;

    /// The row that an event is about, if any.
    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName>;

    /// The row that an event of a source is about, for views in which that depends on the source.
    fn row_of_source(&self, ty: &str, _source: &str, data: &Value) -> Option<RowName> {
        self.row_of(ty, data)
    }

    /// Other names that an event gives its row.
    fn aliases(&self, _ty: &str, _data: &Value) -> Vec<String> {
        Vec::new()
    }

    /// How events of a type open rows.
    fn opening(&self, _ty: &str) -> Opening {
        Opening::None
    }

    /// Whether another source that opens the id of a row has a row of its own: whether one of its types opens rows so.
    fn is_of_one_source(&self) -> bool {
        false
    }

    /// Whether events of a type end a round of a row that has rounds. Of the openings between two ends the first one
    /// recorded begins the round, whichever was done first.
    fn ends_round(&self, _ty: &str) -> bool {
        false
    }

    /// A type of which the first event recorded in the ledger, of whichever row, changes what later ones mean: an event
    /// says whether it was recorded after that (`RowEvent::after_turn`).
    fn turn(&self) -> Option<&str> {
        None
    }

    /// From when an event of it holds: what its type says, if the view does not know better.
    fn effective_at(&self, event: &RowEvent) -> Timestamp {
        event.effective_at
    }

    /// Whether events of a type are folded whenever they hold, also as of a moment before: the view keeps from when to
    /// when, and [`View::settle`] says what holds at a moment.
    fn is_reckoned(&self, _ty: &str) -> bool {
        false
    }

    /// Makes of a row with all its events what it is at a moment: for rows that keep stretches.
    fn settle(&self, _row: &mut Row, _at: Timestamp) {}

    /// From when on a row stays as it is, by what is known of it: what [`View::settle`] makes of it at any later moment
    /// differs in nothing but that dates have passed. None: from its last event on.
    fn settled_from(&self, _row: &Row) -> Option<Timestamp> {
        None
    }

    /// Whether events of a type are acts of two: proposals, in effect once somebody else has confirmed them. The fold is told
    /// how each stands at the moment that is asked about (`RowEvent::act`).
    fn is_act_of_two(&self, _ty: &str) -> bool {
        false
    }

    /// Whether it has types of which events are acts of two. Its rows are then folded when they are asked for, and are judged.
    fn has_acts_of_two(&self) -> bool {
        false
    }

    /// Adds to a row what is shown of it at a moment, and is in it in another shape.
    fn show(&self, _row: &mut Row, _at: Timestamp) {}

    /// What an opening leaves behind that does not open: one that was told again, or contradicts.
    fn told_again(&self, _row: &mut Row, _event: &RowEvent) {}

    /// What one event does to its row. Events come in the order in which they were done (see [`super::order::arrange`]), those
    /// told early after the opening; `row` is the default one before the first. It must cope with events that are missing:
    /// a correction may take any away.
    fn step(&self, row: &mut Row, event: &RowEvent);

    /// The fields by which rows can be found fast, with the row's values; a value that the row once had may stay on
    /// its list. For fields of many different values.
    fn lists(&self, row: &Row) -> Vec<(&'static str, String)>;

    /// As [`View::lists`], for values that many rows have: kept a bit a row. The row must have its values from its first
    /// event on, or the list costs more than it saves.
    fn dense_lists(&self, _row: &Row) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The fields of [`View::dense_lists`].
    fn dense_fields(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The fields of [`View::lists`], those of which a value has the fewest rows first: a question for several of them
    /// begins with the first one here.
    fn list_fields(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The fields by which rows are counted, with the row's values. For fields of few different values. The state is
    /// always counted.
    fn facets(&self, row: &Row) -> Vec<(&'static str, String)>;

    /// The fields by which rows may be asked for, beside `id`, `state` and `owner`: fields of the row, and what it is
    /// listed and counted by.
    fn fields(&self) -> Vec<&str> {
        self.list_fields()
    }

    /// Those of [`View::fields`] that are true or false. A row that lacks one, in its fields and everywhere else, is
    /// false.
    fn flags(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The words of which a field holds one, as the fold writes them; the state always, and what schemas list by themselves
    /// not again. None: whatever events say.
    fn words(&self, _field: &str) -> Option<Vec<String>> {
        None
    }

    /// From where a field comes: types of event, and paths in their data.
    fn places_of(&self, field: &str) -> Vec<(String, String)> {
        self.types().into_iter().map(|event_type| (event_type, field.to_owned())).collect()
    }

    /// The fields of [`View::facets`].
    fn counted_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The state that nearly all rows are in, if there are many rows: it has no list of its own.
    fn common_state(&self) -> Option<&str> {
        None
    }

    /// The state whose rows are shown as `expired` once their `valid_until` has passed, if there is one.
    fn expiring_state(&self) -> Option<&str> {
        None
    }

    /// Whether a row in this state is shown as `expired` once its `valid_until` has passed.
    fn expires(&self, state: &str) -> bool {
        self.expiring_state() == Some(state)
    }

    /// Whether the data of each event is kept beside the row, so that a row is folded again without reading the log.
    /// For views of which many rows are asked at once as of another day.
    fn keeps_data(&self) -> bool {
        false
    }

    /// Who says what a row comes to, where its own events cannot: see [`Judge`]. Its rows are kept with what their events
    /// say, and have a state, dates and facets only once they are judged.
    fn judge(&self) -> Option<&dyn Judge> {
        None
    }

    /// What a row adds to the statistics of decisions.
    fn contribution(&self, _row: &Row) -> Option<Contribution> {
        None
    }
}

/// By what rows of every view may be asked, beside what their view knows.
pub const OF_ALL: [&str; 6] = ["state", "owner", "id", SOURCE, BY, CONFLICT];
/// The source whose row it is.
pub const SOURCE: &str = "source";
/// Who acted in one of its events.
pub const BY: &str = "by";
/// Whether somebody said something else of the same id: in the row, or in a row of another source.
pub const CONFLICT: &str = "conflict";
