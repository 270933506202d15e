//! What the built-in catalogue has to hold. The lists are written by hand from the programme, not taken from the files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::field::field;
use super::tests::embedded;
use super::*;

/// Every type of event that the programme names, by family.
const TYPES: &str = "
system.registered unit.registered objective.defined initiative.registered obligation.published
role.assigned role.unassigned source.reconciled event.corrected
approval.requested approval.granted approval.rejected approval.withdrawn approval.revoked approval.recused
approval.condition_met delegation.granted delegation.revoked
access.requested access.rejected access.granted access.revoked access.reviewed access.used
decision.made decision.reviewed decision.contested decision.contest_resolved decision.explained decision.notified
fairness.tallied
escalation.path_defined escalation.opened escalation.acknowledged escalation.raised escalation.reassigned
escalation.resolved escalation.closed escalation.reopened
finding.waived finding.remediated finding.false_positive finding.reopened
act.confirmed import.opened import.closed source.agreed principal.same_as control.assigned control.waived
campaign.opened campaign.reviewed campaign.reassigned campaign.attested
escalation.action_done escalation.paused escalation.resumed escalation.lowered access.reduced
kpi.defined kpi.measured integration.chosen committee.constituted usecase.proposed usecase.ranked agreement.signed
roadmap.revised plan.cycle_opened assessment.completed
dataset.registered dataset.derived model.trained architecture.chosen quality.agreed quality.measured retention.set
schema.published schema.violated term.defined term.mapped
framework.chosen model.tested model.versioned model.deployed model.rolled_back rollback.tested serving.chosen
artifact.built monitor.attached model.handed_over model.handover_accepted
bias.tested explanation.designed threshold.set feature.restricted proxy.tested document.filed legal.signed_off
residency.decided dataset.hosted capacity.changed model.registered model.archived health.reported environment.applied
capacity.planned
role.redesigned training.required training.completed champion.named feedback.given feedback.resolved service.agreed
service.measured concern.raised concern.answered adoption.measured
performance.measured retraining.triggered drift.measured experiment.concluded incident.opened incident.classified
incident.reported incident.analysed incident.closed review.completed model.deprecated
cost.estimated cost.booked gate.opened gate.passed gate.failed delay.costed risk.registered risk.assessed risk.treated
risk.closed risk.transferred retraining.evaluated contract.signed contract.ended
program.started component.published component.reused technology.reviewed partnership.signed partnership.ended
system.decommissioned erasure.completed knowledge.transferred roadmap.aligned
";

