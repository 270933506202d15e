//! Addresses: where the API shows what an answer names.

use crate::answers::moment::AskedMoment;
use crate::answers::row::{CORE, RowRef, RowsRef};
use crate::intake::RESERVED_IDS;

/// Where an entry is.
pub fn entry(seq: u64) -> String {
    format!("/v1/events/{seq}")
}

/// Where an entry's receipt is.
pub fn receipt(seq: u64) -> String {
    format!("/v1/events/{seq}/receipt")
}

/// The address of a view's rows.
pub fn rows(view: &str) -> String {
    match view {
        "access-requests" => "/v1/access/requests".to_owned(),
        "access-uses" => "/v1/access/uses".to_owned(),
        core if CORE.contains(&core) => format!("/v1/{core}"),
        register => format!("/v1/registers/{register}"),
    }
}

/// Where a row is. One of an older ledger whose id is a word of the API is found among all rows; of an id that several
/// sources use, each source's row has its own address.
pub fn row(of: &RowRef) -> String {
    row_then(of, &AskedMoment::default())
}

/// Where it stands what made a row what it is.
pub fn history(of: &RowRef) -> String {
    let history = format!("{}/{}/history", rows(&of.view), escaped(&of.id));
    then(&history, &of_its_source(of), &AskedMoment::default())
}

fn of_its_source(of: &RowRef) -> Vec<(String, Vec<String>)> {
    of.source.iter().map(|source| ("source".to_owned(), vec![source.clone()])).collect()
}

/// Where everything is that speaks of an id.
pub fn timeline(id: &str) -> String {
    format!("/v1/subjects/{}/timeline", escaped(id))
}

/// Where a row is as of the same moment.
pub fn row_then(of: &RowRef, moment: &AskedMoment) -> String {
    let mut filters = of_its_source(of);
    if RESERVED_IDS.contains(&of.id.as_str()) {
        filters.push(("id".to_owned(), vec![of.id.clone()]));
        return then(&rows(&of.view), &filters, moment);
    }
    then(&format!("{}/{}", rows(&of.view), escaped(&of.id)), &filters, moment)
}

/// Where the rows that fit are as of the same moment.
pub fn rows_then(of: &RowsRef, moment: &AskedMoment) -> String {
    then(&rows(&of.view), &of.filters, moment)
}

/// The address of something that is asked as of the same moment, with filters.
pub fn then(address: &str, filters: &[(String, Vec<String>)], moment: &AskedMoment) -> String {
    let mut pairs: Vec<(&str, String)> =
        filters.iter().map(|(name, values)| (name.as_str(), values.join(","))).collect();
    pairs.extend(moment.as_of.iter().map(|text| ("as_of", text.clone())));
    pairs.extend(moment.at.iter().map(|text| ("at", text.clone())));
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={}", escaped(&value))).collect();
    if pairs.is_empty() { address.to_owned() } else { format!("{address}?{}", pairs.join("&")) }
}

/// An id as a part of a path or of a query.
pub fn escaped(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_whose_id_is_a_word_of_the_api_is_found_among_all() {
        let address = |view: &str, id: &str| row(&RowRef { view: view.into(), id: id.into(), source: None });
        assert_eq!(address("access", "counts"), "/v1/access?id=counts");
        assert_eq!(address("models", ".."), "/v1/registers/models?id=..");
        assert_eq!(address("access", "count/s"), "/v1/access/count%2Fs");
    }
}
