//! The program's own log, on standard error.

use crate::app::config::LogFormat;
use crate::web::strangers;
use anyhow::Context as _;
use std::io::IsTerminal as _;
use tracing::Metadata;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter};

/// What is told if `DAYBOOK_LOG` says nothing else.
const DEFAULT: &str = "info,actix=warn";

/// Begins to write. `DAYBOOK_LOG` says what: a level, or levels by part (`info,daybook::access=off,daybook::log=debug`).
///
/// # Errors
/// `DAYBOOK_LOG` cannot be understood.
pub fn begin(format: LogFormat) -> anyhow::Result<()> {
    let wanted = std::env::var("DAYBOOK_LOG").unwrap_or_else(|_| DEFAULT.to_owned());
    let wanted = EnvFilter::try_new(&wanted).with_context(|| format!("DAYBOOK_LOG={wanted}"))?;
    // Standard error may be on the very disk that is full: a line that cannot be written must cost nothing else.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = match format {
        // Colours are for a terminal: in a file they are rubbish.
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    let lines = lines.with_filter(filter::filter_fn(is_ours));
    tracing_subscriber::registry().with(wanted).with(lines).init();
    Ok(())
}

/// The HTTP library calls it an ERROR whenever a stranger sends what is no HTTP. That is counted, and shown in `/metrics`.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let of_strangers = metadata.target().starts_with("actix_http");
    if of_strangers && *metadata.level() == tracing::Level::ERROR {
        strangers::count_malformed();
    }
    !of_strangers
}