/// The controls of the programme: id, title, and the evidence that it names, where `a.*` is a whole family.
const CONTROLS: [(&str, &str, &str); 63] = [
    ("SA-1", "KPIs tied to strategic objectives", "kpi.defined kpi.measured"),
    ("SA-2", "Strategy-led or capability-led integration, chosen on maturity", "integration.chosen"),
    (
        "SA-3",
        "A cross-functional committee ranks use cases",
        "committee.constituted usecase.proposed usecase.ranked",
    ),
    ("SA-4", "Data access agreed across business units", "agreement.signed access.granted"),
    ("SA-5", "Short-term gain weighed against long-term change", "roadmap.revised"),
    ("SA-6", "Capability assessed in the yearly plan", "plan.cycle_opened assessment.completed"),
    ("SA-7", "Rationale of project approvals, traceable to strategy", "approval.*"),
    ("DG-1", "Role-based access to training data", "access.*"),
    ("DG-2", "Lineage of data through pipelines", "dataset.registered dataset.derived model.trained"),
    ("DG-3", "Central or federated data, by law and latency", "architecture.chosen"),
    ("DG-4", "Data quality agreed with business units", "quality.agreed quality.measured"),
    ("DG-5", "Ownership and retention of synthetic data", "dataset.registered retention.set"),
    ("DG-6", "Schemas enforced where data enters", "schema.published schema.violated"),
    ("DG-7", "One business vocabulary", "term.defined term.mapped"),
    ("MD-1", "Framework chosen to fit the tooling", "framework.chosen"),
    ("MD-2", "Tested, automated retraining", "model.trained model.tested"),
    ("MD-3", "Versions and rollback", "model.versioned model.deployed model.rolled_back rollback.tested"),
    ("MD-4", "Batch or real-time inference", "serving.chosen"),
    ("MD-5", "The same container everywhere", "artifact.built model.deployed"),
    ("MD-6", "Monitoring built in", "monitor.attached"),
    ("MD-7", "Handover from science to engineering", "model.handed_over model.handover_accepted"),
    ("ER-1", "Impact assessment of high-risk uses", "assessment.completed"),
    ("ER-2", "Bias tests", "bias.tested fairness.tallied"),
    ("ER-3", "Explanations for both audiences", "explanation.designed decision.explained"),
    ("ER-4", "Audit trail of model decisions", "decision.*"),
    ("ER-5", "Escalation above risk thresholds", "threshold.set escalation.path_defined escalation.*"),
    (
        "ER-6",
        "Sensitive attributes and proxies restricted",
        "feature.restricted proxy.tested model.versioned",
    ),
    ("ER-7", "Documents of compliance per regime", "document.filed legal.signed_off"),
    ("IN-1", "Cloud or own site, by residency law", "residency.decided dataset.hosted"),
    ("IN-2", "Elastic accelerators, cost and latency", "capacity.changed"),
    ("IN-3", "Model registry", "model.registered model.versioned model.archived access.granted access.used"),
    ("IN-4", "Health dashboards", "health.reported"),
    ("IN-5", "Environments from templates", "environment.applied"),
    ("IN-6", "Inputs, outputs and metadata for forensics", "decision.made source.reconciled"),
    ("IN-7", "Retraining planned around production", "capacity.planned"),
    ("CM-1", "Roles redesigned", "role.redesigned"),
    ("CM-2", "Training of staff", "training.required training.completed"),
    ("CM-3", "Champions named", "champion.named"),
    ("CM-4", "Feedback reaches the teams", "feedback.given feedback.resolved"),
    ("CM-5", "Service levels between teams", "service.agreed service.measured"),
    ("CM-6", "Workforce concerns answered", "concern.raised concern.answered"),
    ("CM-7", "Adoption measured", "adoption.measured"),
    ("PM-1", "Thresholds that trigger action", "threshold.set performance.measured retraining.triggered"),
    ("PM-2", "Drift tested over windows", "drift.measured"),
    ("PM-3", "Controlled experiments before rollout", "experiment.concluded model.deployed"),
    ("PM-4", "Efficiency before and after", "kpi.measured"),
    (
        "PM-5",
        "Root causes of failures",
        "incident.opened incident.classified incident.reported incident.analysed incident.closed",
    ),
    ("PM-6", "Quarterly model risk reviews", "review.completed"),
    ("PM-7", "Deprecated models archived under retention", "model.deprecated model.archived"),
    ("FR-1", "Total cost of ownership", "cost.estimated cost.booked"),
    ("FR-2", "Stage-gate funding", "gate.opened gate.passed gate.failed"),
    ("FR-3", "Cost of delay", "delay.costed"),
    ("FR-4", "Risk register", "risk.registered risk.assessed risk.treated risk.closed"),
    ("FR-5", "Insurance and transfer", "risk.transferred"),
    ("FR-6", "Retraining judged by benefit", "retraining.evaluated"),
    ("FR-7", "Vendor contracts", "contract.signed contract.ended"),
    ("CB-1", "Talent pipelines", "program.started training.completed"),
    ("CB-2", "Shared components", "component.published component.reused"),
    ("CB-3", "Technology refresh", "technology.reviewed"),
    ("CB-4", "Maturity in governance reviews", "assessment.completed"),
    ("CB-5", "Partnerships", "partnership.signed partnership.ended"),
    (
        "CB-6",
        "Decommissioning with erasure and handover",
        "system.decommissioned erasure.completed knowledge.transferred",
    ),
    ("CB-7", "Roadmap and transformation timeline", "roadmap.aligned"),
];

