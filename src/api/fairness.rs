//! Fairness of models.

use super::answering::answer;
use super::caveat::CaveatView;
use super::links;
use super::moment::{MomentQuery, MomentView};
use crate::answers;
use crate::api::problems::OfQuestions;
use crate::views::fairness::Group;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Whose fairness.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct FairnessQuery {
    /// The model.
    #[param(example = "hire-rank")]
    pub model: String,
    /// The version; all versions together, if not given.
    #[param(example = "2.0")]
    pub version: Option<String>,
    /// Only tallies of periods that begin at this time or later. What lies only partly between `from` and `to` is named
    /// and not added.
    pub from: Option<String>,
    /// Only tallies of periods that end at this time or earlier.
    pub to: Option<String>,
    /// `tallied` or `observed`; both apart from each other are never added up: `tallied` if not given.
    #[param(example = "tallied")]
    pub kind: Option<String>,
    /// Which attributes, with commas; joined by `+` an intersection. All that occur, if not given.
    #[param(example = "sex,sex+ethnicity")]
    pub attributes: Option<String>,
}

/// One group.
#[derive(Serialize, ToSchema)]
pub struct GroupRow {
    /// Attributes and values.
    #[schema(value_type = Object, example = json!({"sex": "female"}))]
    pub group: Group,
    /// How many were assessed; null, as all that follows, where that is withheld: see `withheld_below`.
    #[schema(example = 412)]
    pub n: Option<u64>,
    /// It is withheld because there are fewer than so many. A group without it is withheld so that the small ones cannot be
    /// reckoned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    pub n_below: Option<u64>,
    /// How many of them were selected.
    #[schema(example = 122)]
    pub selected: Option<u64>,
    /// Selected of those assessed; null if nobody was assessed.
    #[schema(example = 0.296)]
    pub selection_rate: Option<f64>,
    /// The selection rate over the highest of a group that is not small, or of all where all are small; null if there is
    /// none, or it is 0.
    #[schema(example = 0.74)]
    pub impact_ratio: Option<f64>,
    /// Above the median of those assessed, where every tally says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scoring_rate: Option<f64>,
    /// The scoring rate over the highest of a group that is not small, or of all where all are small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scoring_impact_ratio: Option<f64>,
    /// The group's share of all whose group is known.
    pub share: Option<f64>,
    /// Under 2 % of all whose group is known: its ratio says little, and it is not taken for the highest while there are
    /// other groups.
    pub small: Option<bool>,
    /// The impact ratio is under four fifths: an indicator to look closer, not a verdict.
    pub below_four_fifths: Option<bool>,
}

/// The groups of one attribute, or of several together, as one source tells of one population.
#[derive(Serialize, ToSchema)]
pub struct Question {
    /// Which attributes; several are an intersection.
    #[schema(example = json!(["sex"]))]
    pub attributes: Vec<String>,
    /// The source that tells it: figures of several are never added up, for they may tell of the same people.
    #[schema(example = "/northgate/fairness-tally")]
    pub source: String,
    /// Where the model ran, where the tallies say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who was assessed, where the tallies say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<String>,
    /// How many tallies are added up.
    #[schema(example = 1)]
    pub tallies: usize,
    /// Some of the people are in groups of fewer than so many, which only the role `special-categories` sees. The numbers of
    /// such groups are null, and those of one group beside them; of an intersection, and where there is no such group, all
    /// numbers are. Ratios are held against the groups that are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    pub withheld_below: Option<u64>,
    /// Everybody in them: those of a known group, those of none, and those who are not told by these attributes.
    #[schema(example = 898)]
    pub total: Option<u64>,
    /// All whose group is known.
    #[schema(example = 867)]
    pub known: Option<u64>,
    /// Those whose group is not known.
    #[schema(example = 31)]
    pub unknown: Option<u64>,
    /// Those who are not told by these attributes.
    #[schema(example = 0)]
    pub not_told: Option<u64>,
    /// Of those not told, how many only a stated total knows of.
    #[serde(skip_serializing_if = "is_none")]
    pub only_in_total: Option<u64>,
    /// How many are told beyond the totals that are stated: the tallies contradict themselves.
    #[serde(skip_serializing_if = "is_none")]
    pub beyond_total: Option<u64>,
    /// A tally tells the same people in several ways, by sex and by ethnicity say: each counts once.
    #[serde(skip_serializing_if = "is_not")]
    pub several_ways: bool,
    /// The unknown share of all; null if there is nobody.
    pub unknown_share: Option<f64>,
    /// The lowest impact ratio of a group that is not small, or of all where all are small.
    pub lowest_impact_ratio: Option<f64>,
    /// There are only small groups: the ratios are of small groups.
    #[serde(skip_serializing_if = "is_not")]
    pub only_small: bool,
    /// By group.
    pub groups: Vec<GroupRow>,
}

