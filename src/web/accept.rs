//! What a client would rather have (RFC 9110 §12.5): `Accept` and `Accept-Encoding`, with their weights, in any case.

use actix_web::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName};

/// A weight of 1, in thousandths.
const WHOLE: u16 = 1_000;

/// Of the media types that are offered, the one that the client likes best: the first of them where it likes several
/// alike, says nothing, or likes none (what is not acceptable may be sent all the same, and says more than a refusal).
#[must_use]
pub fn media_type(headers: &HeaderMap, offered: &[&'static str]) -> &'static str {
    let asked = asked(headers, &ACCEPT);
    let mut best = ("", 0);
    for offer in offered {
        let weight = if asked.is_empty() { WHOLE } else { weight_of_type(&asked, offer) };
        if weight > best.1 {
            best = (offer, weight);
        }
    }
    if best.1 > 0 { best.0 } else { offered.first().copied().unwrap_or_default() }
}

/// Whether the client would rather have it in gzip than as it is.
#[must_use]
pub fn likes_gzip(headers: &HeaderMap) -> bool {
    let asked = asked(headers, &ACCEPT_ENCODING);
    let said = |names: &[&str]| {
        asked.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, weight)| *weight)
    };
    let gzip = said(&["gzip", "x-gzip"]).or_else(|| said(&["*"])).unwrap_or(0);
    // What is not named is acceptable, and liked less than what is.
    let as_it_is = said(&["identity"]).or_else(|| said(&["*"]).filter(|weight| *weight == 0)).unwrap_or(1);
    gzip > 0 && gzip >= as_it_is
}

/// The weight of the range that fits most closely.
fn weight_of_type(asked: &[(String, u16)], offer: &str) -> u16 {
    let family = offer.split('/').next().unwrap_or_default();
    let ranges = [offer.to_owned(), format!("{family}/*"), "*/*".to_owned()];
    let weight = |range: &String| asked.iter().find(|(name, _)| name == range).map(|(_, weight)| *weight);
    ranges.iter().find_map(weight).unwrap_or(0)
}

/// What a header lists: each name in lower case, without its parameters, and how much it is liked, in thousandths. What
/// has a weight that is none is passed over.
fn asked(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, u16)> {
    let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(item).collect()
}

fn item(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut weight = WHOLE;
    for part in parts {
        if let Some((parameter, value)) = part.split_once('=')
            && parameter.trim().eq_ignore_ascii_case("q")
        {
            weight = weight_of(value.trim())?;
        }
    }
    Some((name, weight))
}

/// A weight from 0 to 1, with up to three digits after its point.
fn weight_of(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" => Some(WHOLE).filter(|_| thousandths == 0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        let request =
            lines.iter().fold(TestRequest::default(), |request, line| request.append_header((name, *line)));
        request.to_http_request().headers().clone()
    }

    #[test]
    fn the_type_that_is_liked_best_is_taken() {
        const OFFERED: &[&str] = &["text/plain", "application/json"];
        for (lines, expected) in [
            (&[][..], "text/plain"),
            (&["application/json"], "application/json"),
            (&["Application/JSON"], "application/json"),
            (&["application/json;q=0"], "text/plain"),
            (&["text/plain;q=0.5, application/json;q=0.9"], "application/json"),
            (&["text/plain;q=0.9, application/json;Q=0.5"], "text/plain"),
            (&["text/plain;q=0.1", "application/json"], "application/json"),
            (&["*/*"], "text/plain"),
            (&["application/*"], "application/json"),
            (&["*/*;q=0.1, application/*;q=0.2"], "application/json"),
            (&["text/*, application/json;q=0.9"], "text/plain"),
            (&["text/plain;q=0, */*"], "application/json"),
            (&["application/json; charset=utf-8; q=1.0"], "application/json"),
            // Not acceptable, or not said rightly: the first.
            (&["image/png"], "text/plain"),
            (&["application/json;q=2"], "text/plain"),
            (&["application/json;q=0.1234"], "text/plain"),
            (&["x application/json"], "text/plain"),
        ] {
            assert_eq!(media_type(&headers("accept", lines), OFFERED), expected, "{lines:?}");
        }
    }

    #[test]
    fn gzip_is_taken_where_it_is_asked_for_and_liked_no_less() {
        for (lines, expected) in [
            (&[][..], false),
            (&["gzip"], true),
            (&["GZip"], true),
            (&["x-gzip"], true),
            (&["deflate, gzip;q=0.5, br"], true),
            (&["gzip;q=0"], false),
            (&["gzip;q=0.000, *"], false),
            (&["identity, gzip;q=0.9"], false),
            (&["identity;q=0.5", "gzip;q=0.9"], true),
            (&["*"], true),
            (&["*;q=0"], false),
            (&["br"], false),
            (&["identity"], false),
        ] {
            assert_eq!(likes_gzip(&headers("accept-encoding", lines)), expected, "{lines:?}");
        }
    }
}