/// The domain of each control's first two letters.
const DOMAINS: [(&str, &str); 9] = [
    ("SA", "strategy"),
    ("DG", "data"),
    ("MD", "model"),
    ("ER", "ethics"),
    ("IN", "infrastructure"),
    ("CM", "change"),
    ("PM", "performance"),
    ("FR", "finance"),
    ("CB", "capability"),
];

#[test]
fn every_type_of_the_programme_is_there() {
    let catalog = embedded();
    let mut named = BTreeSet::new();
    for name in TYPES.split_whitespace() {
        assert!(named.insert(name), "{name} is in the list twice");
        assert!(catalog.get(name).is_some(), "{name}");
    }
    // More than the programme names: approvals refer to pillars, so somebody has to be able to define them; the catalogue
    // changes by an event; and groups in clear need a type that concerns nobody.
    let beyond: Vec<&str> =
        catalog.types().map(|known| known.name.as_str()).filter(|name| !named.contains(name)).collect();
    assert_eq!(beyond, ["catalog.published", "fairness.observed", "pillar.defined"]);
}

/// They are compiled when they are first used, so that a broken one would be found no sooner.
#[test]
fn every_type_of_the_program_compiles_and_takes_its_example() {
    for ty in embedded().types() {
        assert_eq!(ty.check(&ty.example, 16), [], "{}", ty.name);
        let nothing = serde_json::json!({});
        assert!(!ty.check(&nothing, 16).is_empty(), "{} takes what says nothing", ty.name);
    }
}

#[test]
fn the_sixty_three_controls_are_there_with_their_evidence() {
    let catalog = embedded();
    let ids: BTreeSet<&str> = catalog.controls().map(|control| control.id.as_str()).collect();
    assert_eq!(ids, CONTROLS.iter().map(|(id, _, _)| *id).collect());
    let domains: BTreeMap<&str, &str> = DOMAINS.into_iter().collect();
    for (id, title, evidence) in CONTROLS {
        let control = catalog.control(id).unwrap();
        assert_eq!(control.title, title, "{id}");
        assert_eq!(control.domain, domains[&id[..2]], "{id}");
        let mut expected = BTreeSet::new();
        for name in evidence.split_whitespace() {
            match name.strip_suffix('*') {
                Some(family) => {
                    let names = catalog.types().map(|known| known.name.clone());
                    expected.extend(names.filter(|name| name.starts_with(family)));
                }
                None => drop(expected.insert(name.to_owned())),
            }
        }
        let found: BTreeSet<String> =
            control.evidence.iter().map(|evidence| evidence.event_type.clone()).collect();
        assert_eq!(found, expected, "{id}");
        assert!(control.violation.ends_with('.') && control.question.ends_with('?'), "{id}");
    }
}

#[test]
fn qualified_evidence_is_qualified() {
    let catalog = embedded();
    for (id, event_type, field, value) in [
        ("SA-6", "assessment.completed", "kind", Value::from("capability")),
        ("ER-1", "assessment.completed", "kind", Value::from("impact")),
        ("CB-4", "assessment.completed", "kind", Value::from("maturity")),
        ("DG-5", "dataset.registered", "synthetic", Value::from(true)),
        ("IN-3", "access.granted", "resource.kind", Value::from("registry")),
        ("IN-3", "access.used", "resource.kind", Value::from("registry")),
    ] {
        let evidence = &catalog.control(id).unwrap().evidence;
        let found = evidence.iter().find(|evidence| evidence.event_type == event_type).unwrap();
        assert_eq!(found.filter.fields.get(field), Some(&vec![value]), "{id}");
    }
}

