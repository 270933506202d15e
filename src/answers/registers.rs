//! All registers of the catalogue, and how many rows each has.

use super::error::AnswerError;
use super::moment::present;
use super::{Answer, Inquiry};
use crate::catalog::{Register, UNOPENED};

/// A register, and how many rows it has.
#[derive(Clone, Debug)]
pub struct CountedRegister {
    /// As the catalogue declares it.
    pub register: Register,
    /// The states that its rows may have once they are opened, in the order of the alphabet.
    pub states: Vec<String>,
    /// Rows that it has.
    pub rows: u64,
    /// Rows whose due date has passed and that are not done.
    pub overdue: u64,
}

/// All registers, by name.
///
/// # Errors
/// The views do not answer.
pub fn list(inquiry: &Inquiry<'_>) -> Result<Answer<Vec<CountedRegister>>, AnswerError> {
    let moment = present(inquiry)?;
    let mut body = Vec::new();
    for register in inquiry.catalog().registers() {
        let rows = moment.engine.rows(&register.name)?;
        let overdue =
            moment.engine.overdue(&register.name, moment.when.at, Some(moment.deadline.moment()))?;
        let mut states = moment.view(&register.name)?.words("state").unwrap_or_default();
        states.retain(|state| state != UNOPENED);
        states.sort_unstable();
        body.push(CountedRegister { register: register.clone(), states, rows, overdue });
    }
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// Refuses names that are no register's: the core views are asked by questions of their own.
///
/// # Errors
/// There is no such register.
pub fn known(inquiry: &Inquiry<'_>, name: &str) -> Result<(), AnswerError> {
    if inquiry.catalog().register(name).is_some() {
        return Ok(());
    }
    let detail = format!("there is no register {name:.64?}; /v1/registers lists those that there are");
    Err(AnswerError::NotThere(detail))
}
