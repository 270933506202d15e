//! Who may say what, at the door: types, speech, and what an event does to what others have said.

use super::*;

/// A principal that may post only for one source, every type, and for anyone.
fn of(source: &str, role: Role) -> Principal {
    Principal { sources: vec![source.into()], ..Principal::open("app:n", vec![role]) }
}

async fn by(bench: &Bench, principal: &Principal, event: &Value) -> Result<Vec<Recorded>, RecordError> {
    let incoming = Incoming::new(Form::Structured, event.to_string());
    bench.recorder.record(&Arc::new(principal.clone()), incoming).await
}

fn of_type(id: &str, event_type: &str, change: impl FnOnce(&mut Value)) -> Value {
    let catalog = Catalog::embedded().unwrap();
    let mut data = catalog.get(event_type).unwrap().example.clone();
    change(&mut data);
    json!({"specversion": "1.0", "id": id, "source": "/t", "type": event_type, "subject": "c-1",
           "time": "2026-03-02T09:30:00Z", "data": data})
}

fn from(mut event: Value, source: &str) -> Value {
    event["source"] = json!(source);
    event
}

#[test]
fn an_application_says_facts_and_names_what_governs() {
    run(&Bench::new(), async |bench| {
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        let usual = Principal {
            types: texts(&["facts"]),
            speaks_for: Some(Principal::usual_speech("app:n")),
            ..Principal::open("app:n", vec![Role::Producer])
        };
        let fact = |id: &str, who: &str| of_type(id, "decision.reviewed", |data| data["by"] = json!(who));
        by(bench, &usual, &fact("f-1", "app:n")).await.unwrap();
        by(bench, &usual, &fact("f-2", "user:u-1")).await.unwrap();
        let speech = || vec![(Kind::Speech, "/data/by".to_owned())];
        assert_eq!(refusals(by(bench, &usual, &fact("f-3", "app:other")).await), speech());

        let role = |who: &str| of_type("g-1", "role.assigned", |data| data["by"] = json!(who));
        let refused = by(bench, &usual, &role("app:n")).await;
        assert_eq!(refusals(refused), [(Kind::Type, "/type".into())]);
        let named = Principal { types: texts(&["role.*"]), ..usual.clone() };
        assert_eq!(refusals(by(bench, &named, &role("user:u-1")).await), speech());
        by(bench, &named, &role("app:n")).await.unwrap();

        // The refusal names the member, the actor, and the command.
        let Err(RecordError::Refused(why)) = by(bench, &named, &role("user:u-1")).await else { panic!() };
        let said = "`daybook token create --data DIR --actor app:n --role producer --types role.assigned --speaks-for user:u-1`";
        assert!(why[0].detail.contains("app:n") && why[0].detail.contains(said), "{}", why[0].detail);
        let Err(RecordError::Refused(why)) = by(bench, &named, &role("user:u-1;rm -r /")).await else {
            panic!()
        };
        assert!(why.iter().all(|why| !why.detail.contains("rm -r")), "{why:?}");
    });
}

#[test]
fn nobody_says_that_the_ledger_acted() {
    run(&Bench::new(), async |bench| {
        let event = of_type("1", "decision.reviewed", |data| data["by"] = json!("ledger"));
        assert_eq!(refusals(bench.record(&event).await), [(Kind::Speech, "/data/by".into())]);
    });
}

