//! Who may do what, tried for each role, route, type, source and speech that there is. A new role, route or type has to be
//! named here; the table of roles is that of the README.

use crate::kit::{Answer, Ledger, daybook, event, succeeds};
use crate::resources::{For, Resource, ask, described, role_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

/// A role: what it may ask, and what its tokens may post that name no type.
struct Row {
    role: &'static str,
    asks: Asks,
    posts: &'static [&'static str],
    /// In words, as the README has it.
    in_words: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// What is for everybody with a token.
    Nothing,
    /// What it has posted itself.
    Own,
    Everything,
    /// And rotates keys, and confirms the clock.
    EverythingAndKeys,
}

impl Asks {
    fn in_words(self) -> &'static str {
        match self {
            Asks::Nothing => "nothing",
            Asks::Own => "what it posted itself",
            Asks::Everything => "everything",
            Asks::EverythingAndKeys => "everything; keys and clock",
        }
    }
}

const ROLES: [Row; 11] = [
    Row {
        role: "producer",
        asks: Asks::Own,
        posts: &["facts"],
        in_words: "what its token names; facts, if it names nothing",
    },
    Row { role: "compliance", asks: Asks::Everything, posts: &[], in_words: "nothing" },
    Row { role: "auditor", asks: Asks::Everything, posts: &[], in_words: "nothing" },
    Row {
        role: "admin",
        asks: Asks::EverythingAndKeys,
        posts: &["catalog.published"],
        in_words: "`catalog.published`, which nobody else does",
    },
    Row {
        role: "corrector",
        asks: Asks::Own,
        posts: &["event.corrected"],
        in_words: "`event.corrected`, of events of any source",
    },
    Row {
        role: "reconciler",
        asks: Asks::Own,
        posts: &["source.reconciled"],
        in_words: "`source.reconciled`, for any source",
    },
    Row {
        role: "importer",
        asks: Asks::Own,
        posts: &["import.opened", "import.closed"],
        in_words: "`import.opened` and `import.closed`, which nobody else does",
    },
    Row {
        role: "privacy",
        asks: Asks::Own,
        posts: &["erasure.", "person."],
        in_words: "`erasure.*` and `person.*`",
    },
    Row { role: "special-categories", asks: Asks::Nothing, posts: &[], in_words: "nothing" },
    Row { role: "hold-keeper", asks: Asks::Own, posts: &["hold."], in_words: "`hold.*`" },
    Row { role: "guest", asks: Asks::Nothing, posts: &[], in_words: "nothing" },
];

/// Types that are for one role alone, whatever a token names.
const ALONE: [(&str, &str); 3] =
    [("catalog.published", "admin"), ("import.opened", "importer"), ("import.closed", "importer")];

/// What happened, and what is asked for: for any producer.
const FACTS: &str = "
access.rejected access.requested access.used adoption.measured approval.requested artifact.built bias.tested
capacity.changed capacity.planned component.published component.reused concern.answered concern.raised
cost.booked cost.estimated dataset.derived dataset.hosted decision.contest_resolved decision.contested
decision.explained decision.made decision.notified decision.reviewed delay.costed drift.measured
environment.applied escalation.acknowledged escalation.opened escalation.raised escalation.reassigned
escalation.resolved experiment.concluded fairness.observed fairness.tallied feedback.given feedback.resolved
gate.opened health.reported incident.analysed incident.classified incident.opened incident.reported
knowledge.transferred kpi.measured model.archived model.deployed model.handed_over model.rolled_back
model.tested model.trained model.versioned monitor.attached performance.measured program.started
proxy.tested quality.measured retraining.evaluated retraining.triggered risk.registered rollback.tested
schema.violated service.measured training.completed usecase.proposed
";

