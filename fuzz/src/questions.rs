//! Questions to the views: the query string of a list of rows.

use daybook::answers::parameters::Parameters;
use daybook::spec::time::Timestamp;
use daybook::views::access::Grants;
use daybook::views::approvals::Approvals;
use daybook::views::engine::{OF_ALL, View, When};
use daybook::web::parameters::read;

/// Whatever is asked, it is refused, or comes to a question within bounds about fields that the view knows.
pub fn check(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let Ok(pairs) = read(query) else { return };
    let Ok(parameters) = Parameters::of(pairs) else { return };
    let Some(at) = Timestamp::from_micros(1_800_000_000_000_000) else { return };
    let when = When { known: 1_000, at };
    for view in [&Approvals as &dyn View, &Grants] {
        let Ok((ask, identity)) = parameters.read(view, when) else { continue };
        assert!((1..=500).contains(&ask.limit));
        assert_eq!(ask.when, when);
        assert!(identity.starts_with(view.name()));
        for (field, values) in &ask.filters {
            assert!(!values.is_empty() && values.iter().all(|value| !value.is_empty()));
            let known = view.fields().contains(&field.as_str());
            assert!(known || OF_ALL.contains(&field.as_str()), "{field}");
        }
    }
}