#[test]
fn who_posts_for_one_source_corrects_and_counts_no_other() {
    run(&Bench::new(), async |bench| {
        bench.record(&from(event("1"), "/other")).await.unwrap();
        let correction = |id: &str, source: &str, target: &str| {
            of_type(id, "event.corrected", |data| data["target"] = json!({"source": source, "id": target}))
        };
        let narrow = of("/t", Role::Producer);
        let target = || vec![(Kind::Source, "/data/target".to_owned())];
        let there = by(bench, &narrow, &correction("c", "/other", "1")).await.unwrap_err();
        let nowhere = by(bench, &narrow, &correction("c", "/other", "nobody-said-this")).await.unwrap_err();
        assert_eq!(there.to_string(), nowhere.to_string(), "it does not say whether there is one");
        assert_eq!(refusals(Err(there)), target());
        by(bench, &of("/t", Role::Corrector), &correction("c", "/other", "1")).await.unwrap();

        // Nor what somebody else corrected from the source that is its own.
        bench.record(&event("2")).await.unwrap();
        assert_eq!(refusals(by(bench, &narrow, &correction("c-2", "/t", "c")).await), target());
        by(bench, &narrow, &correction("c-3", "/t", "2")).await.unwrap();
        let replaced = of_type("c-4", "event.corrected", |data| {
            data["kind"] = json!("replace");
            data["target"] = json!({"source": "/t", "id": "2"});
            data["replacement"] = json!({"source": "/other", "id": "1"});
        });
        assert_eq!(
            refusals(by(bench, &narrow, &replaced).await),
            [(Kind::Source, "/data/replacement".into())]
        );

        let counted = |id: &str, source: &str| {
            of_type(id, "source.reconciled", |data| {
                data["source"] = json!(source);
                data["from"] = json!("2026-01-01T00:00:00Z");
                data["to"] = json!("2026-02-01T00:00:00Z");
            })
        };
        let refused = by(bench, &narrow, &counted("r-1", "/other")).await;
        assert_eq!(refusals(refused), [(Kind::Source, "/data/source".into())]);
        by(bench, &narrow, &counted("r-1", "/t")).await.unwrap();
        by(bench, &of("/t", Role::Reconciler), &counted("r-2", "/other")).await.unwrap();
    });
}

#[test]
fn an_expected_version_counts_what_the_token_may_post_for() {
    run(&Bench::new(), async |bench| {
        let expecting = |event: &Value, version| Incoming {
            expected_version: Some(version),
            ..Incoming::new(Form::Structured, event.to_string())
        };
        let narrow = Arc::new(of("/t/*", Role::Producer));
        for number in 0..40 {
            let source = if number % 2 == 0 { "/other" } else { "/else" };
            bench.record(&from(event(&format!("o-{number}")), source)).await.unwrap();
        }
        for number in 0..300_u64 {
            let id = format!("n-{number}");
            let source = if number % 3 == 0 { "/t/a" } else { "/t/b" };
            let told = bench.recorder.record(&narrow, expecting(&from(event(&id), source), number)).await;
            told.unwrap_or_else(|error| panic!("{number}: {error}"));
            if number % 50 == 0 {
                bench.record(&from(event(&format!("x-{number}")), "/other")).await.unwrap();
            }
        }
        let refused = bench.recorder.record(&narrow, expecting(&from(event("last"), "/t/a"), 0)).await;
        assert!(matches!(refused, Err(RecordError::WrongVersion { actual: 300 })), "{refused:?}");
        let refused = bench.brings(Role::Producer, expecting(&event("last"), 0)).await;
        assert!(matches!(refused, Err(RecordError::WrongVersion { actual: 346 })), "{refused:?}");
    });
}

#[test]
fn a_correction_that_could_have_no_effect_is_refused() {
    run(&Bench::new(), async |bench| {
        let correction = |id: &str, kind: &str, target: &str, replacement: Option<&str>, rekeyed: bool| {
            let mut event = super::correction(id, target);
            event["data"]["kind"] = json!(kind);
            if let Some(replacement) = replacement {
                event["data"]["replacement"] = json!({"source": "/t", "id": replacement});
            }
            if rekeyed {
                event["data"]["rekeyed"] = json!(true);
            }
            event
        };
        let refused = |name: &str| vec![(Kind::Correction, format!("/data/{name}"))];
        let mut other = event("3");
        other["data"]["approval"] = json!("APR-2");
        let reviewed = of_type("4", "decision.reviewed", |_| {});
        bench.batch(&[event("1"), event("2"), other, reviewed]).await.unwrap();

        // Of another type, or about another row.
        let another_type = correction("c", "replace", "1", Some("4"), false);
        assert_eq!(refusals(bench.record(&another_type).await), refused("replacement"));
        let another_row = correction("c", "replace", "1", Some("3"), false);
        assert_eq!(refusals(bench.record(&another_row).await), refused("replacement"));
        bench.record(&correction("k", "replace", "1", Some("3"), true)).await.unwrap();

        // A correction is annulled and not replaced; its annulment is the last word.
        bench.record(&correction("c-1", "annul", "2", None, false)).await.unwrap();
        let replaced = correction("c-2", "replace", "c-1", Some("k"), false);
        assert_eq!(refusals(bench.record(&replaced).await), refused("kind"));
        bench.record(&correction("c-2", "annul", "c-1", None, false)).await.unwrap();
        let deeper = correction("c-3", "annul", "c-2", None, false);
        assert_eq!(refusals(bench.record(&deeper).await), refused("target"));
        // Also within a request.
        let chain = [
            event("5"),
            super::correction("d-1", "5"),
            super::correction("d-2", "d-1"),
            super::correction("d-3", "d-2"),
        ];
        assert_eq!(refusals(bench.batch(&chain).await), [(Kind::Correction, "/3/data/target".into())]);
        bench.batch(&chain[..3]).await.unwrap();
    });
}