/// Acts of governance: for tokens that name them.
const GOVERNANCE: &str = "
access.granted access.reduced access.reviewed access.revoked act.confirmed agreement.signed
approval.condition_met approval.granted approval.recused approval.rejected approval.revoked
approval.withdrawn architecture.chosen assessment.completed campaign.attested campaign.opened
campaign.reassigned campaign.reviewed catalog.published champion.named committee.constituted contract.ended
contract.signed control.assigned control.waived dataset.registered delegation.granted delegation.revoked
document.filed erasure.completed escalation.action_done escalation.closed escalation.lowered
escalation.path_defined escalation.paused escalation.reopened escalation.resumed event.corrected
explanation.designed feature.restricted finding.false_positive finding.remediated finding.reopened
finding.waived framework.chosen gate.failed gate.passed import.closed import.opened incident.closed
initiative.registered integration.chosen kpi.defined legal.signed_off model.deprecated
model.handover_accepted model.registered objective.defined obligation.published partnership.ended
partnership.signed pillar.defined plan.cycle_opened principal.same_as quality.agreed residency.decided
retention.set review.completed risk.assessed risk.closed risk.transferred risk.treated roadmap.aligned
roadmap.revised role.assigned role.redesigned role.unassigned schema.published service.agreed serving.chosen
source.agreed source.reconciled system.decommissioned system.registered technology.reviewed term.defined
term.mapped threshold.set training.required unit.registered usecase.ranked
";

/// A token of a ledger, with the actor that holds it.
struct Token {
    actor: &'static str,
    secret: String,
}

fn made(ledger: &Ledger, actor: &'static str, more: &[&str]) -> Token {
    let mut command = daybook();
    command.args(["token", "create", "--data"]).arg(ledger.data()).args(["--actor", actor]).args(more);
    Token { actor, secret: succeeds(&mut command).trim().to_owned() }
}

/// A running server looks at the token file once a second.
fn noticed() {
    std::thread::sleep(Duration::from_millis(1_200));
}

fn post(ledger: &Ledger, token: &Token, event: &Value) -> Answer {
    let bearer = format!("Bearer {}", token.secret);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/cloudevents+json")];
    ledger.request("POST", "/v1/events", &headers, event.to_string().as_bytes())
}

/// An event of each type, as the catalogue shows it, said by somebody, from a source.
fn said(examples: &[(String, Value)], source: &str, by: &str) -> Vec<(String, Value)> {
    let say = |(name, data): &(String, Value)| {
        let mut data = data.clone();
        data["by"] = json!(by);
        let event = json!({
            "specversion": "1.0", "id": format!("{name}-{by}"), "source": source, "type": name,
            "time": "2026-03-02T09:30:00Z", "data": data,
        });
        (name.clone(), event)
    };
    examples.iter().map(say).collect()
}

/// The catalogue's types with their examples, held against the lists above.
fn examples(ledger: &Ledger) -> Vec<(String, Value)> {
    let types = ledger.get("/v1/catalog/types", "auditor").json();
    let mut all = Vec::new();
    let (mut facts, mut governance) = (BTreeSet::new(), BTreeSet::new());
    for known in types["items"].as_array().unwrap() {
        let name = known["name"].as_str().unwrap().to_owned();
        let listed = if known["posted_by"] == "facts" { &mut facts } else { &mut governance };
        listed.insert(name.clone());
        let example = ledger.get(&format!("/v1/catalog/types/{name}"), "auditor").json()["example"].clone();
        all.push((name, example));
    }
    let named = |names: &str| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(
        (facts, governance),
        (named(FACTS), named(GOVERNANCE)),
        "a type is new or has moved: say here whose it is"
    );
    all
}

fn is_fact(name: &str) -> bool {
    FACTS.split_whitespace().any(|fact| fact == name)
}

fn alone(name: &str) -> Option<&'static str> {
    ALONE.iter().find(|(of, _)| *of == name).map(|(_, role)| *role)
}

/// Holds the answer to a post against whether its token may say so: whoever may can still be wrong in what they say.
fn holds(answer: &Answer, may: bool, problems: &[&str], what: &str) {
    if may {
        assert!(
            matches!(answer.status, 200 | 201 | 422),
            "{what} may, and got {}: {}",
            answer.status,
            answer.text()
        );
    } else {
        assert_eq!(answer.status, 403, "{what} may not, and got {}", answer.text());
        assert!(problems.contains(&answer.problem().as_str()), "{what}: {}", answer.text());
        assert!(
            answer.json()["pointer"].is_string() || answer.problem() == "forbidden",
            "{what}: {}",
            answer.text()
        );
    }
}

