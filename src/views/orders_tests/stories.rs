//! Stories of each kind of row, as they happen and as they are told.

use super::book::{Book, DAY, DAYS, Dice, HOUR, MINUTE, SOURCES, at, text};
use crate::views::engine::testing;
use serde_json::{Value, json};

const PEOPLE: [&str; 8] =
    ["user:ann", "user:bob", "user:cay", "user:dan", "user:eve", "user:fay", "user:gus", "user:req"];

/// Sometimes nobody tells of the beginning.
const WITHOUT_OPENING: usize = 4;

/// After everything that is recorded, and before the rows are asked for.
const FAR: i64 = 160_000 * MINUTE;

fn put(data: &mut Value, name: &str, value: impl Into<Value>) {
    data[name] = value.into();
}

/// A decision with its contests, answers, reviews, explanations and notices.
pub(super) fn decision(book: &mut Book, number: usize) {
    let id = format!("D{number}");
    let (own, opened) = book.begin();
    if !book.dice.chance(WITHOUT_OPENING) {
        let data = made(&mut book.dice, &id, opened);
        book.tell(own, "decision.made", opened, data);
    }
    if book.dice.chance(15) {
        let (source, done) = (book.someone(own), book.when(opened, DAY));
        let data = made(&mut book.dice, &id, opened);
        book.tell(source, "decision.made", done, data);
    }
    let contests = book.dice.below(4);
    for contest in 0..contests {
        let contest = format!("{id}-C{contest}");
        let received = book.when(opened, 3 * DAY);
        for _ in 0..1 + book.dice.below(5) / 4 {
            let source = book.someone(own);
            let due = received + book.dice.between(1, 30) * DAY;
            let data = json!({
                "decision": id, "contest": contest, "received_at": text(received - book.dice.between(0, 90)),
                "due_at": text(due), "channel": book.dice.pick(&["letter", "mail"]),
            });
            let done = if book.dice.chance(80) { received } else { book.when(received, HOUR) };
            book.tell(source, "decision.contested", done, data);
        }
        for _ in 0..book.dice.pick(&[0, 1, 1, 1, 2]) {
            let (source, done) = (book.someone(own), book.when(received, 5 * DAY));
            let mut data = json!({"contest": contest, "result": book.dice.pick(&["upheld", "reversed"])});
            match book.dice.below(5) {
                0 => put(&mut data, "decision", id.as_str()),
                1 => data = json!({"decision": id, "result": "upheld"}),
                _ => {}
            }
            if book.dice.chance(30) {
                put(&mut data, "communicated_at", text(done));
            }
            if book.dice.chance(10) {
                put(&mut data, "effective_at", text(done + book.dice.between(-DAY, DAY)));
            }
            book.tell(source, "decision.contest_resolved", done, data);
        }
    }
    for _ in 0..book.dice.below(4) {
        let (source, done) = (book.someone(own), book.when(opened, 4 * DAY));
        let result = book.dice.pick(&["confirmed", "overridden", "referred"]);
        let mut data = json!({
            "decision": id, "result": result, "trigger": "sample", "started_at": text(done - HOUR),
            "completed_at": text(done), "new_outcome": book.dice.pick(&["approved", "declined"]),
            "by": book.dice.pick(&PEOPLE),
        });
        if book.dice.chance(80) {
            put(&mut data, "review", format!("R{}", book.dice.below(3)));
        }
        book.tell(source, "decision.reviewed", done, data);
    }
    for _ in 0..book.dice.below(5) {
        let (source, done) = (book.someone(own), book.when(opened, 4 * DAY));
        let (ty, mut data) = if book.dice.chance(50) {
            ("explained", json!({"audience": book.dice.pick(&["affected-person", "technical"])}))
        } else {
            ("notified", json!({"kind": book.dice.pick(&["adverse-action", "use-of-automation"])}))
        };
        put(&mut data, "decision", id.as_str());
        put(&mut data, "method", book.dice.pick(&["letter", "mail"]));
        match book.dice.below(6) {
            0 => {}
            1 => put(&mut data, "delivered_at", text(FAR)),
            _ => put(&mut data, "delivered_at", text(done.div_euclid(HOUR) * HOUR)),
        }
        book.tell(source, &format!("decision.{ty}"), done, data);
    }
}

