//! The fields by which rows of each core view are asked, for the description of the API. Several values of one are given
//! with commas between them. What is really known is in the view's `fields`; a test holds both together.
#![allow(dead_code, reason = "describes parameters that are read one by one, because each view knows others")]

use super::moment::MomentQuery;
use crate::web::parameters::Both;
use utoipa::IntoParams;

/// The parameters of a list of rows, for the description of the API. Beside them each view knows fields of its own.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// Rows in one of these states; several with commas.
    pub state: Option<String>,
    /// Rows that this principal answers for.
    pub owner: Option<String>,
    /// Rows with one of these ids; several with commas.
    pub id: Option<String>,
    /// Rows that this source opened; several with commas.
    pub source: Option<String>,
    /// Rows in one of whose events this principal acted; several with commas.
    pub by: Option<String>,
    /// `true`: only rows of whose id somebody said something else. `false`: only others.
    pub conflict: Option<bool>,
    /// `true`: only rows whose due date has passed and that are not done. `false`: only others.
    pub overdue: Option<bool>,
    /// `not-yet`, `in-force` or `expired`: by `valid_from` and `valid_until`.
    pub validity: Option<String>,
    /// Rows due from this time on.
    pub due_from: Option<String>,
    /// Rows due before this time.
    pub due_to: Option<String>,
    /// Rows that end from this time on.
    pub ends_from: Option<String>,
    /// Rows that end before this time.
    pub ends_to: Option<String>,
    /// Rows opened from this time on (valid time).
    pub opened_from: Option<String>,
    /// Rows opened before this time.
    pub opened_to: Option<String>,
    /// Rows last changed from this time on (valid time).
    pub changed_from: Option<String>,
    /// Rows last changed before this time.
    pub changed_to: Option<String>,
    /// Rows that ended from this time on (valid time): were done, or their time was over.
    pub ended_from: Option<String>,
    /// Rows that ended before this time.
    pub ended_to: Option<String>,
    /// `recorded` (the order in which rows came to the ledger), `opened`, `changed`, `ended` (by valid time), `due` or `ends`;
    /// with a minus from the end. `-recorded` if not given, `due` with `overdue=true`. Rows without the date are left out.
    /// Where more rows fit than are sorted for one answer (100,000, of 200,000 that are looked at), the list is in this order
    /// part by part: the page that ends a part says `as_of.partial` and has a `next`. Narrow it with filters.
    pub sort: Option<String>,
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
}

/// Oldest or newest first.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Order {
    Asc,
    Desc,
}

/// In which order entries come.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NewestFirstQuery {
    /// `desc` (default) or `asc`: the order in which they were recorded.
    pub order: Option<Order>,
}

/// In which order the events of a row come, and which page of them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryOrder {
    /// `asc` (default) or `desc`: by effective time.
    pub order: Option<Order>,
    /// 1 to 500; if not given, 1,000, and `as_of.partial` where there are more. Of CSV: so many rows in all; all of them if
    /// not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
}

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
}

/// By what rows are counted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountsQuery {
    /// `state` if not given, or another field that the view counts by: of a register `owner`.
    #[param(example = "state")]
    pub by: Option<String>,
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    pub min_seq: Option<u64>,
}

/// Which row, where several sources use its id.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SourceQuery {
    /// CloudEvents `source` of the event that opened it; the first one recorded, if not given.
    #[param(example = "/northgate/approvals")]
    pub source: Option<String>,
}

/// Where an answer that is given in parts goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CursorQuery {
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
}

/// One row, as of a moment.
pub type OneQuery = Both<SourceQuery, MomentQuery>;

/// What made one row what it is, as of a moment.
pub type HistoryQuery = Both<HistoryOrder, OneQuery>;

/// What the answer has to know of.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MinSeqQuery {
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    pub min_seq: Option<u64>,
}

