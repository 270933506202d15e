use std::collections::BTreeMap;

use serde_json::Value;

use super::field::value_at;

/// What `where` says: fields, and for each the values of which one has to be there. Empty, it fits everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// By field; `a.b` goes into the object `a`.
    pub fields: BTreeMap<String, Vec<Value>>,
}

impl Filter {
    /// A value, or a list of them, for each field.
    pub(super) fn new(raw: BTreeMap<String, Value>) -> Result<Filter, String> {
        let mut fields = BTreeMap::new();
        for (field, value) in raw {
            let values = match value {
                Value::Array(values) => values,
                one => vec![one],
            };
            let plain = |value: &Value| value.is_string() || value.is_boolean() || value.is_number();
            if values.is_empty() || !values.iter().all(plain) {
                return Err(format!(
                    "where: `{field}` needs a text, a number or true or false, or a list of them"
                ));
            }
            fields.insert(field, values);
        }
        Ok(Filter { fields })
    }

    /// Whether an event's `data`, or a register's row, is meant.
    pub fn fits(&self, object: &Value) -> bool {
        self.fields
            .iter()
            .all(|(field, values)| value_at(object, field).is_some_and(|found| values.contains(found)))
    }
}