fn made(dice: &mut Dice, id: &str, opened: i64) -> Value {
    let mut data = json!({
        "decision": id, "outcome": dice.pick(&["approved", "declined", "declined"]), "case": format!("L{}", dice.below(40)),
        "model": dice.pick(&["m1", "m2"]), "version": dice.pick(&["1", "2"]), "mode": "automated",
        "adverse": dice.chance(50), "significant_effect": dice.chance(20),
    });
    if dice.chance(60) {
        put(&mut data, "review_required", dice.chance(80));
        put(&mut data, "review_due_at", text(opened + dice.between(1, 9) * DAY));
    }
    if dice.chance(50) {
        put(&mut data, "overseer", dice.pick(&PEOPLE));
    }
    data
}

/// Decisions, and now and then an import of what a source did until then: proposed by one system, confirmed by another, and
/// closed days later.
pub(super) fn imported(book: &mut Book, number: usize) {
    let (own, opened) = book.begin();
    if number % 8 != 3 {
        let id = format!("D{number}");
        let data = made(&mut book.dice, &id, opened);
        book.tell(own, "decision.made", opened, data);
        for review in 0..book.dice.below(4) {
            let (source, done) = (book.someone(own), book.when(opened, 4 * DAY));
            let data = json!({
                "decision": id, "review": format!("R{review}"), "result": "confirmed", "completed_at": text(done),
            });
            book.tell(source, "decision.reviewed", done, data);
        }
        return;
    }
    let of = book.dice.pick(&SOURCES);
    let data = json!({
        "import": format!("I{}", number / 2), "source": of, "from": text(opened - 90 * DAY), "to": text(opened),
        "by": "user:ann",
    });
    let import = data["import"].clone();
    let proposal = book.write(opened, own, "import.opened", at(opened), data.clone());
    let id = book.id(proposal);
    let digest = testing::digest(own, &id, "import.opened", &data);
    let other = book.dice.pick(&SOURCES);
    let confirmed = opened + book.dice.between(1, 9) * HOUR;
    let data = json!({"of": {"source": own, "id": id}, "digest": digest, "by": book.dice.pick(&PEOPLE)});
    book.write(confirmed, other, "act.confirmed", at(confirmed), data);
    if book.dice.chance(70) {
        let closed = confirmed + book.dice.between(2, 12) * DAY;
        book.write(closed, own, "import.closed", at(closed), json!({"import": import, "counts": {}}));
    }
}

/// Roles and delegations, most of which are recorded before everything else.
pub(super) fn rights(book: &mut Book) {
    for (recorded, many) in [(-60, 24), (5, 6), (10, 6), (15, 6)] {
        for _ in 0..many {
            let who = book.dice.pick(&PEOPLE);
            let done = (recorded * DAY).min(book.dice.between(-60, DAYS) * DAY) + book.dice.between(0, HOUR);
            let from = done + book.dice.between(-5, 3) * DAY;
            let role = book.dice.pick(&["risk", "law"]);
            let (ty, data) = match book.dice.below(10) {
                0..=5 => ("role.assigned", json!({"principal": who, "role": role, "valid_from": text(from)})),
                6 => ("role.unassigned", json!({"principal": who, "role": role, "effective_at": text(from)})),
                7 | 8 => {
                    let data = json!({
                        "delegation": format!("L{}", book.dice.below(6)), "from": who, "to": book.dice.pick(&PEOPLE),
                        "kinds": ["k"], "max_risk": book.dice.pick(&["limited", "high"]), "valid_from": text(from),
                        "valid_until": text(from + book.dice.between(5, 80) * DAY),
                    });
                    ("delegation.granted", data)
                }
                _ => {
                    let data = json!({
                        "delegation": format!("L{}", book.dice.below(6)), "from": who, "to": book.dice.pick(&PEOPLE),
                        "effective_at": text(from),
                    });
                    ("delegation.revoked", data)
                }
            };
            book.write(recorded * DAY, "/hr", ty, at(done), data);
        }
    }
}

