//! Telling a path that is not there from a method that it does not know.

use crate::web::{Problem, ProblemType};
use serde_json::Value;

/// Which methods a path knows: HEAD wherever GET is.
#[must_use]
pub fn methods(api: &Value, path: &str) -> Vec<String> {
    let paths = api["paths"].as_object();
    let found = paths.and_then(|paths| {
        paths.get(path).or_else(|| {
            paths.iter().find(|(template, _)| matches(template, path)).map(|(_, operations)| operations)
        })
    });
    found
        .and_then(Value::as_object)
        .map(|operations| {
            let methods = operations.keys().map(|method| method.to_uppercase());
            methods
                .flat_map(
                    |method| if method == "GET" { vec![method, "HEAD".to_owned()] } else { vec![method] },
                )
                .collect()
        })
        .unwrap_or_default()
}

fn matches(template: &str, path: &str) -> bool {
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            // The tile path takes the rest, slashes and all.
            (Some("{tile}"), Some(_)) => return true,
            (Some(part), Some(segment))
                if part == segment || (part.starts_with('{') && !segment.is_empty()) => {}
            _ => return false,
        }
    }
}

/// What is wrong, for a path or method that is not there.
#[must_use]
pub fn not_there(allowed: &[String], path: &str) -> Problem {
    if allowed.is_empty() {
        return Problem::new(
            ProblemType::NotFound,
            format!("there is nothing at {path:.200}; /docs shows what there is"),
        );
    }
    Problem::new(ProblemType::MethodNotAllowed, format!("this resource knows {}", allowed.join(", ")))
}
