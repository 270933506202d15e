//! How times stand in the views' records: as microseconds since the epoch. For `#[serde(with = …)]`, on a time and on
//! what is made of times.

use crate::spec::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time, or something with times in it, and what is written for it.
pub trait Recorded: Sized {
    /// The same with numbers for times.
    type Record: Serialize + de::DeserializeOwned;

    /// What is written.
    fn record(&self) -> Self::Record;

    /// What was written; none if it was no time.
    fn read(record: Self::Record) -> Option<Self>;
}

impl Recorded for Timestamp {
    type Record = i64;

    fn record(&self) -> i64 {
        self.micros()
    }

    fn read(record: i64) -> Option<Self> {
        Timestamp::from_micros(record)
    }
}

impl Recorded for u64 {
    type Record = u64;

    fn record(&self) -> u64 {
        *self
    }

    fn read(record: u64) -> Option<Self> {
        Some(record)
    }
}

impl<A: Recorded, B: Recorded> Recorded for (A, B) {
    type Record = (A::Record, B::Record);

    fn record(&self) -> Self::Record {
        (self.0.record(), self.1.record())
    }

    fn read((a, b): Self::Record) -> Option<Self> {
        Some((A::read(a)?, B::read(b)?))
    }
}

impl<T: Recorded> Recorded for Option<T> {
    type Record = Option<T::Record>;

    fn record(&self) -> Self::Record {
        self.as_ref().map(T::record)
    }

    fn read(record: Self::Record) -> Option<Self> {
        match record {
            Some(record) => T::read(record).map(Some),
            None => Some(None),
        }
    }
}

/// Writes it.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<T: Recorded, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.record().serialize(serializer)
}

/// Reads it.
///
/// # Errors
/// Those of the deserializer; or a number that is no time.
pub fn deserialize<'de, T: Recorded, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let record = T::Record::deserialize(deserializer)?;
    T::read(record).ok_or_else(|| de::Error::custom("a time outside the years 0000 to 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Times {
        #[serde(with = "super")]
        one: Timestamp,
        #[serde(with = "super", default, skip_serializing_if = "Option::is_none")]
        perhaps: Option<Timestamp>,
        #[serde(with = "super")]
        placed: (Timestamp, u64),
    }

    #[test]
    fn times_are_kept_as_numbers_and_what_is_no_time_is_not_read() {
        let times = Times { one: Timestamp::EPOCH, perhaps: None, placed: (Timestamp::LAST, 7) };
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"one":0,"placed":[253402300799999999,7]}"#);
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        let with = text.replace("}", r#","perhaps":-5}"#);
        assert_eq!(serde_json::from_str::<Times>(&with).unwrap().perhaps, Timestamp::from_micros(-5));
        assert!(
            serde_json::from_str::<Times>(&text.replace("253402300799999999", "253402300800000000")).is_err()
        );
    }
}
