//! What an answer shows of an approval.

use super::terms::Terms;
use super::{EndedBy, State, WhyNot};
use crate::base::Micros;

/// One approval: the row of one id and one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// Whose row it is: the source that asked.
    pub source: String,
    /// The newest round's.
    pub state: State,
    /// All rounds, the oldest first.
    pub rounds: Vec<Round>,
    /// What is granted and stands for its own terms.
    pub in_force: Option<InForce>,
    /// The earliest of what is open: the newest round's first due date, or a condition's.
    pub due_at: Option<Micros>,
    /// Whether the due date of anything open has passed.
    pub overdue: bool,
    /// A later due date that the newest round was given when it was told again.
    pub extended_due_at: Option<ExtendedDue>,
    /// The conditions of the votes that count, in all rounds.
    pub conditions: Vec<Condition>,
    /// All withdrawals, also those that ended nothing.
    pub withdrawals: Vec<Ending>,
    /// All revocations, also those that ended nothing.
    pub revocations: Vec<Ending>,
    /// `condition_met` that ended nothing.
    pub unused: Vec<Unused>,
    /// Votes that are about no round: told too long before the opening, or nobody asked.
    pub unplaced: Vec<Vote>,
    /// Entries of other sources that asked with the same data.
    pub confirmations: Vec<u64>,
    /// Sources that have a row of their own under this id.
    pub other_sources: Vec<String>,
    /// Whether an event here could mean the row of another source.
    pub ambiguous: bool,
    /// The caveat: a grant stands on votes before which no role had been recorded at all.
    pub no_roles_recorded: bool,
    /// Whether an opening or an ending was recorded in another order than it was done, or an event was told
    /// early.
    pub out_of_order: bool,
    /// Whether a round missed anything before it ended or was decided.
    pub missed_before: bool,
}

/// One round.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// From 1, in the order in which they were asked for.
    pub number: usize,
    /// The entry that asked for it.
    pub asked: u64,
    /// When it was asked for.
    pub asked_at: Micros,
    /// For what.
    pub terms: Terms,
    /// How it stands. One that a newer round took the place of keeps what it was: see `ended_by`.
    pub state: State,
    /// From when it was granted.
    pub granted_at: Option<Micros>,
    /// The votes, in the order in which they were done.
    pub votes: Vec<Vote>,
    /// Who stepped aside.
    pub recusals: Vec<Recusal>,
    /// Entries that asked again with the same terms.
    pub told_again: Vec<u64>,
    /// The first due date: overdue counts against it.
    pub due_at: Option<Micros>,
    /// A later due date that was told again.
    pub extended_due_at: Option<ExtendedDue>,
    /// An earlier due date that was told again: shown, the first stays (section 10).
    pub earlier_due_at: Option<ExtendedDue>,
    /// Whether it is open and past its first due date.
    pub overdue: bool,
    /// How it ended.
    pub ended_by: Option<EndedRound>,
    /// What it had missed when it was decided, or ended.
    pub missed_before: Vec<Missed>,
    /// Whether its grant stands on votes before which no role had been recorded.
    pub no_roles_recorded: bool,
}

/// A due date that was told again, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedDue {
    /// The date.
    pub due_at: Micros,
    /// Who stated it.
    pub by: String,
    /// The entry.
    pub seq: u64,
}

/// What stands granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The round's number: its terms are there.
    pub round: usize,
    /// Until when, as far as it is known.
    pub until: Option<Micros>,
}

/// The end of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRound {
    /// How.
    pub how: EndedBy,
    /// From when.
    pub at: Micros,
    /// The entry that ended it; none for an expiry.
    pub seq: Option<u64>,
    /// Who did that.
    pub by: Option<String>,
}

/// Something that was not done when it was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The decision.
    Decision {
        /// When it was due.
        due_at: Micros,
    },
    /// A condition.
    Condition {
        /// The entry of the vote that states it.
        vote: u64,
        /// Its id.
        id: String,
        /// When it was due.
        due_at: Micros,
    },
}

/// Whether somebody voted on a request of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Neither of the following.
    No,
    /// The requester.
    Requester,
    /// Somebody to whom the requester had delegated.
    RequestersDelegate,
}

/// One vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// The entry.
    pub seq: u64,
    /// Whose vote.
    pub by: String,
    /// Who posted it.
    pub actor: String,
    /// In which role, as stated.
    pub capacity: Option<String>,
    /// When it was done.
    pub done_at: Micros,
    /// When it was recorded.
    pub recorded_at: Micros,
    /// Whether it is for the approval.
    pub for_it: bool,
    /// Whether it counts, with or without authority. A vote against counts only with it.
    pub counts: bool,
    /// Whether the voter had a right for it, own or lent, at that moment, by what was recorded before.
    pub with_authority: bool,
    /// Whether no role at all had been recorded before it: then it counts as if with authority.
    pub no_roles_recorded: bool,
    /// Whose right it fills a place with.
    pub place: Option<String>,
    /// The same, where it is another's.
    pub via_delegator: Option<String>,
    /// Whether it is on the voter's own request.
    pub own: Own,
    /// Why it does not count, or fills no place.
    pub why_not: Option<WhyNot>,
    /// Whether the voter had a right at that moment by all that is known now, where that differs.
    pub authority_now: Option<bool>,
    /// Whether an annulment took away the authority that it had when it was recorded.
    pub annulled: bool,
    /// Whether it was told before the round's opening, or recorded on the other side of its opening or end.
    pub out_of_order: bool,
    /// Whether it could be about the row of another source.
    pub ambiguous: bool,
}

/// Somebody steps aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recusal {
    /// The entry.
    pub seq: u64,
    /// Who.
    pub by: String,
    /// Whether it takes the vote away.
    pub counts: bool,
    /// Why not.
    pub why_not: Option<WhyNot>,
}

/// A condition of a vote that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The round's number.
    pub round: usize,
    /// The entry of the vote that states it.
    pub vote: u64,
    /// Its id.
    pub id: String,
    /// When it is to be met.
    pub due_at: Option<Micros>,
    /// How it stands.
    pub state: ConditionState,
    /// Whether it is due, and past its date.
    pub overdue: bool,
    /// The entry that met it.
    pub met_by: Option<u64>,
}

/// How a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionState {
    /// Its round is not granted yet: it is not due.
    BeforeGrant,
    /// Its round is granted, in force or expired: it is due.
    Open,
    /// It was met.
    Met,
    /// Its round was revoked, rejected, withdrawn, or gave way to a newer one: it is not due any more.
    Over,
}

/// A withdrawal or a revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The entry.
    pub seq: u64,
    /// Who.
    pub by: String,
    /// From when.
    pub effective_at: Micros,
    /// Whether who did it is neither requester nor holder of a quorum role.
    pub by_stranger: bool,
    /// The numbers of the rounds that it ends.
    pub ended: Vec<usize>,
    /// Whether it ends none.
    pub ended_nothing: bool,
    /// Whether it was told before the opening.
    pub out_of_order: bool,
}

/// A `condition_met` that ended nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// The entry.
    pub seq: u64,
    /// Whether that is because it could mean several.
    pub ambiguous: bool,
}
