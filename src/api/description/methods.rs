//! Telling a path that is not there from a method that it does not know.

use crate::web::{Problem, ProblemType};
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// Paths, some with parameters, and the methods that each knows.
pub struct Methods(Vec<(String, Vec<String>)>);

/// What is declared: HEAD wherever GET is.
#[must_use]
pub fn methods(declared: &OpenApi) -> Methods {
    let known = |operations: &Value| {
        let methods = operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
        methods
            .flat_map(|method| if method == "GET" { vec![method, "HEAD".to_owned()] } else { vec![method] })
            .collect()
    };
    let paths = declared.paths.paths.iter().map(|(path, operations)| {
        (path.clone(), known(&serde_json::to_value(operations).unwrap_or_default()))
    });
    Methods(paths.collect())
}

impl Methods {
    /// Which methods a path knows.
    #[must_use]
    pub fn of(&self, path: &str) -> Vec<String> {
        let exactly = self.0.iter().find(|(template, _)| template == path);
        let found = exactly.or_else(|| self.0.iter().find(|(template, _)| matches(template, path)));
        found.map(|(_, methods)| methods.clone()).unwrap_or_default()
    }
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
