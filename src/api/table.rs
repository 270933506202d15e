//! A list as a table: which columns it has, and what of an item stands in each.
//!
//! A column is called by where its value is in the item's JSON, with a dot before each member of an object. What is true or
//! false is so, a number is a number, a text is a text, a list or an object is compact JSON, and what an item lacks, or has
//! as null, is an empty cell. Columns and their order depend on the resource, and of rows on the fields of their view; they
//! do not depend on the items.

use crate::answers::row;
use crate::views::engine::View;
use crate::web::csv::{BETWEEN, END, write_text};
use serde_json::{Map, Value};

/// What every row has, before the fields of its view.
const BEFORE_FIELDS: &[&str] = &[
    "id",
    "state",
    "owner",
    "source",
    "conflict",
    "opened_at",
    "changed_at",
    "ended_at",
    "due_at",
    "overdue",
    "valid_from",
    "valid_until",
    "validity",
    "assurance",
];

/// What every row has, after them.
const AFTER_FIELDS: &[&str] = &[
    "actors",
    "other_sources",
    "scheduled",
    "events",
    "entries.first",
    "entries.last",
    "corrections",
    "links.self",
    "links.history",
    "links.timeline",
];

/// Where the fields of a row's view are.
const FIELDS: &str = "fields";

/// The columns of a table.
#[derive(Clone, Debug, Default)]
pub struct Columns(Vec<Column>);

#[derive(Clone, Debug)]
struct Column {
    /// From the item on.
    path: Vec<String>,
    /// Of the object that is there: members that have columns of their own.
    but: Vec<String>,
}

impl Column {
    fn of(name: &str) -> Column {
        Column { path: name.split('.').map(str::to_owned).collect(), but: Vec::new() }
    }

    fn find<'v>(&self, item: &'v Value) -> Option<&'v Value> {
        self.path.iter().try_fold(item, |value, member| value.get(member))
    }
}

impl Columns {
    /// These, each called by its path.
    pub fn of(names: &[&str]) -> Columns {
        Columns(names.iter().copied().map(Column::of).collect())
    }

    /// Those of rows of a view: what every row has, then the fields by which its rows are asked, then what else the view
    /// knows in one cell.
    pub fn of_rows(view: &dyn View) -> Columns {
        let of_all = |name: &str| BEFORE_FIELDS.contains(&name);
        let known = row::columns(view).into_iter().map(|column| column.name);
        let fields: Vec<String> = known.filter(|name| !of_all(name)).collect();
        let field = |name: &String| Column { path: vec![FIELDS.to_owned(), name.clone()], but: Vec::new() };
        let mut columns = Columns::of(BEFORE_FIELDS);
        columns.0.extend(fields.iter().map(field));
        columns.0.push(Column { path: vec![FIELDS.to_owned()], but: fields });
        columns.and(AFTER_FIELDS)
    }

    /// The same of items that have it all in a member.
    pub fn under(mut self, member: &str) -> Columns {
        for column in &mut self.0 {
            column.path.insert(0, member.to_owned());
        }
        self
    }

    /// And these.
    pub fn and(mut self, names: &[&str]) -> Columns {
        self.0.extend(names.iter().copied().map(Column::of));
        self
    }

    /// Writes the line that names them.
    pub fn write_head(&self, out: &mut String) {
        self.write_line(out, |out, column| write_text(out, &column.path.join(".")));
    }

    /// Writes the line of an item.
    pub fn write_item(&self, out: &mut String, item: &Value) {
        self.write_line(out, |out, column| write_value(out, column.find(item), &column.but));
    }

    fn write_line(&self, out: &mut String, cell: impl Fn(&mut String, &Column)) {
        for (at, column) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(BETWEEN);
            }
            cell(out, column);
        }
        out.push_str(END);
    }
}

fn write_value(out: &mut String, value: Option<&Value>, but: &[String]) {
    match value {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => write_text(out, text),
        Some(Value::Object(members)) if !but.is_empty() => {
            let rest: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| !but.contains(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if !rest.is_empty() {
                write_text(out, &Value::Object(rest).to_string());
            }
        }
        // No JSON of these begins as a formula does, but for a number below 0, which is one.
        Some(plain @ (Value::Bool(_) | Value::Number(_))) => out.push_str(&plain.to_string()),
        Some(nested) => write_text(out, &nested.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::views::engine::Projection;
    use serde_json::json;

    fn lines(columns: &Columns, items: &[Value]) -> String {
        let mut out = String::new();
        columns.write_head(&mut out);
        items.iter().for_each(|item| columns.write_item(&mut out, item));
        out
    }

    #[test]
    fn each_value_stands_under_its_path() {
        let columns = Columns::of(&["seq", "a.b", "list", "object", "flag", "none", "share"]);
        let items = [
            json!({"seq": 7, "a": {"b": "=1", "c": 2}, "list": ["x", 1], "object": {"k": "v"}, "flag": true, "share": 0.25}),
            json!({"seq": -7, "a": null, "list": [], "object": {}, "flag": false, "none": null, "share": -0.5}),
            json!({"a": {"b": ""}}),
        ];
        let expected = "seq,a.b,list,object,flag,none,share\r\n\
                        7,\"'=1\",\"[\"\"x\"\",1]\",\"{\"\"k\"\":\"\"v\"\"}\",true,,0.25\r\n\
                        -7,,[],{},false,,-0.5\r\n\
                        ,\"\",,,,,\r\n";
        assert_eq!(lines(&columns, &items), expected);
    }

    #[test]
    fn rows_have_the_fields_of_their_view_and_the_rest_in_one_cell() {
        let catalog = Catalog::embedded().unwrap();
        let all = crate::views::projections(&catalog);
        let view = all.iter().find(|projection| projection.name() == "approvals");
        let Some(Projection::Rows(view)) = view else { panic!("no approvals") };
        let item = json!({
            "id": "APR-1", "state": "pending", "fields": {"kind": "k", "votes": 3}, "entries": {"first": 1, "last": 2},
        });
        let text = lines(&Columns::of_rows(&**view), std::slice::from_ref(&item));
        let (head, line) = text.split_once(END).unwrap();
        let names: Vec<&str> = head.split(',').collect();
        assert!(names.starts_with(&["id", "state", "owner", "source", "conflict"]), "{head}");
        assert!(names.ends_with(&["links.self", "links.history", "links.timeline"]), "{head}");
        for name in ["fields.kind", "fields.target", "fields.risk_class", "fields", "entries.first"] {
            assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{name}");
        }
        assert!(line.contains(",k,") && line.contains("\"{\"\"votes\"\":3}\""), "{line}");
        let under =
            lines(&Columns::of_rows(&**view).under("use").and(&["why"]), &[json!({"use": item, "why": "w"})]);
        assert!(under.starts_with("use.id,use.state,") && under.ends_with(",w\r\n"), "{under}");
    }
}
