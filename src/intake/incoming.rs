//! What is brought to the door: events as they came, not yet looked at.

use crate::identity::Principal;
use crate::intake::cloudevents::Mode;
use std::sync::Arc;

/// A body, held until its events are recorded or refused. Who reads bodies may count what is held.
pub type Body = Box<dyn AsRef<[u8]> + Send + Sync>;

/// How a body carries its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One CloudEvent as JSON.
    Structured,
    /// A JSON list of CloudEvents: recorded all together or not at all.
    Batch,
    /// One CloudEvent whose attributes came beside its data.
    Binary {
        /// Names and values, percent-encoded as CloudEvents has it for headers.
        attributes: Vec<(String, Vec<u8>)>,
        /// Of the data.
        content_type: Option<String>,
    },
}

impl Form {
    /// The CloudEvents mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Form::Structured => Mode::Structured,
            Form::Batch => Mode::Batch,
            Form::Binary { .. } => Mode::Binary,
        }
    }
}

/// A request to record events.
pub struct Incoming {
    pub form: Form,
    pub body: Body,
    /// Of one event: record it only if its subject has so many events.
    pub expected_version: Option<u64>,
}

impl Incoming {
    /// Events in this form, whatever their subject has.
    pub fn new(form: Form, body: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self { form, body: Box::new(body), expected_version: None }
    }
}

/// What came, and who brought it.
pub(super) struct Brought {
    pub principal: Arc<Principal>,
    pub incoming: Incoming,
}

impl Brought {
    pub fn is_batch(&self) -> bool {
        self.incoming.form == Form::Batch
    }

    pub fn bytes(&self) -> &[u8] {
        (*self.incoming.body).as_ref()
    }
}
