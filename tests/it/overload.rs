//! A bound on requests is a clear answer, not a slow one.

use crate::kit::{Ledger, event};

#[test]
fn a_caller_over_its_rate_is_told_when_to_come_back() {
    let ledger = Ledger::with_config("[limits]\nrequests_per_second = 5\n");
    let answers: Vec<_> = (0..30).map(|_| ledger.post(&event())).collect();
    let recorded = answers.iter().filter(|answer| answer.status == 201).count();
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(recorded >= 5 && !limited.is_empty(), "{recorded} recorded");
    assert_eq!(limited[0].problem(), "rate-limited");
    assert_eq!(limited[0].header("retry-after"), Some("1"));
    assert_eq!(ledger.get("/v1/events/0", "auditor").status, 200, "another caller is not held up");
    assert_eq!(ledger.size(), 1 + recorded as u64);
}
