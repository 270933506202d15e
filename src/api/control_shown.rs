//! How controls and their evidence look.

use super::caveat::CaveatView;
use super::links;
use super::moment::{MomentView, text};
use crate::answers::Page;
use crate::answers::controls::counting::{Members, ShownControl, ShownEvidence, ShownPopulation};
use crate::answers::controls::standing::Summary;
use crate::answers::controls::{Controls, OneControl};
use crate::answers::moment::AskedMoment;
use crate::catalog::{Evidence, Filter};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A control, and what there is of evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ControlView {
    /// For ever the same; people cite it.
    #[schema(example = "ER-4")]
    pub id: String,
    /// What is practised.
    #[schema(example = "Audit trail of model decisions")]
    pub title: String,
    /// The domain of the catalogue that it belongs to.
    #[schema(example = "ethics")]
    pub domain: String,
    /// What a compliance officer asks.
    #[schema(example = "What is behind decision X?")]
    pub question: String,
    /// What counts as a violation, in words. Nothing here says whether there is one.
    #[schema(example = "A decision whose model version, inputs or reviewer cannot be traced.")]
    pub violation: String,
    /// To which rows it applies; absent where it applies to the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<PopulationView>,
    /// Which events are evidence.
    pub evidence_types: Vec<EvidenceTypeView>,
    /// What has been recorded.
    pub evidence: EvidenceCount,
    /// `per-event`, or the ISO 8601 duration in which evidence is due at least once.
    #[schema(example = "P3M")]
    pub cadence: String,
    /// When evidence is due next for any member that is not waived. Absent where the cadence is `per-event`, and where it
    /// is not told how the control stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027-02-24T09:30:00.000000Z")]
    pub due_by: Option<String>,
    /// How it stands, member by member. In the list of all controls absent where that is much to look at: the control
    /// itself tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<ControlStanding>,
    /// Where more is.
    pub links: ControlLinks,
}

/// How a control stands for all its members; one without a population for the organisation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ControlStanding {
    /// The worst state of any: `never-evidenced` (no evidence ever, and the first due date has passed), `overdue`,
    /// `not-yet-due` (no evidence yet), `waived` or `satisfied`. Absent without members.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "overdue")]
    pub worst: Option<&'static str>,
    /// How many members are in each state.
    #[schema(example = json!({"satisfied": 11, "overdue": 1}))]
    pub states: BTreeMap<&'static str, u64>,
    /// Whether every member was looked at, with all its evidence; else these are some of them.
    pub complete: bool,
}

/// To which rows a control applies.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PopulationView {
    /// The register or view.
    #[schema(example = "model-versions")]
    pub register: String,
    /// Which of its rows: for each field the values of which one has to be there. Absent where it applies to all.
    #[serde(rename = "where", skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub filter: Map<String, Value>,
    /// How many rows.
    #[serde(flatten)]
    pub members: MembersCount,
    /// Where they are.
    #[schema(example = "/v1/registers/model-versions?state=deployed")]
    pub link: String,
}

/// How many rows a population has: one of the three.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct MembersCount {
    /// So many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 12)]
    pub members: Option<u64>,
    /// At least so many: there were more rows to look at than are looked at for one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_at_least: Option<u64>,
    /// Why they cannot be counted now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members_unavailable: Option<String>,
}

/// A type of event that is evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceTypeView {
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "assessment.completed")]
    pub kind: String,
    /// Which events of the type: for each field of `data` the values of which one has to be there. Absent where all are.
    #[serde(rename = "where", skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub filter: Map<String, Value>,
}

/// What has been recorded as evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceCount {
    /// Events, without those that corrections took away.
    #[schema(example = 118)]
    pub count: u64,
    /// The one that was recorded last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<EvidenceView>,
}

/// An event that is evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// Its entry's number.
    #[schema(example = 512)]
    pub seq: u64,
    /// When the ledger recorded it.
    #[schema(example = "2026-11-24T09:30:00.000000Z")]
    pub time: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "decision.made")]
    pub kind: String,
    /// From when it counts.
    #[schema(example = "2026-11-24T09:29:58.000000Z")]
    pub effective_at: String,
    /// Who acted.
    #[schema(example = "app:credit-line")]
    pub by: String,
    /// CloudEvents `subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "LN-2026-0004")]
    pub subject: Option<String>,
    /// The rows of the population that it names.
    pub members: Vec<String>,
    /// The entry.
    #[schema(example = "/v1/events/512")]
    pub link: String,
}

/// Where more of a control is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ControlLinks {
    /// The control itself.
    #[serde(rename = "self")]
    #[schema(example = "/v1/controls/ER-4")]
    pub this: String,
    /// All of its evidence.
    #[schema(example = "/v1/controls/ER-4/evidence")]
    pub evidence: String,
    /// The rows that it applies to, each with its evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/controls/ER-4/members")]
    pub members: Option<String>,
}

