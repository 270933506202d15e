//! What an officer asks beside rows: controls and their evidence, the timeline of an id, what sources have posted.

use crate::kit::{Ledger, event_with_id};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "compliance");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert!(answer.header("daybook-applied-seq").is_some(), "{path}");
    answer.json()
}

/// All items of all pages.
fn all(ledger: &Ledger, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(ledger, &format!("{path}{cursor}"));
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("{}cursor={next}", if path.contains('?') { "&" } else { "?" }),
            None => return items,
        }
    }
}

fn numbers(items: &[Value]) -> Vec<u64> {
    items.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

fn event(id: &str, kind: &str, subject: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/it", "type": kind, "subject": subject,
        "time": "2026-03-02T09:30:00Z", "data": data,
    })
}

fn confirmed(id: &str, decision: &str) -> Value {
    let data = json!({
        "by": "user:u-1061", "review": format!("REV-{id}"), "decision": decision, "result": "confirmed",
        "reason": "the file bears it", "trigger": "sample",
        "started_at": "2026-03-02T09:00:00Z", "completed_at": "2026-03-02T09:29:00Z",
    });
    event(id, "decision.reviewed", "LN-IT-1", data)
}

fn annulled(id: &str, target: &str) -> Value {
    let data = json!({
        "by": "user:u-1003", "target": {"source": "/it", "id": target}, "kind": "annul", "reason": "posted by mistake",
    });
    event(id, "event.corrected", "LN-IT-1", data)
}

/// A demo ledger whose views and index have everything.
fn demo() -> (Ledger, u64) {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let size = ledger.size();
    ask(&ledger, &format!("/v1/controls/ER-4?min_seq={}", size - 1));
    (ledger, size)
}

#[test]
fn every_control_is_there_with_its_question_and_says_nothing_of_being_kept() {
    let (ledger, size) = demo();
    let list = ask(&ledger, "/v1/controls");
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &list["next"]), (63, &Value::Null));
    assert_eq!(list["as_of"]["entries"], size);
    for control in items {
        assert!(control["question"].as_str().unwrap().ends_with('?'), "{control}");
        assert!(!control["title"].as_str().unwrap().is_empty() && control["evidence"]["count"].is_u64());
        assert!(!control["evidence_types"].as_array().unwrap().is_empty(), "{control}");
        for judged in ["status", "state", "satisfied", "violated", "overdue"] {
            assert!(control.get(judged).is_none(), "{control}");
        }
        let detail = ask(&ledger, control["links"]["self"].as_str().unwrap());
        assert_eq!(detail["evidence"], control["evidence"]);
        let recent = detail["recent"].as_array().unwrap();
        assert_eq!(recent.len() as u64, control["evidence"]["count"].as_u64().unwrap().min(10));
        assert_eq!(recent.first(), control["evidence"].get("last"), "{control}");
        if let Some(population) = control.get("population") {
            let told = ["members", "members_at_least", "members_unavailable"];
            assert_eq!(told.iter().filter(|name| population.get(**name).is_some()).count(), 1, "{control}");
            if let Some(members) = population["members"].as_u64() {
                let link = population["link"].as_str().unwrap();
                let more = if link.contains('?') { "&" } else { "?" };
                let rows = all(&ledger, &format!("{link}{more}limit=500"));
                assert_eq!(rows.len() as u64, members, "{link}");
                let of_control = control["links"]["members"].as_str().unwrap();
                assert_eq!(all(&ledger, &format!("{of_control}?limit=500")).len() as u64, members);
            }
        }
    }
    let ethics = ask(&ledger, "/v1/controls?domain=ethics");
    let ids: Vec<&str> =
        ethics["items"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["ER-1", "ER-2", "ER-3", "ER-4", "ER-5", "ER-6", "ER-7"]);
    let on_models = ask(&ledger, "/v1/controls?population=models");
    let on_models = on_models["items"].as_array().unwrap();
    assert!(on_models.len() > 2 && on_models.iter().all(|c| c["population"]["register"] == "models"));
    for (path, problem) in [
        ("/v1/controls?domain=ethic", "bad-parameter"),
        ("/v1/controls?state=open", "bad-parameter"),
        ("/v1/controls/ER-99", "not-found"),
        ("/v1/controls/ER-99/evidence", "not-found"),
        ("/v1/controls/SA-3/evidence?cursor=00", "bad-cursor"),
    ] {
        assert_eq!(ledger.get(path, "compliance").problem(), problem, "{path}");
    }
    assert_eq!(ledger.get("/v1/controls", "producer").problem(), "forbidden");
}