/// An approval with its votes, conditions and ends. In a quiet one nothing can end a round.
pub(super) fn approval(book: &mut Book, number: usize) {
    let id = format!("A{number}");
    let (own, opened) = book.begin();
    let quiet = book.dice.chance(50);
    if !book.dice.chance(WITHOUT_OPENING) {
        let data = asked(&mut book.dice, &id, opened, quiet);
        book.tell(own, "approval.requested", opened, data);
    }
    if !quiet && book.dice.chance(50) {
        let (source, done) = (book.someone(own), book.when(opened, 2 * DAY));
        let data = asked(&mut book.dice, &id, opened, quiet);
        book.tell(source, "approval.requested", done, data);
    }
    for _ in 0..1 + book.dice.below(6) {
        let (source, done) = (book.someone(own), book.when(opened, 2 * DAY));
        let mut data = json!({"approval": id, "by": book.dice.pick(&PEOPLE), "rationale": "r"});
        if book.dice.chance(70) {
            put(&mut data, "capacity", book.dice.pick(&["risk", "risk", "law", "clerk"]));
        }
        if book.dice.chance(60) {
            put(&mut data, "scope_digest", book.dice.pick(&["s", "s", "t"]));
        }
        if book.dice.chance(20) {
            put(&mut data, "delegation", format!("L{}", book.dice.below(6)));
        }
        let ty = match book.dice.below(10) {
            0 => "recused",
            1 | 2 if !quiet => "rejected",
            _ => "granted",
        };
        let conditions = ty == "granted" && book.dice.chance(30);
        if conditions {
            let due = text(done + book.dice.between(0, 5) * DAY);
            put(&mut data, "conditions", json!([{"id": "C1", "text": "t", "due_at": due}]));
        }
        let vote = book.tell(source, &format!("approval.{ty}"), done, data);
        if conditions && book.dice.chance(60) {
            let mut data = json!({"approval": id, "condition": book.dice.pick(&["C1", "C1", "C1", "C2"])});
            if book.dice.chance(40) {
                put(&mut data, "vote", vote);
            }
            let (source, met) = (book.someone(own), book.when(done, 6 * DAY));
            book.tell(source, "approval.condition_met", met, data);
        }
    }
    let ends = if quiet { 0 } else { book.dice.pick(&[0, 1, 1, 2]) };
    for _ in 0..ends {
        let (source, done) = (book.someone(own), book.when(opened, 3 * DAY));
        let mut data = json!({"approval": id, "by": book.dice.pick(&PEOPLE), "reason": "r"});
        if book.dice.chance(40) {
            let effective = done + book.dice.pick(&[-DAY, -HOUR, 0, HOUR]);
            put(&mut data, "effective_at", text(if book.dice.chance(10) { FAR } else { effective }));
        }
        let ty = book.dice.pick(&["withdrawn", "revoked", "revoked"]);
        book.tell(source, &format!("approval.{ty}"), done, data);
    }
}

fn asked(dice: &mut Dice, id: &str, opened: i64, quiet: bool) -> Value {
    let roles: &[&str] = dice.pick(&[&["risk"][..], &["risk"], &["risk", "law"]]);
    let mut data = json!({
        "approval": id, "by": "user:req", "kind": "k", "rationale": dice.pick(&["one", "other"]),
        "target": {"type": "model", "id": format!("m{}", dice.below(9))}, "scope_digest": dice.pick(&["s", "s", "t"]),
        "quorum": {"n": dice.pick(&[1, 2, 2, 3]), "roles": roles, "veto": dice.chance(20)},
    });
    if dice.chance(70) {
        put(&mut data, "due_at", text(opened + dice.between(1, 72) * HOUR));
    }
    if dice.chance(50) {
        put(&mut data, "risk_class", dice.pick(&["limited", "high"]));
    }
    if !quiet && dice.chance(25) {
        let until = if dice.chance(70) { FAR } else { opened + 5 * DAY };
        put(&mut data, "valid_until", text(until));
    }
    data
}

