//! Names that the ledger had never heard of: an empty list for one of them says nothing of what it names.
//!
//! A name is heard of where an entry up to the moment speaks of it, by its subject, its source, who posted or acted, the
//! entity that it is about or links to, or where a row has it in the field that was asked for. That somebody was never heard
//! of is said only where it is sure.

use super::error::AnswerError;
use super::moment::{Moment, patience};
use super::walk::{Sought, indexed, speaking_of};
use super::words;
use super::{Inquiry, Unheard};
use crate::catalog::KEY_JOINER;
use crate::index::Filter;
use crate::views::engine::{Ask, View};
use std::collections::BTreeSet;

/// Between the kind of something and its id.
const KIND_FROM_ID: char = '/';

/// Listens for names, as of a moment.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    inquiry: &'a Inquiry<'a>,
    moment: &'a Moment,
}

impl<'a> Listener<'a> {
    /// As of this moment.
    #[must_use]
    pub fn new(inquiry: &'a Inquiry<'a>, moment: &'a Moment) -> Listener<'a> {
        Listener { inquiry, moment }
    }

    /// Whether an entry speaks of something by its name, or by the id in a name of kind and id.
    ///
    /// # Errors
    /// The index or the views do not answer.
    pub fn has_heard(&self, name: &str) -> Result<bool, AnswerError> {
        let known = self.moment.when.known;
        let Some(index) = self.inquiry.desk().index else { return Ok(true) };
        if !index.wait_applied(known, patience(self.inquiry)) {
            return Ok(true);
        }
        let range = (0, known);
        let of_source = Filter { source: Some(name), ..Filter::default() };
        if !indexed(index, of_source, range, false, 1)?.is_empty() || self.is_spoken_of(name, range)? {
            return Ok(true);
        }
        if self.is_row(name) {
            return Ok(true);
        }
        let of_kind = name.split_once(KIND_FROM_ID).filter(|(kind, id)| !id.is_empty() && self.is_kind(kind));
        of_kind.map_or(Ok(false), |(_, id)| self.is_spoken_of(id, range))
    }

    fn is_spoken_of(&self, id: &str, range: (u64, u64)) -> Result<bool, AnswerError> {
        let sought = [Sought::Anything(id)];
        let found = speaking_of(self.inquiry, &self.moment.engine, &sought, range, false, 1)?;
        Ok(!found.is_empty())
    }

    /// Whether it is the id of a row that is made of several names, such as a model's version: no entry spells it so.
    fn is_row(&self, id: &str) -> bool {
        let parts = id.split(KEY_JOINER).count();
        let catalog = self.inquiry.catalog();
        let mut registers = catalog.registers().filter(|register| parts > 1 && register.key.len() == parts);
        // A register that does not answer now has nothing to say.
        registers.any(|register| {
            matches!(self.moment.engine.row_of(&register.name, id, None, self.moment.when), Ok(Some(_)))
        })
    }

    fn is_kind(&self, kind: &str) -> bool {
        let catalog = self.inquiry.catalog();
        catalog.types().any(|ty| ty.entity.family == kind)
            || catalog.registers().any(|register| register.family == kind)
    }

    /// Whether a row of a view has a value in a field, or an entry speaks of it.
    ///
    /// # Errors
    /// The index or the views do not answer, or not in time.
    pub fn has_heard_in(&self, view: &str, field: &str, value: &str) -> Result<bool, AnswerError> {
        if self.has_heard(value)? {
            return Ok(true);
        }
        let page = self.moment.engine.list(view, &self.moment.all(1).with(field, value))?;
        Ok(!page.rows.is_empty() || page.next.is_some())
    }

    /// Those of the values that the rows of a view were asked for which nobody had heard of. Where rows were found, what was
    /// asked for with one value alone has been heard of.
    ///
    /// # Errors
    /// As for [`Listener::has_heard_in`].
    pub fn unheard_of(&self, view: &dyn View, ask: &Ask, found_any: bool) -> Result<Unheard, AnswerError> {
        let mut unheard = Unheard::new();
        let flags = view.flags();
        for (field, values) in &ask.filters {
            let is_heard = found_any && values.len() == 1;
            if is_heard
                || flags.contains(&field.as_str())
                || words::is_closed(field)
                || words::of_field(self.inquiry, view, field).is_some()
            {
                continue;
            }
            let mut seen = BTreeSet::new();
            for value in values.iter().filter(|value| seen.insert(value.as_str())) {
                self.inquiry.deadline().check()?;
                if !self.has_heard_in(view.name(), field, value)? {
                    unheard.entry(field.clone()).or_default().push(value.clone());
                }
            }
        }
        Ok(unheard)
    }

    /// The same of one parameter that names something: in rows of a view, or wherever an entry speaks of it.
    ///
    /// # Errors
    /// As for [`Listener::has_heard_in`].
    pub fn unheard(
        &self,
        parameter: &str,
        name: &str,
        in_rows: Option<(&str, &str)>,
    ) -> Result<Unheard, AnswerError> {
        let heard = match in_rows {
            Some((view, field)) => self.has_heard_in(view, field, name)?,
            None => self.has_heard(name)?,
        };
        Ok(if heard {
            Unheard::new()
        } else {
            Unheard::from([(parameter.to_owned(), vec![name.to_owned()])])
        })
    }
}
