//! What a server, or somebody between it and the verifier, says of an answer: whether it is the ledger's, and when to ask
//! again.

use daybook_spec::time::Rfc3339;
use std::time::{Duration, SystemTime};
use ureq::http::HeaderMap;

/// What somebody has put in the place of the ledger's bytes, which come as they are and are no page. A proxy's page and a
/// proxy's packing say nothing against the ledger.
pub(super) fn altered(headers: &HeaderMap) -> Option<String> {
    let text =
        |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let coding = text("content-encoding").filter(|coding| !matches!(coding.as_str(), "" | "identity"));
    if let Some(coding) = coding {
        return Some(format!(
            "a proxy on the way has packed the answer ({coding:.32}), which was not asked for; go past it"
        ));
    }
    let page = text("content-type")
        .filter(|kind| kind.starts_with("text/html") || kind.starts_with("application/xhtml"));
    page.map(|_| {
        "it answers with a web page, of a proxy or a login, and not with the log; go past it".to_owned()
    })
}

/// What stands where a checkpoint should, if that is plainly something else.
pub(super) fn no_checkpoint(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    let begins = |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins(b"<!doctype") || begins(b"<html") {
        Some("a web page")
    } else if begins(b"{") {
        Some("JSON")
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        Some("something packed")
    } else {
        None
    }
}

/// How long a server asks to be left alone (RFC 9110 §10.2.3): so many seconds, or until a date. None if it does not say.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let said = text("retry-after")?.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = seconds_of_date(said)?;
    // By the server's own clock, where it tells it.
    let now = text("date").and_then(seconds_of_date).or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(now.as_secs()).ok()
    })?;
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn seconds_of_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, clock, "GMT"] = *parts else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let time = Rfc3339::read(&format!("{year}-{month:02}-{day}T{clock}Z"))?.exact()?;
    Some(time.micros().div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (ureq::http::HeaderName::from_static(name), ureq::http::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn when_to_come_back_is_read_in_both_spellings() {
        let after = |pairs: &[(&'static str, &'static str)]| {
            retry_after(&headers(pairs)).map(|after| after.as_secs())
        };
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[("retry-after", "7")]), Some(7));
        assert_eq!(after(&[("retry-after", "-7")]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(after(&[date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30));
        assert_eq!(after(&[date, ("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT")]), Some(0));
        // By this clock, long ago.
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(0));
    }

    #[test]
    fn what_is_not_the_ledger_s_is_told() {
        assert_eq!(altered(&headers(&[("content-type", "text/plain; charset=utf-8")])), None);
        assert_eq!(altered(&headers(&[("content-encoding", "identity")])), None);
        assert!(altered(&headers(&[("content-encoding", "gzip")])).unwrap().contains("packed"));
        assert!(
            altered(&headers(&[("content-type", "Text/HTML; charset=utf-8")])).unwrap().contains("web page")
        );
        for bytes in [&b"  <!DOCTYPE html>"[..], b"<html>", b"{\"error\":1}", b"\x1f\x8b\x08"] {
            assert!(no_checkpoint(bytes).is_some(), "{bytes:?}");
        }
        assert_eq!(no_checkpoint(b"log.example\n5\n"), None);
    }
}