/// An escalation with its levels, clocks, pauses, resolutions and rounds.
pub(super) fn escalation(book: &mut Book, number: usize) {
    let id = format!("E{number}");
    let (own, opened) = book.begin();
    if !book.dice.chance(WITHOUT_OPENING) {
        let data = raised_first(&mut book.dice, &id, opened);
        book.tell(own, "escalation.opened", opened, data);
    }
    if book.dice.chance(30) {
        let (source, done) = (book.someone(own), book.when(opened, 3 * DAY));
        let data = raised_first(&mut book.dice, &id, done);
        book.tell(source, "escalation.opened", done, data);
    }
    for _ in 0..2 + book.dice.below(11) {
        let (source, done) = (book.someone(own), book.when(opened, 2 * DAY));
        let (level, dice) = (1 + book.dice.below(3), &mut book.dice);
        let clocks = |dice: &mut Dice, data: &mut Value| {
            for name in ["ack_due_at", "resolve_due_at"] {
                if dice.chance(60) {
                    put(data, name, text(done + dice.between(0, 30) * HOUR));
                }
            }
        };
        let mut data = json!({});
        let what = match dice.below(16) {
            0..=3 => {
                put(&mut data, "level", level);
                "acknowledged"
            }
            4 | 5 => {
                put(&mut data, "to_level", level);
                put(&mut data, "assigned_to", dice.pick(&PEOPLE));
                clocks(dice, &mut data);
                "raised"
            }
            6 => {
                put(&mut data, "to_level", level);
                clocks(dice, &mut data);
                "lowered"
            }
            7 => {
                put(&mut data, "assigned_to", dice.pick(&PEOPLE));
                "reassigned"
            }
            8 => {
                put(&mut data, "waiting_for", "vendor");
                "paused"
            }
            9 => "resumed",
            10 | 11 => {
                let due = text(done + dice.between(1, 60) * HOUR);
                data = json!({
                    "resolution": "r", "cause_class": dice.pick(&["data", "process"]),
                    "actions": [{"id": format!("x{level}"), "owner": "user:ann", "due_at": due}, {"owner": "user:bob"}],
                });
                "resolved"
            }
            12 => {
                match dice.below(5) {
                    0 => {}
                    1 => put(&mut data, "action", 2),
                    _ => put(&mut data, "action", format!("x{level}")),
                }
                "action_done"
            }
            13 | 14 => {
                put(&mut data, "verification", "v");
                "closed"
            }
            _ => {
                put(&mut data, "reason", "r");
                clocks(dice, &mut data);
                "reopened"
            }
        };
        put(&mut data, "escalation", id.as_str());
        put(&mut data, "by", dice.pick(&PEOPLE));
        if dice.chance(8) {
            put(&mut data, "effective_at", text(done + dice.between(-9, 9) * HOUR));
        }
        book.tell(source, &format!("escalation.{what}"), done, data);
    }
}

fn raised_first(dice: &mut Dice, id: &str, opened: i64) -> Value {
    json!({
        "escalation": id, "level": 1, "assigned_to": dice.pick(&PEOPLE), "severity": dice.pick(&["high", "low"]),
        "about": {"type": "model", "id": format!("m{}", dice.below(9))}, "trigger": "threshold:t",
        "ack_due_at": text(opened + dice.between(0, 3) * HOUR), "resolve_due_at": text(opened + dice.between(1, 40) * HOUR),
    })
}

