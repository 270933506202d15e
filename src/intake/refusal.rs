//! Why an event is refused.

/// What kind of refusal; the API gives each a status and a stable `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not JSON, or JSON that cannot be carried faithfully.
    NotCanonical,
    /// Not a CloudEvent 1.0.
    NotACloudEvent,
    /// The type is not in the catalogue.
    UnknownType,
    /// The type is one of the ledger's own.
    ReservedType,
    /// `data` is not what the type's schema asks for.
    Schema,
    /// The caller may not post for this source, nor speak of its events.
    Source,
    /// The caller's token does not name this type.
    Type,
    /// The caller lacks the role that this type is for.
    Role,
    /// The caller does not speak for whoever it says has acted.
    Speech,
    /// Personal data, which this ledger cannot seal.
    Personal,
    /// A producer signature, which this ledger cannot check.
    ProducerSignature,
    /// The entry would be too long.
    TooLarge,
    /// It speaks of an event that the ledger does not have, or that nothing can be said of.
    Target,
    /// A correction that could have no effect.
    Correction,
    /// It contradicts itself, or counts further than can be counted.
    Contradiction,
    /// A time in it lies ahead of ledger time.
    Ahead,
    /// A publication that the catalogue in force cannot take.
    Publication,
    /// A publication in a batch.
    NotAlone,
}

/// A refusal with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// RFC 6901 pointer into the event (within a batch: into the batch).
    pub pointer: String,
    /// What is wrong and what to do, for the client's developer. Holds no personal data and no secret.
    pub detail: String,
}

impl Refusal {
    /// A refusal of a kind at a place.
    pub fn new(kind: Kind, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, pointer: pointer.into(), detail: detail.into() }
    }

    /// The same, seen from the request: the event's place in it, where that is a batch.
    #[must_use]
    pub fn at(mut self, place: Option<usize>) -> Self {
        if let Some(place) = place {
            self.pointer = format!("/{place}{}", self.pointer);
        }
        self
    }
}