#[test]
fn evidence_is_what_was_recorded_less_what_was_corrected() {
    let (ledger, size) = demo();
    let events = all(&ledger, "/v1/events?limit=500");
    let kind = |item: &Value| item["event"]["type"].as_str().unwrap().to_owned();
    let identity = |event: &Value| (event["source"].to_string(), event["id"].to_string());
    let corrected: BTreeSet<_> = events
        .iter()
        .filter(|item| kind(item) == "event.corrected")
        .map(|item| identity(&item["event"]["data"]["target"]))
        .collect();
    let decisions: Vec<u64> = numbers(&events)
        .into_iter()
        .zip(&events)
        .filter(|(_, item)| {
            kind(item).starts_with("decision.") && !corrected.contains(&identity(&item["event"]))
        })
        .map(|(seq, _)| seq)
        .collect();
    let count = |query: &str| {
        ask(&ledger, &format!("/v1/controls/ER-4?{query}"))["evidence"]["count"].as_u64().unwrap()
    };
    assert_eq!(count(""), decisions.len() as u64);
    let mut listed = numbers(&all(&ledger, "/v1/controls/ER-4/evidence?limit=7"));
    listed.reverse();
    assert_eq!(listed, decisions);

    // Of an earlier day: by number, and by the time at which that was recorded.
    let middle = decisions[decisions.len() / 2];
    assert_eq!(count(&format!("as_of={middle}")), decisions.len() as u64 / 2 + 1);
    let time = events[middle as usize]["time"].as_str().unwrap();
    assert_eq!(count(&format!("as_of={time}")), decisions.len() as u64 / 2 + 1);
    let early = ask(&ledger, &format!("/v1/controls?as_of={middle}"));
    let early = early["items"].as_array().unwrap();
    let er_4 = early.iter().find(|control| control["id"] == "ER-4").unwrap();
    assert_eq!(er_4["evidence"]["last"]["seq"], middle);
    for control in early.iter().filter(|control| control["population"]["members"].is_u64()) {
        let link = control["population"]["link"].as_str().unwrap();
        assert!(link.contains(&format!("as_of={middle}")), "{link}");
        let rows = all(&ledger, &format!("{link}&limit=500"));
        assert_eq!(control["population"]["members"], rows.len(), "{link}");
    }
    // Cut within a bundle of 256 entries too.
    let first = decisions[0];
    assert_eq!((count(&format!("as_of={}", first - 1)), count(&format!("as_of={first}"))), (0, 1));

    // One more, and then one less again.
    let before = count("");
    let posted = ledger.record(&confirmed("asking-1", "CLD-IT-1"));
    assert!(posted >= size);
    assert_eq!(count(&format!("min_seq={posted}")), before + 1);
    let control = ask(&ledger, "/v1/controls/ER-4");
    assert_eq!(control["evidence"]["last"]["seq"], posted);
    assert_eq!(control["evidence"]["last"]["members"], json!(["CLD-IT-1"]));
    assert!(control.get("due_by").is_none(), "nothing falls due where evidence comes per event");
    let of_member =
        |query: &str| numbers(&all(&ledger, &format!("/v1/controls/ER-4/evidence?member=CLD-IT-1{query}")));
    assert_eq!(of_member(""), [posted]);
    let correction = ledger.record(&annulled("asking-2", "asking-1"));
    assert_eq!(count(&format!("min_seq={correction}")), before);
    assert!(of_member("").is_empty());
    assert_ne!(ask(&ledger, "/v1/controls/ER-4")["evidence"]["last"]["seq"], posted);
    // As of before the correction, the mistake is what was known.
    assert_eq!(count(&format!("as_of={posted}")), before + 1);
    assert_eq!(of_member(&format!("&as_of={posted}")), [posted]);
    // A correction can be taken back.
    let taken_back = ledger.record(&annulled("asking-3", "asking-2"));
    assert_eq!(count(&format!("min_seq={taken_back}")), before + 1);
}