#[test]
fn the_readme_says_what_each_role_may() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut table = "| role | may ask | may post |\n| --- | --- | --- |\n".to_owned();
    for Row { role, asks, in_words, .. } in &ROLES {
        table.push_str(&format!("| `{role}` | {} | {in_words} |\n", asks.in_words()));
    }
    assert!(readme.contains(&table), "README.md has another table than this:\n{table}");
}

#[test]
fn each_role_is_let_in_where_it_is_said_to_be() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let tokens: Vec<Token> = ROLES.iter().map(|row| made(&ledger, "user:r", &["--role", row.role])).collect();
    noticed();
    let resources = described(&ledger);
    for (Row { role, asks, posts, .. }, token) in ROLES.iter().zip(&tokens) {
        for resource @ Resource { name, .. } in &resources {
            // A stream does not end, and one rotation of the key is enough.
            if name == "GET /v1/events/stream"
                || (name == "POST /v1/keys/rotate" && *asks == Asks::EverythingAndKeys)
            {
                continue;
            }
            let answer = ask(&ledger, resource, "", Some(&format!("Bearer {}", token.secret)));
            let let_in = match role_of(name) {
                For::Anyone | For::Callers | For::CallersOrLogReaders => true,
                For::Readers | For::LogReaders => matches!(asks, Asks::Everything | Asks::EverythingAndKeys),
                For::Posters => !posts.is_empty(),
                For::Admins => *asks == Asks::EverythingAndKeys,
            };
            assert_eq!(answer.status != 403, let_in, "{name} for {role}: {}", answer.status);
        }
    }
}

#[test]
fn each_role_posts_the_types_that_come_with_it_and_a_producer_what_it_names() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let examples = examples(&ledger);
    let roles: Vec<Token> = ROLES.iter().map(|row| made(&ledger, "user:r", &["--role", row.role])).collect();
    let all = made(&ledger, "app:all", &["--role", "producer", "--types", "*"]);
    let named = made(
        &ledger,
        "app:named",
        &["--role", "producer", "--types", "access.*", "--types", "role.assigned"],
    );
    noticed();
    for (Row { role, posts, .. }, token) in ROLES.iter().zip(&roles) {
        for (name, event) in said(&examples, &format!("/{role}"), token.actor) {
            let begins =
                |prefix: &&str| if *prefix == "facts" { is_fact(&name) } else { name.starts_with(prefix) };
            let answer = post(&ledger, token, &event);
            holds(
                &answer,
                posts.iter().any(begins),
                &["forbidden", "type-not-allowed"],
                &format!("{role} {name}"),
            );
        }
    }
    for (name, event) in said(&examples, "/all", all.actor) {
        holds(&post(&ledger, &all, &event), alone(&name).is_none(), &["forbidden"], &format!("all {name}"));
    }
    for (name, event) in said(&examples, "/named", named.actor) {
        let may = name.starts_with("access.") || name == "role.assigned";
        holds(
            &post(&ledger, &named, &event),
            may,
            &["forbidden", "type-not-allowed"],
            &format!("named {name}"),
        );
    }
}

#[test]
fn each_type_is_for_the_sources_of_its_token_and_for_whom_it_speaks() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let examples = examples(&ledger);
    let all_types = ["--role", "producer", "--role", "admin", "--role", "importer", "--types", "*"];
    let with = |more: &[&'static str]| [&all_types[..], more].concat();
    let narrow = made(&ledger, "app:n", &with(&["--source", "/n/*", "--speaks-for", "*"]));
    let app = made(&ledger, "app:a", &all_types);
    let person = made(&ledger, "user:p", &all_types);
    let desk = made(&ledger, "app:d", &with(&["--speaks-for", "user:u-*"]));
    noticed();
    let speech: &[&str] = &["not-spoken-for"];
    for (name, event) in said(&examples, "/n/1", "user:u-1") {
        holds(
            &post(&ledger, &narrow, &event),
            name != "source.reconciled" && name != "event.corrected",
            &["source-not-allowed"],
            &name,
        );
    }
    for (name, event) in said(&examples, "/o", "user:u-1") {
        holds(&post(&ledger, &narrow, &event), false, &["source-not-allowed"], &name);
        holds(
            &post(&ledger, &app, &event),
            is_fact(&name),
            speech,
            &format!("an application for a person: {name}"),
        );
        holds(&post(&ledger, &person, &event), false, speech, &format!("a person for another: {name}"));
    }
    for (name, event) in said(&examples, "/d", "user:u-2") {
        holds(&post(&ledger, &desk, &event), true, speech, &format!("who may speak for people: {name}"));
    }
    for (name, event) in said(&examples, "/o", "app:other") {
        for token in [&app, &person, &desk] {
            holds(
                &post(&ledger, token, &event),
                false,
                speech,
                &format!("{} for another application: {name}", token.actor),
            );
        }
    }
    for (name, event) in said(&examples, "/p", person.actor) {
        holds(&post(&ledger, &person, &event), true, speech, &format!("a person for itself: {name}"));
    }
    // Nobody speaks for the ledger, with any token.
    for (name, event) in said(&examples, "/l", "ledger") {
        for secret in [&desk.secret, &ledger.token("producer").to_owned()] {
            let token = Token { actor: "app:x", secret: secret.clone() };
            let answer = post(&ledger, &token, &event);
            assert_eq!(answer.status, 403, "{name}: {}", answer.text());
        }
    }
}

