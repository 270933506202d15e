//! What each application of the story may say: what it does say in it, and no more.

use super::event::DemoEvent;
use crate::catalog::Catalog;
use crate::identity::{FACTS, NewToken, Role};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an application says in the story.
#[derive(Default)]
struct Said {
    sources: BTreeSet<String>,
    /// Acts of governance that it passes on.
    governing: BTreeSet<String>,
    /// In whose name it does, beside its own.
    speaks_for: BTreeSet<String>,
}

/// A token for each application of the story, for its own sources. Facts and requests need not be named; acts of governance
/// are, and so is for whom they are passed on.
#[must_use]
pub fn applications(events: &[DemoEvent], catalog: &Catalog) -> Vec<NewToken> {
    let mut said: BTreeMap<&str, Said> = BTreeMap::new();
    for DemoEvent { actor, event, .. } in events.iter().filter(|event| event.actor.starts_with("app:")) {
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (event_type, by) = (text(event, "type"), event.get("data").map(|data| text(data, "by")));
        let said = said.entry(actor).or_default();
        said.sources.insert(text(event, "source"));
        let is_fact = catalog.get(&event_type).is_some_and(|known| known.is_fact());
        if !is_fact {
            said.governing.insert(event_type);
        }
        // People come and go: a desk passes on what any of them does.
        let whom = by.map(|by| if by.starts_with("user:") { "user:*".to_owned() } else { by });
        let whom = whom.map(|whom| if is_fact { format!("facts:{whom}") } else { whom });
        said.speaks_for.extend(whom.filter(|whom| *whom != *actor));
    }
    let token = |(actor, said): (&str, Said)| NewToken {
        actor: actor.to_owned(),
        roles: vec![Role::Producer],
        sources: said.sources.into_iter().collect(),
        types: Some(std::iter::once(FACTS.to_owned()).chain(said.governing).collect()),
        speaks_for: Some(said.speaks_for.into_iter().collect()),
        expires: None,
    };
    said.into_iter().map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::scenario;
    use crate::identity::Principal;
    use crate::intake::{Rules, accept};
    use crate::spec::json::{Json, MAX_EVENT_DEPTH};

    #[test]
    fn each_application_may_say_what_it_says_in_the_story_and_not_what_others_do() {
        let catalog = Catalog::embedded().unwrap();
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let events = scenario(now).unwrap();
        let tokens = applications(&events, &catalog);
        let rules = Rules { origin: "log.example", catalog: &catalog, open_types: false };
        let principal = |token: &NewToken| Principal {
            actor: token.actor.clone(),
            roles: token.roles.clone(),
            sources: token.sources.clone(),
            types: token.types.clone(),
            speaks_for: token.speaks_for.clone(),
        };
        let of = |actor: &str| tokens.iter().find(|token| token.actor == actor).map(principal);
        let accepted = |event: &DemoEvent, by: &Principal| {
            let text = event.event.to_string();
            accept(&Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap(), by, &rules).err()
        };
        for event in &events {
            let Some(own) = of(&event.actor) else { continue };
            let refused = accepted(event, &own);
            assert!(refused.is_none(), "{}: {refused:?}", event.event);
        }
        // Nor does anything of it come from the future, or contradict itself.
        let open = Principal::open("app:x", vec![Role::Producer, Role::Admin]);
        for DemoEvent { event, recorded_at, .. } in &events {
            let text = event.to_string();
            let accepted =
                accept(&Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap(), &open, &rules).ok().unwrap();
            assert!(accepted.if_new.is_empty(), "{:?}: {event}", accepted.if_new);
            let ahead =
                accepted.item.not_before.filter(|from| from.micros() > recorded_at.timestamp_micros());
            assert!(ahead.is_none(), "{event} comes from the future");
        }
        let assigned = events.iter().find(|event| event.event["type"] == "role.assigned").unwrap();
        let gate = of("app:data-gate").unwrap();
        assert!(accepted(assigned, &gate).is_some() && !gate.is_open());
    }
}