#[test]
fn a_member_shows_its_own_evidence() {
    let ledger = Ledger::empty();
    let description = ledger.get("/openapi.json", "auditor").json();
    // The catalogue's own examples, about other models.
    let content = &description["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let examples = &content["application/cloudevents+json"]["examples"];
    let posted = |id: &str, kind: &str, model: &str| {
        let mut data = examples[kind]["value"]["data"].clone();
        data["model"] = json!(model);
        ledger.record(&event(id, kind, "governance", data))
    };
    posted("m-1", "model.registered", "model/one");
    posted("m-2", "model.registered", "model:two");
    let seq = posted("r-1", "review.completed", "model/one");

    let members = ask(&ledger, &format!("/v1/controls/PM-6/members?min_seq={seq}&sort=opened"));
    let items = members["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{members}");
    let (one, two) = (&items[0], &items[1]);
    assert_eq!((&one["id"], &two["id"]), (&json!("model/one"), &json!("model:two")));
    assert_eq!((&one["evidence"]["total"], &two["evidence"]["total"]), (&json!(1), &json!(0)));
    assert_eq!(one["evidence"]["last"]["seq"], seq);
    let link = one["evidence"]["link"].as_str().unwrap();
    assert_eq!(numbers(&all(&ledger, link)), [seq]);
    assert!(all(&ledger, two["evidence"]["link"].as_str().unwrap()).is_empty());
    // Each is due by itself: 92 days after its own evidence took effect, or after it was registered.
    let control = ask(&ledger, "/v1/controls/PM-6");
    let time = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    let due = |item: &Value| time(&item["evidence"]["due_by"]);
    let cadence = chrono::TimeDelta::days(92);
    assert_eq!(control["cadence"], "P92D");
    assert_eq!(due(one) - time(&one["evidence"]["last"]["effective_at"]), cadence);
    assert_eq!(due(two) - time(&two["opened_at"]), cadence);
    assert_eq!(time(&control["due_by"]), due(one).min(due(two)));
    let early = (due(one) - cadence).max(due(two) - cadence) + chrono::TimeDelta::hours(1);
    let control = ask(&ledger, &format!("/v1/controls/PM-6?at={}", early.format("%Y-%m-%dT%H:%M:%SZ")));
    assert_eq!(
        control["standing"],
        json!({"worst": "not-yet-due", "states": {"not-yet-due": 1, "satisfied": 1}, "complete": true})
    );
    let states = |at: &chrono::DateTime<chrono::FixedOffset>| {
        let at = at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
        let control = ask(&ledger, &format!("/v1/controls/PM-6?at={at}"));
        let list = ask(&ledger, &format!("/v1/controls?at={at}"));
        let listed = list["items"].as_array().unwrap().iter().find(|item| item["id"] == "PM-6").unwrap();
        assert_eq!(listed["standing"], control["standing"]);
        assert_eq!(listed["due_by"], control["due_by"]);
        let members = ask(&ledger, &format!("/v1/controls/PM-6/members?at={at}&sort=opened"));
        let states = members["items"].as_array().unwrap().iter();
        states.map(|item| item["evidence"]["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&early), ["satisfied", "not-yet-due"]);
    let late = due(one).max(due(two));
    assert_eq!(states(&late), ["overdue", "never-evidenced"]);
    // A waiver is of one member, from now on, until a day.
    let until = late + chrono::TimeDelta::days(1);
    let waiver = json!({"by": "user:u-1005", "control": "PM-6", "member": "model:two", "reason": "It is switched off.",
        "until": until.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "approval": "APR-1"});
    let waived = ledger.record(&event("w-1", "control.waived", "governance", waiver));
    let at = late.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    let members = ask(&ledger, &format!("/v1/controls/PM-6/members?min_seq={waived}&sort=opened&at={at}"));
    assert_eq!(members["items"][1]["evidence"]["waived_by"], waived);
    assert_eq!(states(&late), ["overdue", "waived"]);
    assert_eq!(states(&(until + chrono::TimeDelta::seconds(1))), ["overdue", "never-evidenced"]);

    // Ids with a slash and a colon are addresses like any other.
    for row in items {
        let this = row["links"]["self"].as_str().unwrap();
        assert_eq!(ask(&ledger, this)["id"], row["id"]);
        let history = ask(&ledger, row["links"]["history"].as_str().unwrap());
        assert_eq!(history["items"][0]["type"], "model.registered");
        let timeline = ask(&ledger, row["links"]["timeline"].as_str().unwrap());
        assert_eq!(timeline["subject"], row["id"]);
        assert!(!timeline["items"].as_array().unwrap().is_empty());
    }
    assert!(items[0]["links"]["self"].as_str().unwrap().ends_with("/model%2Fone"));
}

#[test]
fn a_row_finds_its_evidence_among_thousands() {
    let ledger = Ledger::empty();
    let mut last = 0;
    for batch in 0..6 {
        let events: Vec<Value> = (0..1_000)
            .map(|place| {
                let number = batch * 1_000 + place;
                confirmed(&format!("many-{number}"), &format!("CLD-{}", number % 3_000))
            })
            .collect();
        let answer = ledger.post_batch(&events);
        assert_eq!(answer.status, 201, "{}", answer.text());
        last += 1_000;
    }
    let control = ask(&ledger, &format!("/v1/controls/ER-4?min_seq={last}"));
    assert_eq!(control["evidence"]["count"], 6_000);
    // Entry 0 is the ledger's own: the event of number n is entry n + 1.
    let of_member =
        |query: &str| numbers(&all(&ledger, &format!("/v1/controls/ER-4/evidence?member=CLD-7{query}")));
    assert_eq!(of_member(""), [3_008, 8]);
    assert_eq!(of_member("&limit=1"), [3_008, 8]);
    assert_eq!(of_member("&as_of=3007"), [8]);
    assert_eq!(all(&ledger, "/v1/controls/ER-4/evidence?limit=500").len(), 6_000);
    // A row that nothing speaks of is not looked for in vain through the whole list.
    let nothing = ask(&ledger, "/v1/controls/ER-4/evidence?member=CLD-9999");
    assert_eq!((&nothing["items"], &nothing["next"]), (&json!([]), &Value::Null));
    let members = ask(&ledger, "/v1/controls/ER-4/members?sort=opened&limit=20");
    assert_eq!(control["population"]["members"], 3_000);
    for (place, item) in members["items"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&item["id"], &item["evidence"]["count"]), (&json!(format!("CLD-{place}")), &json!(2)));
        assert_eq!(item["evidence"]["last"]["seq"], 3_001 + place);
    }
}

#[test]
fn a_timeline_goes_across_families_in_the_order_of_the_ledger() {
    let (ledger, size) = demo();
    let events = all(&ledger, "/v1/events?limit=500");
    let escalated = events
        .iter()
        .find(|item| {
            item["event"]["type"] == "escalation.opened"
                && item["event"]["data"]["about"]["type"] == "decision"
        })
        .unwrap();
    let id = escalated["event"]["data"]["about"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/subjects/{id}/timeline");
    let items = all(&ledger, &path);
    let seqs = numbers(&items);
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let families: BTreeSet<&str> = items.iter().filter_map(|item| item["family"].as_str()).collect();
    assert!(families.contains("decision") && families.contains("escalation"), "{families:?}");
    assert_eq!(items[0]["type"], "decision.made");
    // Everything that names it at one of the places where ids stand, what became of the escalation and of its contests,
    // and nothing else.
    let of_it = |ty: &str, name: &str| -> BTreeSet<&str> {
        let opened = events.iter().filter(|item| {
            let data = &item["event"]["data"];
            item["event"]["type"] == ty && (data["decision"] == *id || data["about"]["id"] == *id)
        });
        opened.filter_map(|item| item["event"]["data"][name].as_str()).collect()
    };
    let escalations = of_it("escalation.opened", "escalation");
    let contests = of_it("decision.contested", "contest");
    let is_one = |ids: &BTreeSet<&str>, id: &Value| id.as_str().is_some_and(|id| ids.contains(id));
    let named = |item: &&Value| {
        let (event, data) = (&item["event"], &item["event"]["data"]);
        let is_answer = event["type"] == "decision.contest_resolved";
        event["subject"] == *id
            || data["decision"] == *id
            || data["about"]["id"] == *id
            || is_one(&escalations, &data["escalation"])
            || (is_answer && is_one(&contests, &data["contest"]))
    };
    let expected: Vec<Value> = events.iter().filter(named).cloned().collect();
    assert_eq!(seqs, numbers(&expected));
    let opened = items.iter().find(|item| item["seq"] == escalated["seq"]).unwrap();
    assert_eq!((&opened["role"], &opened["family"]), (&json!("link"), &json!("escalation")));
    assert_eq!(opened["entity"], escalated["event"]["data"]["escalation"]);
    assert!(opened["summary"].as_str().is_some() && opened.get("event").is_none());

    // The case that the decision is about: entries by subject.
    let case = events[seqs[0] as usize]["event"]["subject"].as_str().unwrap();
    let of_case = all(&ledger, &format!("/v1/subjects/{case}/timeline?limit=2"));
    let roles: BTreeSet<&str> = of_case.iter().filter_map(|item| item["role"].as_str()).collect();
    assert!(roles.is_subset(&BTreeSet::from(["subject", "link", "connected"])), "{of_case:?}");
    assert!(of_case.len() > 2);
    assert_eq!(numbers(&of_case), numbers(&all(&ledger, &format!("/v1/subjects/{case}/timeline"))));

    let mut backwards = numbers(&all(&ledger, &format!("{path}?order=desc&limit=2")));
    backwards.reverse();
    assert_eq!(backwards, seqs);
    let made = all(&ledger, &format!("{path}?type=decision.made,decision.contested&expand=event"));
    assert!(
        made.iter().all(|item| item["event"]["type"] == item["type"] && item["event"]["data"].is_object())
    );
    assert_eq!(made[0]["event"], events[seqs[0] as usize]["event"]);
    let early = all(&ledger, &format!("{path}?as_of={}", seqs[1]));
    assert_eq!(numbers(&early), &seqs[..2]);
    assert_eq!(numbers(&all(&ledger, &format!("{path}?from={}&to={}", seqs[1], seqs[2]))), [seqs[1]]);
    let at = items[0]["effective_at"].as_str().unwrap();
    assert!(all(&ledger, &format!("{path}?at={at}")).len() < items.len());

    // What a person did is there too, also where an application posted it.
    let person = "user:u-1003";
    let did = all(&ledger, &format!("/v1/subjects/{person}/timeline?limit=500"));
    let by: BTreeSet<u64> = events
        .iter()
        .filter(|item| item["event"]["data"]["by"] == person)
        .map(|item| item["seq"].as_u64().unwrap())
        .collect();
    assert!(!by.is_empty() && by.is_subset(&numbers(&did).into_iter().collect()), "{did:?}");
    assert!(did.iter().any(|item| item["role"] == "actor"), "{did:?}");

    // Read your own write, also about an id with a slash; and what a correction took away says so.
    let slashed = "/v1/subjects/committee%2Fit/timeline";
    assert_eq!(ask(&ledger, slashed)["items"], json!([]));
    let mut posted = event_with_id("asking-timeline");
    posted["subject"] = json!("committee/it");
    let seq = ledger.record(&posted);
    assert!(seq >= size);
    let item = ask(&ledger, &format!("{slashed}?min_seq={seq}"))["items"][0].clone();
    assert_eq!(
        (&item["seq"], &item["role"], &item["entity"]),
        (&json!(seq), &json!("subject"), &json!("APR-1"))
    );
    let correction = ledger.record(&annulled("asking-timeline-2", "asking-timeline"));
    let after = ask(&ledger, &format!("{slashed}?min_seq={correction}"));
    assert_eq!(after["items"][0]["corrected_by"], correction);
    let before = ask(&ledger, &format!("{slashed}?as_of={seq}"));
    assert!(before["items"][0].get("corrected_by").is_none());
    for (query, problem) in
        [("order=up", "bad-parameter"), ("kind=x", "bad-parameter"), ("cursor=1", "bad-cursor")]
    {
        assert_eq!(ledger.get(&format!("{path}?{query}"), "auditor").problem(), problem, "{query}");
    }
}

#[test]
fn a_timeline_leads_to_rows_that_are_there() {
    let (ledger, _) = demo();
    let events = all(&ledger, "/v1/events?limit=500");
    let subjects: BTreeSet<&str> =
        events.iter().filter_map(|item| item["event"]["subject"].as_str()).collect();
    let mut rows = BTreeSet::new();
    for subject in subjects {
        for item in all(&ledger, &format!("/v1/subjects/{}/timeline", subject.replace('/', "%2F"))) {
            rows.extend(item["row"].as_str().map(str::to_owned));
        }
    }
    for address in ["/v1/approvals/", "/v1/access/", "/v1/decisions/", "/v1/escalations/", "/v1/registers/"] {
        assert!(rows.iter().any(|row| row.starts_with(address)), "{address}");
    }
    for row in rows {
        assert_eq!(ledger.get(&row, "compliance").status, 200, "{row}");
    }
}

/// An event of a source that numbers what it posts.
fn numbered(source: &str, sequence: u64, time: &str) -> Value {
    let mut event = event_with_id(&format!("{source}-{sequence}"));
    event["source"] = json!(source);
    event["sequence"] = json!(sequence.to_string());
    event["time"] = json!(time);
    event
}

fn reconciled(id: &str, source: &str, from: &str, to: &str, count: u64) -> Value {
    let data = json!({"by": "app:counter", "source": source, "from": from, "to": to, "count": count});
    let mut event = event(id, "source.reconciled", "counting", data);
    event["source"] = json!("/counter");
    event
}

#[test]
fn numbers_that_were_never_posted_are_gaps() {
    let ledger = Ledger::empty();
    let mut last = 0;
    for sequence in [1, 2, 3, 6, 7, 9, 10] {
        last = ledger.record(&numbered("/gaps/a", sequence, "2026-03-02T09:30:00Z"));
    }
    ledger.record(&numbered("/gaps/b", 1, "2026-03-02T09:30:00Z"));
    let whole = ledger.record(&numbered("/gaps/b", 2, "2026-03-02T09:30:00Z"));
    let list = ask(&ledger, &format!("/v1/sources?min_seq={whole}"));
    let items = list["items"].as_array().unwrap();
    // The ledger itself is a source too.
    assert_eq!(items.len(), 3, "{list}");
    let a = items.iter().find(|item| item["source"] == "/gaps/a").unwrap();
    assert_eq!(a["gaps"], json!([{"from": 8, "to": 8}, {"from": 4, "to": 5}]));
    assert_eq!((&a["missing"], &a["highest"], &a["numbered"]), (&json!(3), &json!(10), &json!(7)));
    assert_eq!((&a["events"], &a["last"]["seq"], &a["incomplete"]), (&json!(7), &json!(last), &json!(true)));
    let incomplete = all(&ledger, "/v1/sources?incomplete=true");
    assert_eq!((incomplete.len(), &incomplete[0]["source"]), (1, &json!("/gaps/a")));
    assert_eq!(all(&ledger, "/v1/sources?incomplete=false").len(), 2);
    let one_by_one = all(&ledger, "/v1/sources?limit=1");
    assert_eq!(&one_by_one, items);
    // One source, as a path and as a parameter.
    let link = a["link"].as_str().unwrap();
    assert_eq!(link, "/v1/sources/%2Fgaps%2Fa");
    assert_eq!(ask(&ledger, link)["gaps"], a["gaps"]);
    assert_eq!(ask(&ledger, "/v1/sources?source=/gaps/a")["items"][0], ask(&ledger, link));
    assert_eq!(ledger.get("/v1/sources/%2Fgaps%2Fc", "auditor").problem(), "not-found");
    assert_eq!(ledger.get("/v1/sources?as_of=1", "auditor").problem(), "bad-parameter");
    assert_eq!(ledger.get("/v1/sources?cursor=03", "auditor").problem(), "bad-cursor");
    // What was missing and comes late is missing no more.
    let late =
        [4, 5, 8].map(|sequence| ledger.record(&numbered("/gaps/a", sequence, "2026-03-02T09:30:00Z")));
    let healed = ask(&ledger, &format!("{link}?min_seq={}", late[2]));
    assert_eq!(
        (&healed["missing"], &healed["gaps"], &healed["incomplete"]),
        (&json!(0), &json!([]), &json!(false))
    );
}

#[test]
fn what_a_source_counted_is_held_against_what_the_ledger_has() {
    let ledger = Ledger::empty();
    let times =
        ["09:59:59", "10:00:00", "10:00:30", "10:05:00", "10:59:59", "11:00:00", "11:00:20", "11:00:40"];
    for (sequence, time) in (1..).zip(times) {
        ledger.record(&numbered("/counted", sequence, &format!("2026-03-02T{time}Z")));
    }
    let mut said = 0;
    let mut compare = |from: &str, to: &str, count: u64| {
        said += 1;
        let day = |time: &str| format!("2026-03-02T{time}Z");
        let event = reconciled(&format!("said-{said}"), "/counted", &day(from), &day(to), count);
        let seq = ledger.record(&event);
        let source = ask(&ledger, &format!("/v1/sources?source=/counted&min_seq={seq}"))["items"][0].clone();
        let found = source["reconciliations"][0].clone();
        assert_eq!(
            (&found["seq"], &found["stated"], &found["exact"]),
            (&json!(seq), &json!(count), &json!(true))
        );
        assert_eq!(source["incomplete"], found["difference"] != 0);
        assert_eq!(source["reconciliations"].as_array().unwrap().len(), said);
        (found["counted"].as_u64().unwrap(), found["difference"].as_i64().unwrap())
    };
    assert_eq!(compare("10:00:00", "11:00:00", 4), (4, 0));
    assert_eq!(compare("10:00:00", "11:00:00", 6), (4, -2));
    assert_eq!(compare("10:00:00", "11:00:00", 3), (4, 1));
    // Within minutes: the source counts to the second, and so does the ledger.
    assert_eq!(compare("10:00:30", "11:00:30", 5), (5, 0));
    assert_eq!(compare("11:00:10", "11:00:30", 1), (1, 0));
    assert_eq!(compare("09:59:30", "09:59:59", 0), (0, 0));
    assert_eq!(compare("08:00:00", "12:00:00", 9), (8, -1));
    let incomplete = all(&ledger, "/v1/sources?incomplete=true");
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0]["reconciliations"].as_array().unwrap().len(), 1);
    assert_eq!(incomplete[0]["reconciliations"][0]["difference"], -1);
    // What it said by mistake does not count.
    let mut correction = annulled("unsaid", "said-7");
    correction["data"]["target"]["source"] = json!("/counter");
    let seq = ledger.record(&correction);
    assert!(all(&ledger, &format!("/v1/sources?incomplete=true&min_seq={seq}")).is_empty());
    // A source that posted nothing and says that it did.
    let seq =
        ledger.record(&reconciled("said-9", "/silent", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", 17));
    let silent = all(&ledger, &format!("/v1/sources?incomplete=true&min_seq={seq}"));
    assert_eq!((silent.len(), &silent[0]["source"], &silent[0]["events"]), (1, &json!("/silent"), &json!(0)));
    assert_eq!(silent[0]["reconciliations"][0]["difference"], -17);
    assert_eq!(ask(&ledger, "/v1/registers/reconciliations/%2Fsilent")["fields"]["count"], 17);
}

/// A case, its decision, the contest of that, an escalation about it, and what became of all of them: none has a subject.
#[test]
fn the_timeline_of_a_case_holds_what_is_connected_over_two_steps() {
    let ledger = Ledger::demo();
    let mut last = 0;
    let mut record = |id: &str, kind: &str, data: Value| {
        let mut event = event(id, kind, "", data);
        event.as_object_mut().unwrap().remove("subject");
        last = ledger.record(&event);
        last
    };
    let made = event_of_decision("D-two-steps", "LN-two-steps");
    let contest = |decision: &str| {
        json!({"by": "app:desk", "contest": format!("C-{decision}"), "decision": decision, "channel": "letter",
            "received_at": "2026-03-02T09:00:00Z", "due_at": "2026-04-01T17:00:00Z"})
    };
    let escalation = json!({
        "by": "app:watch", "escalation": "E-two-steps", "about": {"type": "decision", "id": "D-two-steps"}, "trigger": "person",
        "severity": "low", "path": "model-risk", "path_version": 1, "level": 1, "assigned_to": "user:u-1031",
        "aware_at": "2026-03-02T09:00:00Z", "ack_due_at": "2026-03-03T09:00:00Z", "resolve_due_at": "2026-03-04T09:00:00Z",
    });
    let expected = [
        record("two-1", "decision.made", made),
        record("two-2", "decision.contested", contest("D-two-steps")),
        record("two-3", "escalation.opened", escalation),
        record(
            "two-4",
            "escalation.acknowledged",
            json!({"by": "user:u-1031", "escalation": "E-two-steps", "level": 1}),
        ),
        record(
            "two-5",
            "decision.contest_resolved",
            json!({"by": "user:u-1061", "contest": "C-D-two-steps", "result": "upheld",
            "reason": "r", "communicated_at": "2026-03-02T09:20:00Z"}),
        ),
    ];
    // Somebody else's.
    record("two-6", "decision.made", event_of_decision("D-other", "LN-other"));
    let path = format!("/v1/subjects/LN-two-steps/timeline?min_seq={last}");
    let items = all(&ledger, &path);
    assert_eq!(numbers(&items), expected);
    let how: Vec<_> =
        items.iter().map(|item| (item["role"].as_str().unwrap(), item["via"].as_str())).collect();
    let via = |id| ("connected", Some(id));
    assert_eq!(
        how,
        [("link", None), via("D-two-steps"), via("E-two-steps"), via("E-two-steps"), via("C-D-two-steps")]
    );
    let mut backwards = numbers(&all(&ledger, &format!("{path}&order=desc&limit=1")));
    backwards.reverse();
    assert_eq!(backwards, expected);
    assert_eq!(numbers(&all(&ledger, &format!("{path}&as_of={}", expected[1]))), &expected[..2]);
}

fn event_of_decision(decision: &str, case: &str) -> Value {
    json!({
        "by": "app:credit-line", "decision": decision, "case": case, "system": "credit-line", "model": "credit-line",
        "version": "1.1", "artifact_digest": format!("sha256:{}", "1".repeat(64)), "environment": "production",
        "mode": "assisted", "outcome": "declined", "adverse": true, "significant_effect": false,
        "purpose": "consumer-lending", "jurisdiction": "GB", "legal_basis": "gdpr-6-1-b",
        "inputs": {"commitment": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "ref": "vault:x"}, "review_required": false,
    })
}
