//! The event that the benchmarks record: one ordinary decision, numbered.

use daybook::spec::canonical::canonicalize;
use daybook::spec::json::MAX_EVENT_DEPTH;

/// Digits of an event's number and of its case, `#` and `$` in the template.
pub const DIGITS: usize = 9;

/// Cases over which posted events are spread: enough that most events of a run meet a case for the first time and some meet
/// it again, as in a bank's day.
pub const CASES: u64 = 1_000_003;
/// A prime, so that it reaches every one of fewer cases.
const CASE_STRIDE: u64 = 2_654_435_761;

/// An ordinary `decision.made`: every required field, nothing that a policy would object to in itself. Members are
/// not in canonical order, because clients' are not. The input commitment differs from event to event (its digits
/// stay within base64), so that no layer compresses the load better than it would a real one.
const TEMPLATE: &str = concat!(
    r##"{"specversion":"1.0","id":"d-#########","source":"/credit","type":"decision.made","##,
    r##""subject":"c-$$$$$$$$$","time":"@TIME@","data":{"decision":"d-#########","case":"c-$$$$$$$$$","##,
    r##""system":"credit-line","model":"credit-line","version":"1.1","##,
    r##""artifact_digest":"sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea","##,
    r##""environment":"production","mode":"assisted","outcome":"approved","adverse":false,"##,
    r##""significant_effect":false,"purpose":"lending","jurisdiction":"DE","legal_basis":"gdpr-6-1-b","##,
    r##""inputs":{"commitment":"Vq3k#########c1dWb$$$$$$$$$2uXo9hT0yJ5fLrE8=","ref":"in/#########"},"##,
    r##""review_required":false,"by":"app:credit-line"}}"##,
);

/// The template with its time filled in and the places of its digits found.
pub struct Event {
    pub text: String,
    number_at: Vec<usize>,
    case_at: Vec<usize>,
    cases: u64,
}

impl Event {
    /// One time for a whole benchmark: every server gets the same bytes.
    pub fn now() -> Self {
        let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self::of(TEMPLATE.replace("@TIME@", &time), CASES)
    }

    /// The same in canonical form, as it is recorded, spread over this many cases.
    pub fn canonical(cases: u64) -> Self {
        let text = canonicalize(Self::now().text.as_bytes(), MAX_EVENT_DEPTH);
        Self::of(text.unwrap_or_else(|error| panic!("the template is no JSON: {error}")), cases)
    }

    fn of(text: String, cases: u64) -> Self {
        let (number_at, case_at) = (places(&text, b'#'), places(&text, b'$'));
        Self { text, number_at, case_at, cases }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Makes the copy of the text that stands at `at` event `number`.
    pub fn number(&self, number: u64, bytes: &mut [u8], at: usize) {
        for (value, places) in [(number, &self.number_at), (case(number, self.cases), &self.case_at)] {
            let digits = digits(value);
            for place in places {
                bytes[at + place..at + place + DIGITS].copy_from_slice(&digits);
            }
        }
    }

    /// Event `number`.
    pub fn numbered(&self, number: u64) -> String {
        let mut bytes = self.text.clone().into_bytes();
        self.number(number, &mut bytes, 0);
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// The case that event `number` is about, one of `cases`.
fn case(number: u64, cases: u64) -> u64 {
    number.wrapping_mul(CASE_STRIDE) % cases
}

/// The subject of event `number`.
pub fn subject(number: u64, cases: u64) -> String {
    format!("c-{:09}", case(number, cases))
}

/// Where runs of `mark` begin.
fn places(text: &str, mark: u8) -> Vec<usize> {
    let run = [mark; DIGITS];
    text.as_bytes()
        .windows(DIGITS)
        .enumerate()
        .filter(|(_, window)| **window == run)
        .map(|(at, _)| at)
        .collect()
}

/// The last nine decimal digits of `value`.
fn digits(mut value: u64) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    digits
}