#[test]
fn what_lies_ahead_is_refused_after_identity_and_clock() {
    run(&Bench::new(), async |bench| {
        let at = |id: &str, time: &str| {
            let mut event = event(id);
            event["time"] = json!(time);
            event
        };
        bench.record(&at("1", "2026-06-01T00:05:00Z")).await.unwrap();
        let ahead = at("2", "2026-06-01T00:05:01Z");
        let refused = bench.record(&ahead).await;
        let Err(RecordError::Ahead { refusals, ledger_time }) = refused else { panic!("{refused:?}") };
        assert_eq!(
            (refusals[0].kind, refusals[0].pointer.as_str(), ledger_time),
            (Kind::Ahead, "/time", NOW)
        );
        // In a batch by its place; and nothing of it is recorded.
        let refused = bench.batch(&[event("1b"), at("1", "2026-06-01T00:05:00Z"), ahead.clone()]).await;
        let Err(RecordError::Ahead { refusals, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(refusals[0].pointer, "/2/time");
        assert_eq!(bench.size(), 2);
        // What is there is there, however early it came.
        assert!(bench.record(&at("1", "2026-06-01T00:05:00Z")).await.unwrap()[0].replayed);

        let begins =
            |id: &str, kind: &str, time: &str| of_type(id, kind, |data| data["effective_at"] = json!(time));
        bench.record(&begins("3", "access.revoked", "2036-07-01T00:00:00Z")).await.unwrap_err();
        let mut ended = begins("3", "access.revoked", "2036-05-01T00:00:00Z");
        ended["data"]["enforced_at"] = json!("2026-05-01T00:00:00Z");
        bench.record(&ended).await.unwrap();
    });
}

#[test]
fn what_is_impossible_is_refused_and_what_is_there_from_before_is_told() {
    run(&Bench::new(), async |bench| {
        let hidden = event("a\u{200b}b");
        assert_eq!(refusals(bench.record(&hidden).await), [(Kind::NotACloudEvent, "/id".into())]);
        let ends = of_type("1", "access.granted", |data| data["valid_until"] = json!("2020-01-01T00:00:00Z"));
        assert_eq!(refusals(bench.record(&ends).await), [(Kind::Contradiction, "/data/valid_until".into())]);
        // As a ledger of before has them.
        let text = crate::spec::json::Json::parse(hidden.to_string().as_bytes(), 64).map(|event| {
            let recorded = crate::spec::canonical::to_string(&event);
            crate::log::append::Item {
                draft: crate::spec::entry::Draft::new("app:t", &recorded, ORIGIN),
                identity: crate::log::identity("/t", "a\u{200b}b"),
                fingerprint: crate::log::fingerprint("app:t", &recorded),
                subject: None,
                source: "/t".into(),
                not_before: None,
            }
        });
        let items = vec![text.unwrap()];
        let submission = Submission { items, expected_version: None, looked_up_at: u64::MAX };
        bench.recorder.0.ground.log.append(submission).unwrap().await.unwrap().unwrap();
        assert!(bench.recorder.0.ground.index.as_ref().unwrap().wait_applied(bench.size(), MAX_WAIT));
        assert!(bench.record(&hidden).await.unwrap()[0].replayed);
    });
}
