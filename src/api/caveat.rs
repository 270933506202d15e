//! How it looks what touches an answer and may make it say too much or too little.

use super::links;
use crate::answers::caveats::{Caveat, Kind, Named, Whole};
use crate::answers::moment::AskedMoment;
use serde::Serialize;
use utoipa::ToSchema;

/// One thing to know beside an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaveatView {
    /// `gaps`: sources whose numbering has gaps, of those that have ever posted events that these rows rest on.
    /// `conflicts`: rows of which somebody says something else. `late`: entries that these rows rest on and that were
    /// recorded later after they were done than their type, or an agreement with their source, allows. `corrections`:
    /// corrections in force of events that these rows rest on, of the last 30 days. `look-alikes`: names of people, of
    /// sources and of what is asked about that a reader takes for one another. `unverified-authority`: approvals granted
    /// by people whose right to it is not recorded.
    #[schema(example = "conflicts")]
    pub kind: &'static str,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub count: Option<u64>,
    /// At least so many, in place of `count`: there was more to look at than is looked at for one answer. 0 while what is
    /// looked at is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_at_least: Option<u64>,
    /// Some of them, at most five.
    pub named: Vec<NamedView>,
    /// Where all of them are.
    #[schema(example = "/v1/decisions?conflict=true")]
    pub link: String,
}

/// One that is named.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedView {
    /// A row's id, a source, an entry's number, or a name that looks like another one.
    #[schema(example = "CLD-120417")]
    pub name: String,
    /// The name that it looks like, of names that look alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Where it is.
    #[schema(example = "/v1/decisions/CLD-120417")]
    pub link: String,
}

impl NamedView {
    fn of(named: Named, moment: &AskedMoment) -> NamedView {
        match named {
            Named::Source(source) => {
                let link = format!("/v1/sources/{}", links::escaped(&source));
                NamedView { name: source, like: None, link }
            }
            Named::Row(row) => NamedView { link: links::row_then(&row, moment), like: None, name: row.id },
            Named::Entry(seq) => NamedView { name: seq.to_string(), like: None, link: links::entry(seq) },
            Named::Alike(pair) => {
                NamedView { name: pair.name, like: Some(pair.first), link: links::entry(pair.seq) }
            }
        }
    }
}

/// The filter for these types; none where all are meant.
fn of_types(types: Vec<String>) -> Option<(String, Vec<String>)> {
    (!types.is_empty()).then(|| ("type".to_owned(), types))
}

impl CaveatView {
    /// All of them, asked as of this moment.
    pub fn all(caveats: Vec<Caveat>, moment: &AskedMoment) -> Vec<CaveatView> {
        caveats.into_iter().map(|caveat| CaveatView::of(caveat, moment)).collect()
    }

    fn of(caveat: Caveat, moment: &AskedMoment) -> CaveatView {
        let (count, count_at_least) = caveat.count.told();
        CaveatView {
            kind: match caveat.kind {
                Kind::Gaps => "gaps",
                Kind::Conflicts => "conflicts",
                Kind::Late => "late",
                Kind::Corrections => "corrections",
                Kind::LookAlikes => "look-alikes",
                Kind::UnverifiedAuthority => "unverified-authority",
            },
            count,
            count_at_least,
            named: caveat.named.into_iter().map(|named| NamedView::of(named, moment)).collect(),
            link: match caveat.whole {
                Whole::Sources(types) => {
                    let incomplete = ("incomplete".to_owned(), vec!["true".to_owned()]);
                    let filters: Vec<_> = std::iter::once(incomplete).chain(of_types(types)).collect();
                    // They are kept of now.
                    links::then("/v1/sources", &filters, &AskedMoment::default())
                }
                Whole::Late(types) => links::then("/v1/late", &Vec::from_iter(of_types(types)), moment),
                Whole::Rows(rows) => links::rows_then(&rows, moment),
                Whole::LookAlikes(kinds) => {
                    links::then("/v1/look-alikes", &[("kind".to_owned(), kinds)], moment)
                }
                Whole::Corrections => links::then("/v1/corrections", &[], moment),
            },
        }
    }
}