#[test]
fn the_command_in_a_refusal_makes_a_token_that_may() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let facts = made(&ledger, "app:f", &["--role", "producer"]);
    noticed();
    let examples = examples(&ledger);
    let events = said(&examples, "/f", "user:u-1");
    for wanted in ["access.granted", "role.assigned", "source.agreed"] {
        let event = &events.iter().find(|(name, _)| name == wanted).unwrap().1;
        let mut token = Token { actor: facts.actor, secret: facts.secret.clone() };
        // First the type, then for whom: each refusal says what is next.
        for _ in 0..2 {
            let answer = post(&ledger, &token, event);
            if answer.status == 201 {
                break;
            }
            assert_eq!(answer.status, 403, "{}", answer.text());
            let problem = answer.json();
            let details: Vec<&str> = problem["errors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|error| &error["detail"])
                .chain([&problem["detail"]])
                .filter_map(Value::as_str)
                .collect();
            assert!(details.iter().all(|detail| detail.contains(facts.actor)), "{details:?}");
            let longest = details
                .iter()
                .filter_map(|detail| detail.split('`').nth(1))
                .max_by_key(|command| command.len())
                .unwrap();
            let words: Vec<&str> = longest.strip_prefix("daybook ").unwrap().split(' ').collect();
            let data = ledger.data().display().to_string();
            let words =
                words.into_iter().map(|word| if word == "DIR" { data.clone() } else { word.to_owned() });
            token.secret =
                succeeds(Command::new(env!("CARGO_BIN_EXE_daybook")).args(words)).trim().to_owned();
            noticed();
        }
        assert_eq!(post(&ledger, &token, event).status, 200, "{wanted}");
    }
}

#[test]
fn tokens_are_listed_with_what_they_may_and_the_demos_producer_as_open() {
    let ledger = Ledger::demo();
    made(&ledger, "user:p", &["--role", "auditor"]);
    let list = succeeds(daybook().args(["token", "list", "--data"]).arg(ledger.data()));
    let line = |actor: &str| {
        list.lines().find(|line| line.contains(&format!("  {actor}  "))).unwrap_or_else(|| panic!("{list}"))
    };
    assert!(
        line("app:demo").contains("producer  open  any source  posts any type  speaks for anyone"),
        "{list}"
    );
    assert_eq!(list.lines().filter(|line| line.contains("  open  ")).count(), 1, "{list}");
    assert!(line("user:p").contains("speaks for itself "), "{list}");
    let gate = line("app:data-gate");
    assert!(gate.contains("/northgate/data-gate") && gate.contains("posts facts"), "{gate}");
    // The application's own token says what it says in the story, and not what is another's.
    let mut event = event();
    event["source"] = json!("/northgate/data-gate");
    let gate = Token { actor: "app:data-gate", secret: ledger.token("app:data-gate").to_owned() };
    event["data"]["by"] = json!(gate.actor);
    let answer = post(&ledger, &gate, &event);
    assert_eq!(
        answer.problem(),
        if is_fact(event["type"].as_str().unwrap()) { "schema-violation" } else { "type-not-allowed" }
    );
}