/// Of approvals.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApprovalFilters {
    /// What sort of approval.
    #[param(example = "model-deployment")]
    pub kind: Option<String>,
    /// What is to be approved: type and id.
    #[param(example = "model/credit-line")]
    pub target: Option<String>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// Who voted, in favour or against.
    pub voter: Option<String>,
    /// A strategic pillar that it serves.
    #[param(example = "responsible-growth")]
    pub pillars: Option<String>,
    /// `minimal`, `limited` or `high`.
    pub risk_class: Option<String>,
    /// The exact scope.
    pub scope_digest: Option<String>,
    /// Whether the request or a vote that counts lacks a rationale.
    pub without_rationale: Option<bool>,
    /// Whether it names no pillar.
    pub without_pillar: Option<bool>,
    /// Whether one of its rounds was decided, or a condition met, after it was due, or ended overdue.
    pub missed_before: Option<bool>,
    /// Whether somebody withdrew or revoked it who neither asked for it nor holds a role of its quorum.
    pub by_stranger: Option<bool>,
    /// Whether its requester voted.
    pub own_vote: Option<bool>,
    /// Whether somebody voted to whom its requester had lent a right.
    pub delegates_vote: Option<bool>,
    /// Whether it was granted before any role had been recorded in the ledger.
    pub no_roles_recorded: Option<bool>,
    /// Whether a vote lost its authority because the role or delegation that gave it was annulled since.
    pub authority_annulled: Option<bool>,
    /// Whether its events were recorded in another order than they were done.
    pub out_of_order: Option<bool>,
}

/// Of grants.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GrantFilters {
    /// To what: kind and id.
    #[param(example = "dataset/loans-core")]
    pub resource: Option<String>,
    /// To whom, where it was given to a person or service.
    pub principal: Option<String>,
    /// To which role, where it was given to a role.
    pub role: Option<String>,
    /// The request that it answers.
    pub request: Option<String>,
    /// The approval that it rests on.
    pub approval: Option<String>,
    /// The agreement between the units.
    pub agreement: Option<String>,
    /// `dataset`, `model`, `registry` …
    pub resource_kind: Option<String>,
    /// The unit that answers for the resource.
    pub owner_unit: Option<String>,
    /// The unit that receives the access.
    pub grantee_unit: Option<String>,
    /// For what the data may be used.
    pub purpose: Option<String>,
    /// The basis in law.
    pub legal_basis: Option<String>,
    /// The ground for special categories of data.
    pub art9_basis: Option<String>,
    /// What it permits.
    pub operations: Option<String>,
    /// Whether the two units differ.
    pub across_units: Option<bool>,
    /// Whether they differ and no agreement is named.
    pub without_agreement: Option<bool>,
    /// Whether it was given outside the ordinary process.
    pub emergency: Option<bool>,
    /// Whether it was used after its end.
    pub used_after_end: Option<bool>,
    /// Whether it was used for another purpose.
    pub used_for_other_purpose: Option<bool>,
    /// Whether a review said that it is to be revoked, it has not been, and it does not end by itself before that is due.
    pub revoke_due: Option<bool>,
    /// The same of a review that said that it is to be reduced.
    pub reduce_due: Option<bool>,
    /// Whether its events were recorded in another order than they were done.
    pub out_of_order: Option<bool>,
    /// Only grants in force that nobody has looked at for so many days.
    #[param(example = 90, minimum = 0, maximum = 36500)]
    pub unreviewed_days: Option<u32>,
}

/// Of requests for access.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequestFilters {
    /// To what: kind and id.
    #[param(example = "dataset/loans-core")]
    pub resource: Option<String>,
    /// For whom, where it is a person or service.
    pub principal: Option<String>,
    /// For which role.
    pub role: Option<String>,
    /// The grant that it led to.
    pub grant: Option<String>,
    /// For what.
    pub purpose: Option<String>,
    /// The basis in law.
    pub legal_basis: Option<String>,
    /// Who asked.
    pub requested_by: Option<String>,
}

/// Of uses.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UseFilters {
    /// Of what: kind and id.
    #[param(example = "dataset/loans-core")]
    pub resource: Option<String>,
    /// By whom.
    pub principal: Option<String>,
    /// The grant that it names.
    pub grant: Option<String>,
    /// What was done.
    pub operation: Option<String>,
    /// For what.
    pub purpose: Option<String>,
    /// `allowed` or `denied`.
    pub outcome: Option<String>,
    /// Whether it was told with several counts: the highest counts.
    pub counts_differ: Option<bool>,
}