/// Access that is asked for, granted, looked at again, used and taken back.
pub(super) fn access(book: &mut Book, number: usize) {
    let (grant, request) = (format!("G{number}"), format!("Q{number}"));
    let (own, opened) = book.begin();
    let person = book.dice.pick(&PEOPLE);
    for _ in 0..book.dice.pick(&[0, 1, 1, 1, 2]) {
        let (source, done) = (book.someone(own), book.when(opened, HOUR));
        let data = terms(&mut book.dice, &request, person);
        book.tell(source, "access.requested", done, data);
    }
    let grants = if book.dice.chance(WITHOUT_OPENING) { 0 } else { book.dice.pick(&[1, 1, 2, 3]) };
    let mut given = Vec::new();
    for _ in 0..grants {
        let (source, done) = (book.someone(own), book.when(opened, 3 * DAY));
        let mut data = terms(&mut book.dice, &request, person);
        put(&mut data, "grant", grant.as_str());
        if book.dice.chance(70) {
            let from = done.div_euclid(HOUR) * HOUR + book.dice.between(-24, 24) * HOUR;
            put(&mut data, "valid_from", text(from));
            if book.dice.chance(80) {
                put(&mut data, "valid_until", text(from + book.dice.between(-2, 240) * HOUR));
            }
        }
        if book.dice.chance(15) {
            put(&mut data, "emergency", true);
        }
        given.push(book.tell(source, "access.granted", done, data));
    }
    for _ in 0..2 + book.dice.below(8) {
        let (source, done) = (book.someone(own), book.when(opened, 6 * DAY));
        let hour = done.div_euclid(HOUR) * HOUR;
        let effective = hour + book.dice.pick(&[-30, -6, -1, 0, 0, 6, 48]) * HOUR;
        let mut data = json!({"grant": grant, "reason": "r"});
        let ty = match book.dice.below(10) {
            0 | 1 => {
                put(&mut data, "effective_at", text(effective));
                if book.dice.chance(30) {
                    put(&mut data, "enforced_at", text(effective + HOUR));
                }
                "revoked"
            }
            2 | 3 => {
                let left: &[&str] = book.dice.pick(&[&["read"][..], &["write"], &["read", "write"], &[]]);
                put(&mut data, "operations", json!(left));
                put(&mut data, "effective_at", text(effective));
                "reduced"
            }
            4 | 5 => {
                put(&mut data, "result", book.dice.pick(&["keep", "revoke", "reduce"]));
                put(&mut data, "next_due_at", text(hour + book.dice.between(1, 90) * DAY));
                if book.dice.chance(40) {
                    put(&mut data, "act_by", text(hour + book.dice.between(0, 9) * DAY));
                }
                "reviewed"
            }
            6 => {
                data = json!({"request": request, "reason": "r"});
                "rejected"
            }
            _ => {
                data = json!({
                    "grant": grant, "resource": {"kind": "dataset", "id": "d", "environment": "production"},
                    "principal": person, "operation": book.dice.pick(&["read", "write"]),
                    "purpose": book.dice.pick(&["risk", "risk", "ads"]),
                    "outcome": book.dice.pick(&["allowed", "allowed", "denied"]), "from": text(hour - HOUR),
                    "to": text(hour - 1), "count": 1 + book.dice.below(9),
                });
                if book.dice.chance(20) {
                    data.as_object_mut().unwrap().remove("grant");
                }
                "used"
            }
        };
        if matches!(ty, "revoked" | "reduced") && book.dice.chance(20) && !given.is_empty() {
            let one = book.dice.below(given.len());
            put(&mut data, "of", given[one].clone());
        }
        book.tell(source, &format!("access.{ty}"), done, data);
    }
}

fn terms(dice: &mut Dice, request: &str, person: &str) -> Value {
    json!({
        "request": request, "resource": {"kind": "dataset", "id": "d", "environment": "production"},
        "grantee": {"kind": "person", "id": person}, "operations": ["read", "write"],
        "purpose": dice.pick(&["risk", "risk", "ads"]), "legal_basis": "l",
        "grantee_unit": dice.pick(&["risk", "lending"]), "owner_unit": "risk", "by": dice.pick(&PEOPLE),
    })
}

