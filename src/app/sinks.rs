//! Where new checkpoints go, if they may.

use crate::app::config::Config;
use crate::app::remembered;
use crate::log::Opened;
use crate::log::publish::{self, Sink};
use std::path::Path;

/// Where new checkpoints go.
pub(super) fn sinks(data_dir: &Path, config: &Config, opened: &Opened) -> Vec<Sink> {
    let sinks = remembered::sinks(data_dir, config);
    // A copy that nobody adopted has nothing new to tell, and must not make its old checkpoint look like the newest; to whom
    // an adopted one tells it is for an operator to say.
    if opened.read_only.is_some() || sinks.is_empty() {
        return Vec::new();
    }
    if opened.keeps_quiet() {
        tracing::warn!(
            "this ledger was adopted, and publishes nothing into the sinks of its settings, which may be the original's, \
             until it is started once with --publish"
        );
        return Vec::new();
    }
    sinks
}

/// Asks those sinks that can answer whether they know more than the log.
pub(super) fn ask(opened: &mut Opened, sinks: &[Sink]) {
    let Some(newest) = opened.store.checkpoint() else { return };
    for sink in sinks {
        if let Sink::Url(url) = sink
            && publish::is_ahead(url, &newest.note)
        {
            opened.forbid(format!(
                "{url} holds a newer checkpoint than the log has entries for, or another one: the log was put back, or is \
                 not the one that publishes there"
            ));
        }
    }
}