#[test]
fn every_family_beside_the_core_has_a_register() {
    let catalog = embedded();
    let core = [
        "approval.",
        "delegation.",
        "access.",
        "decision.",
        "fairness.",
        "escalation.",
        "finding.",
        "event.",
        "catalog.",
        // Of the record itself: folds of the program's own read them.
        "act.",
        "import.",
        "campaign.",
        "control.",
        "principal.",
        "source.agreed",
    ];
    let folded: BTreeSet<&str> =
        catalog.registers().flat_map(|register| register.events.keys().map(String::as_str)).collect();
    let mut missing: Vec<&str> = catalog.types().map(|known| known.name.as_str()).collect();
    missing.retain(|name| !folded.contains(name) && !core.iter().any(|family| name.starts_with(family)));
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn links_lead_somewhere() {
    let catalog = embedded();
    let mut families: BTreeSet<&str> = catalog.types().map(|known| known.entity.family.as_str()).collect();
    families.extend(catalog.registers().map(|register| register.family.as_str()));
    families.extend(CORE_VIEWS.iter().map(|view| view.family));
    // Known by their ids alone: they live in other systems, or in fields of events of other families.
    families.extend([
        "case",
        "role",
        "booking",
        "pipeline",
        "registry",
        "review",
        "erasure",
        "transfer",
        "alignment",
    ]);
    for known in catalog.types() {
        for link in &known.links {
            if let LinkTarget::Family(family) = &link.to {
                assert!(
                    families.contains(family.as_str()),
                    "{}: {} leads to {family}",
                    known.name,
                    link.field
                );
            }
        }
    }
}

#[test]
fn every_example_finds_its_row_and_its_state() {
    let catalog = embedded();
    for register in catalog.registers() {
        for event_type in register.events.keys() {
            let example = &catalog.get(event_type).unwrap().example;
            // An example may leave out the optional part of a key; that of a type which opens rows may not.
            let row = register.row_of(event_type, example);
            let opens = register.events[event_type].opens.is_some();
            assert!(row.is_some() || !opens, "{}: {event_type}", register.name);
            let state = register.next_state(event_type, example, None);
            assert!(
                state == UNOPENED || register.states.contains(&state),
                "{}: {event_type}: {state}",
                register.name
            );
            assert!(state != UNOPENED || !opens, "{}: {event_type}", register.name);
        }
    }
}

#[test]
fn the_core_views_are_opened_by_types_that_exist() {
    let catalog = embedded();
    for view in CORE_VIEWS {
        assert_eq!(catalog.get(view.opened_by).unwrap().entity.family, view.family);
    }
}

#[test]
fn personal_members_are_sealed_whole_and_never_required() {
    let catalog = embedded();
    let taking: Vec<&EventType> = catalog.types().filter(|known| known.takes_personal_data()).collect();
    let names: Vec<&str> = taking.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "concern.answered",
            "concern.raised",
            "decision.contested",
            "decision.explained",
            "decision.made",
            "decision.reviewed",
            "feedback.given",
            "incident.analysed",
            "incident.opened",
        ]
    );
    for known in taking {
        let personal = field(&known.schema, "personal").unwrap();
        assert_eq!(personal.schema["type"], "object", "{}", known.name);
        assert!(!personal.always, "{}", known.name);
    }
}

/// What a later opening with the same id means, where the rules name the type; every other opening renews.
const REPEATS: [(Repeat, &str); 3] = [
    (
        Repeat::Once,
        "decision.made decision.contested decision.reviewed access.requested incident.opened campaign.opened import.opened",
    ),
    (
        Repeat::Beside,
        "role.assigned access.granted delegation.granted model.deployed control.waived principal.same_as",
    ),
    (Repeat::Rounds, "approval.requested escalation.opened gate.opened risk.registered"),
];