fn is_none(number: &Option<u64>) -> bool {
    number.is_none_or(|number| number == 0)
}

fn is_not(flag: &bool) -> bool {
    !flag
}

/// Fairness of a model.
#[derive(Serialize, ToSchema)]
pub struct FairnessView {
    /// The model.
    #[schema(example = "hire-rank")]
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// How many tallies it is made from.
    #[schema(example = 3)]
    pub tallies: usize,
    /// One for each attribute and each intersection, of each source, environment and population. Under four fifths is an
    /// indicator to look closer, not a verdict.
    pub questions: Vec<Question>,
    /// The tallies that it is made from.
    pub from: Vec<TallyLink>,
    /// Tallies of people that another one tells of, recorded before: named and not added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlapping: Vec<TallyLink>,
    /// Tallies that lie only partly in the period asked for: named and not added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partly: Vec<TallyLink>,
    /// Tallies that contradict themselves: their period is none, or more were selected than assessed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub irregular: Vec<TallyLink>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// What touches tallies, of whichever model, and may make this answer say too much or too little; absent where nothing
    /// is known to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<CaveatView>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// A tally that is named.
#[derive(Serialize, ToSchema)]
pub struct TallyLink {
    /// Model, version, period or bench, and what else makes it another one.
    #[schema(example = "hire-rank@2.0@2026-02-01T00:00:00Z@2026-03-01T00:00:00Z@ethnicity+sex")]
    pub id: String,
    /// The entry that tells it.
    #[schema(example = "/v1/events/301")]
    pub event: String,
    /// The entry that stands in its place, where another one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/events/298")]
    pub instead: Option<String>,
}

impl GroupRow {
    fn of(row: answers::fairness::GroupRow) -> GroupRow {
        GroupRow {
            group: row.group,
            n: row.n,
            n_below: row.n_below,
            selected: row.selected,
            selection_rate: row.selection_rate,
            impact_ratio: row.impact_ratio,
            scoring_rate: row.scoring_rate,
            scoring_impact_ratio: row.scoring_impact_ratio,
            share: row.share,
            small: row.small,
            below_four_fifths: row.below_four_fifths,
        }
    }
}

impl Question {
    fn of(question: answers::fairness::Question) -> Question {
        Question {
            attributes: question.attributes,
            source: question.source,
            environment: question.environment,
            population: question.population,
            tallies: question.tallies,
            withheld_below: question.withheld_below,
            total: question.total,
            known: question.known,
            unknown: question.unknown,
            not_told: question.not_told,
            only_in_total: question.only_in_total,
            beyond_total: question.beyond_total,
            several_ways: question.several_ways,
            only_small: question.only_small,
            unknown_share: question.unknown_share,
            lowest_impact_ratio: question.lowest_impact_ratio,
            groups: question.groups.into_iter().map(GroupRow::of).collect(),
        }
    }
}

impl FairnessView {
    fn of(found: answers::fairness::Fairness, as_of: MomentView) -> FairnessView {
        let link = |tally: answers::fairness::TallyRef| TallyLink {
            id: tally.id,
            event: links::entry(tally.entry),
            instead: tally.instead.map(links::entry),
        };
        let links = |tallies: Vec<answers::fairness::TallyRef>| tallies.into_iter().map(link).collect();
        FairnessView {
            model: found.model,
            version: found.version,
            tallies: found.tallies,
            questions: found.questions.into_iter().map(Question::of).collect(),
            from: links(found.from),
            overlapping: links(found.overlapping),
            partly: links(found.partly),
            irregular: links(found.irregular),
            known: found.unheard.is_empty(),
            unknown: found.unheard,
            caveats: CaveatView::all(found.caveats, &as_of.asked()),
            as_of,
        }
    }
}

/// Selection rates and impact ratios by group and by intersection, from tallies.
///
/// Who has not the role `special-categories` is not told the numbers of groups under ten persons, nor anything from which they
/// could be reckoned. Which attributes are asked for makes no difference: asking for one after the other gives no more.
#[utoipa::path(tag = "compliance", params(FairnessQuery, MomentQuery), responses(
    (status = 200, description = "Impact ratios", body = FairnessView),
    OfQuestions,
))]
#[get("/decisions/fairness")]
pub async fn fairness(
    service: web::Data<Service>,
    reader: Reader,
    query: Query<Both<FairnessQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| answers::fairness::of_model(inquiry, &parameters),
        FairnessView::of,
    )
    .await
}