/// All controls that fit.
#[derive(Serialize, ToSchema)]
pub struct ControlList {
    /// By id.
    pub items: Vec<ControlView>,
    /// Always null: all of them are here.
    pub next: Option<String>,
    /// The catalogue has changed, and evidence is still counted as the one before it said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub building: bool,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// One control.
#[derive(Serialize, ToSchema)]
pub struct ControlDetail {
    /// The control.
    #[serde(flatten)]
    pub control: ControlView,
    /// The evidence that was recorded last, the newest first.
    pub recent: Vec<EvidenceView>,
    /// The catalogue has changed, and evidence is still counted as the one before it said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub building: bool,
    /// What touches this answer and may make it say too much or too little; absent where nothing is known to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<CaveatView>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// A page of evidence.
#[derive(Serialize, ToSchema)]
pub struct EvidenceList {
    /// The newest first.
    pub items: Vec<EvidenceView>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// As of when it holds.
    pub as_of: MomentView,
}

fn shown_filter(filter: &Filter) -> Map<String, Value> {
    filter.fields.iter().map(|(name, values)| (name.clone(), Value::Array(values.clone()))).collect()
}

impl EvidenceView {
    pub(super) fn of(evidence: ShownEvidence) -> EvidenceView {
        EvidenceView {
            seq: evidence.seq,
            time: text(evidence.recorded_at),
            kind: evidence.event_type,
            effective_at: text(evidence.effective_at),
            by: evidence.by,
            subject: evidence.subject,
            members: evidence.members,
            link: links::entry(evidence.seq),
        }
    }
}

impl MembersCount {
    fn of(members: Members) -> MembersCount {
        let none = MembersCount::default();
        match members {
            Members::Counted(counted) => {
                let (members, members_at_least) = counted.told();
                MembersCount { members, members_at_least, ..none }
            }
            Members::Unavailable(why) => MembersCount { members_unavailable: Some(why), ..none },
        }
    }
}

impl PopulationView {
    fn of(population: ShownPopulation, moment: &AskedMoment) -> PopulationView {
        PopulationView {
            link: links::rows_then(&population.rows, moment),
            register: population.declared.register,
            filter: shown_filter(&population.declared.filter),
            members: MembersCount::of(population.members),
        }
    }
}

impl ControlView {
    /// A control and its latest evidence, as they are shown; asked as of this moment.
    fn of(control: OneControl, moment: &AskedMoment) -> (ControlView, Vec<EvidenceView>) {
        let OneControl { control, standing } = control;
        let ShownControl { declared, population, count, recent } = control;
        let this = format!("/v1/controls/{}", declared.id);
        let of_type = |evidence: &Evidence| EvidenceTypeView {
            kind: evidence.event_type.clone(),
            filter: shown_filter(&evidence.filter),
        };
        let recent: Vec<EvidenceView> = recent.into_iter().map(EvidenceView::of).collect();
        let view = ControlView {
            links: ControlLinks {
                evidence: format!("{this}/evidence"),
                members: population.as_ref().map(|_| format!("{this}/members")),
                this,
            },
            population: population.map(|population| PopulationView::of(population, moment)),
            evidence_types: declared.evidence.iter().map(of_type).collect(),
            evidence: EvidenceCount { count, last: recent.first().cloned() },
            cadence: declared.cadence.to_string(),
            due_by: standing.as_ref().and_then(|standing| standing.due_by).map(text),
            standing: standing.map(ControlStanding::of),
            id: declared.id,
            title: declared.title,
            domain: declared.domain,
            question: declared.question,
            violation: declared.violation,
        };
        (view, recent)
    }
}

impl ControlStanding {
    fn of(summary: Summary) -> ControlStanding {
        ControlStanding {
            worst: summary.worst().map(|state| state.word()),
            states: summary.states.iter().map(|(state, count)| (state.word(), *count)).collect(),
            complete: summary.complete,
        }
    }
}

impl ControlList {
    /// All controls that fit, asked as of this moment.
    pub fn of(controls: Controls<Vec<OneControl>>, moment: &AskedMoment, as_of: MomentView) -> ControlList {
        let Controls { shown, building, .. } = controls;
        let items = shown.into_iter().map(|control| ControlView::of(control, moment).0).collect();
        ControlList { items, next: None, building, as_of }
    }
}

impl ControlDetail {
    /// One control, asked as of this moment.
    pub fn of(control: Controls<OneControl>, moment: &AskedMoment, as_of: MomentView) -> ControlDetail {
        let Controls { shown, building, caveats } = control;
        let caveats = CaveatView::all(caveats, moment);
        let (control, recent) = ControlView::of(shown, moment);
        ControlDetail { control, recent, building, caveats, as_of }
    }
}

impl EvidenceList {
    /// A page of evidence.
    pub fn of(page: Page<ShownEvidence>, as_of: MomentView) -> EvidenceList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(EvidenceView::of).collect();
        EvidenceList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}