#[test]
fn each_opening_says_how_it_repeats() {
    let catalog = embedded();
    let openers: BTreeSet<&str> = catalog
        .registers()
        .flat_map(|register| register.events.iter().filter(|(_, reaction)| reaction.opens.is_some()))
        .map(|(name, _)| name.as_str())
        .collect();
    for known in catalog.types() {
        let name = known.name.as_str();
        let said = REPEATS.iter().find(|(_, names)| names.split_whitespace().any(|other| other == name));
        match said {
            Some((repeat, _)) => assert_eq!(known.words.repeat, *repeat, "{name}"),
            None => assert!(matches!(known.words.repeat, Repeat::Renews | Repeat::None), "{name}"),
        }
        let measures =
            [".registered", ".defined", ".measured", ".reported"].iter().any(|end| name.ends_with(end));
        if openers.contains(name) || (measures && said.is_none()) {
            assert_ne!(known.words.repeat, Repeat::None, "{name} opens a row");
        }
    }
}

/// Facts and requests are a closed list; everything else is for tokens that name it.
#[test]
fn what_governs_is_for_tokens_that_name_it() {
    let catalog = embedded();
    let by = |name: &str| catalog.get(name).unwrap_or_else(|| panic!("{name}")).words.posted_by;
    for fact in
        "decision.made decision.reviewed access.requested access.rejected access.used approval.requested
        escalation.opened escalation.resolved kpi.measured feedback.given incident.opened model.deployed"
            .split_whitespace()
    {
        assert_eq!(by(fact), PostedBy::Facts, "{fact}");
    }
    let governing =
        ["role.", "delegation.", "control.", "finding.", "import.", "campaign.", "catalog.", "threshold."];
    for known in catalog.types() {
        let name = known.name.as_str();
        let votes = name.starts_with("approval.") && name != "approval.requested";
        let closes = [
            ".closed",
            ".waived",
            ".corrected",
            ".reconciled",
            ".agreed",
            ".same_as",
            ".granted",
            ".revoked",
        ]
        .iter()
        .any(|end| name.ends_with(end));
        if votes || closes || governing.iter().any(|begin| name.starts_with(begin)) {
            assert_eq!(known.words.posted_by, PostedBy::Governance, "{name}");
        }
    }
}

#[test]
fn what_takes_two_says_so() {
    let catalog = embedded();
    let two: Vec<&str> = catalog
        .types()
        .filter(|known| known.words.acts == Acts::Two)
        .map(|known| known.name.as_str())
        .collect();
    assert_eq!(two, ["import.opened", "principal.same_as"]);
    // Whoever may post anything may not propose, and nobody is in effect alone.
    assert!(
        catalog
            .types()
            .all(|known| known.words.acts == Acts::One || known.words.posted_by == PostedBy::Governance)
    );
}

#[test]
fn what_ends_or_gives_a_right_may_begin_later_and_what_happened_may_not() {
    for known in embedded().types() {
        let name = known.name.as_str();
        let ends = [".revoked", ".unassigned", ".ended", ".granted", ".assigned"]
            .iter()
            .any(|end| name.ends_with(end));
        if ends && name != "approval.granted" {
            assert!(known.words.may_begin_later, "{name}");
        }
        for path in &known.words.happened {
            assert!(known.due_at.as_ref() != Some(path) && !path.starts_with("valid_"), "{name}: {path}");
            assert!(!known.words.may_begin_later || known.effective_at != *path, "{name}: {path}");
        }
        for path in
            ["delivered_at", "completed_at", "communicated_at", "enforced_at", "received_at", "aware_at"]
        {
            let there = known.schema.pointer(&format!("/properties/{path}")).is_some();
            assert!(!there || known.words.happened.iter().any(|other| other == path), "{name}: {path}");
        }
    }
}

#[test]
fn a_type_of_the_programs_own_that_leaves_a_word_out_does_not_load() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/catalog");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    let refused = |word: &str| {
        let files = texts.iter().map(|(name, text)| {
            let cut = if name == "access.yaml" { text.replacen(word, "", 1) } else { text.clone() };
            super::source::parse(name.clone(), &cut).unwrap()
        });
        Catalog::of_program(files.collect()).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(
        refused("    repeat: once\n").contains("`repeat` has to be said"),
        "{}",
        refused("    repeat: once\n")
    );
    assert!(refused("    posted_by: facts\n").contains("`posted_by` has to be said"));
    assert_eq!(refused("nothing of it"), "");
}