/// Of decisions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DecisionFilters {
    /// The file that it belongs to.
    pub case: Option<String>,
    /// The model.
    #[param(example = "credit-line")]
    pub model: Option<String>,
    /// Model and version.
    #[param(example = "credit-line@1.1")]
    pub model_version: Option<String>,
    /// The version, of whichever model.
    pub version: Option<String>,
    /// The AI system.
    pub system: Option<String>,
    /// Where it ran.
    pub environment: Option<String>,
    /// `automated` or `assisted`.
    pub mode: Option<String>,
    /// What was decided.
    #[param(example = "declined")]
    pub outcome: Option<String>,
    /// The country.
    pub jurisdiction: Option<String>,
    /// Whether it went against the person concerned.
    pub adverse: Option<bool>,
    /// Whether it has a legal or similarly significant effect.
    pub significant_effect: Option<bool>,
    /// Whether somebody has to look at it.
    pub review_required: Option<bool>,
    /// Whether somebody has to look at it, and nobody has; who only referred it on has not.
    pub unreviewed: Option<bool>,
    /// Whether the person concerned contests it, or did.
    pub contested: Option<bool>,
    /// Whether it is contested, or was, and no explanation was delivered to the person concerned.
    pub contested_unexplained: Option<bool>,
    /// Whether it is adverse, and no notice of that was delivered to the person concerned.
    pub adverse_unnotified: Option<bool>,
}

/// Of escalations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EscalationFilters {
    /// What it is about: type and id.
    #[param(example = "model/hire-rank")]
    pub about: Option<String>,
    /// The id of what it is about, whatever type that has.
    #[param(example = "hire-rank")]
    pub about_id: Option<String>,
    /// Who has it.
    pub assigned_to: Option<String>,
    /// Who or what opened it.
    #[param(example = "policy:impact-ratio")]
    pub trigger: Option<String>,
    /// `person`, `policy` or `threshold`.
    pub opened_by_kind: Option<String>,
    /// The path that it goes.
    pub path: Option<String>,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: Option<String>,
    /// How high it has gone.
    #[param(minimum = 1, maximum = 9)]
    pub level: Option<u32>,
    /// Severity and level.
    #[param(example = "high/2")]
    pub severity_level: Option<String>,
    /// Severity and level of those that are neither resolved nor closed.
    pub open_severity_level: Option<String>,
    /// The kind of cause.
    pub cause_class: Option<String>,
    /// The finding that it came from.
    pub finding: Option<String>,
    /// Whether whoever resolved it closed it too.
    pub closed_by_resolver: Option<bool>,
    /// Whether a clock or an action of its newest round was missed.
    pub missed: Option<bool>,
    /// Whether one of its earlier rounds missed one: opening again takes nothing of that away.
    pub missed_before: Option<bool>,
    /// Whether it was closed before it was resolved.
    pub unresolved: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::views::engine::Projection;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_described_is_what_each_view_knows() {
        fn named<T: IntoParams>() -> BTreeSet<String> {
            T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect()
        }
        let catalog = Catalog::embedded().unwrap();
        let fields = |name: &str| -> BTreeSet<String> {
            let all = crate::views::projections(&catalog);
            let view = all.iter().find(|projection| projection.name() == name);
            let Some(Projection::Rows(view)) = view else { panic!("no view {name}") };
            view.fields().into_iter().map(str::to_owned).collect()
        };
        let mut grants = fields("access");
        // Worked out from a date.
        grants.insert("unreviewed_days".into());
        assert_eq!(named::<ApprovalFilters>(), fields("approvals"));
        assert_eq!(named::<GrantFilters>(), grants);
        assert_eq!(named::<RequestFilters>(), fields("access-requests"));
        assert_eq!(named::<UseFilters>(), fields("access-uses"));
        assert_eq!(named::<DecisionFilters>(), fields("decisions"));
        assert_eq!(named::<EscalationFilters>(), fields("escalations"));
    }
}