/// A role or a delegation that is given and taken several times.
pub(super) fn right(book: &mut Book, number: usize) {
    let (own, opened) = book.begin();
    let role = number.is_multiple_of(2);
    let key = if role {
        json!({"principal": format!("user:p{number}"), "role": "clerk"})
    } else {
        let to = book.dice.pick(&PEOPLE);
        json!({"delegation": format!("L{number}"), "from": book.dice.pick(&PEOPLE), "to": to, "kinds": ["k"]})
    };
    let mut given = Vec::new();
    for step in 0..4 + book.dice.below(8) {
        let (source, done) = (book.someone(own), book.when(opened, 6 * DAY));
        let from = done.div_euclid(HOUR) * HOUR + book.dice.pick(&[-30, -6, 0, 0, 6, 48]) * HOUR;
        let mut data = key.clone();
        put(&mut data, "reason", book.dice.pick(&["leave", "project"]));
        if step == 0 && book.dice.chance(100 - WITHOUT_OPENING) || book.dice.chance(50) {
            if book.dice.chance(70) {
                put(&mut data, "valid_from", text(from));
            }
            if book.dice.chance(70) {
                put(&mut data, "valid_until", text(from + book.dice.between(-2, 240) * HOUR));
            }
            let ty = if role { "role.assigned" } else { "delegation.granted" };
            given.push(book.tell(source, ty, done, data));
        } else {
            put(&mut data, "effective_at", text(if book.dice.chance(5) { FAR } else { from }));
            if book.dice.chance(20) && !given.is_empty() {
                let one = book.dice.below(given.len());
                put(&mut data, "of", given[one].clone());
            }
            book.tell(source, if role { "role.unassigned" } else { "delegation.revoked" }, done, data);
        }
    }
}

/// An incident, or a risk, that is opened, worked on, ended and opened again.
pub(super) fn life(book: &mut Book, number: usize) {
    let (own, opened) = book.begin();
    let incident = number.is_multiple_of(2);
    let (member, id) =
        if incident { ("incident", format!("I{number}")) } else { ("risk", format!("K{number}")) };
    let steps: &[&str] = if incident {
        &["opened", "classified", "reported", "analysed", "analysed", "closed"]
    } else {
        &["registered", "assessed", "treated", "transferred", "assessed", "closed"]
    };
    for step in 0..4 + book.dice.below(9) {
        let (source, done) = (book.someone(own), book.when(opened, 6 * DAY));
        let what =
            if step == 0 && !book.dice.chance(WITHOUT_OPENING) { 0 } else { book.dice.below(steps.len()) };
        let done = if step == 0 { opened } else { done };
        let mut data = json!({});
        put(&mut data, member, id.as_str());
        for (name, words) in [
            ("owner", &PEOPLE[..]),
            ("severity", &["high", "low"]),
            ("root_cause", &["data", "process"]),
            ("rating", &["red", "green"]),
            ("treatment", &["accept", "reduce"]),
            ("summary", &["one", "other"]),
        ] {
            if book.dice.chance(40) {
                put(&mut data, name, book.dice.pick(words));
            }
        }
        if what == 0 && book.dice.chance(60) {
            put(&mut data, "aware_at", text(done - book.dice.between(0, 9) * HOUR));
        }
        if book.dice.chance(50) {
            put(
                &mut data,
                "next_due_at",
                text(done.div_euclid(HOUR) * HOUR + book.dice.between(1, 90) * HOUR),
            );
        }
        if book.dice.chance(15) {
            put(
                &mut data,
                "effective_at",
                text(done.div_euclid(HOUR) * HOUR + book.dice.between(-30, 30) * HOUR),
            );
        }
        book.tell(source, &format!("{member}.{}", steps[what]), done, data);
    }
}
