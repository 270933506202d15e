//! What is shown of withdrawals, revocations, recusals, and conditions that were met.

use super::round::Round;
use super::standing::Shown;
use super::told::{Act, Told};
use serde_json::{Map, Value};

impl<'a> Shown<'a> {
    /// Withdrawals or revocations that were done, or had taken effect, by then.
    pub(super) fn endings(&self, act: Act) -> Vec<Map<String, Value>> {
        let number = |asked: &u64| {
            let place = self.course.rounds.iter().position(|round| round.asked.seq == *asked);
            place.map(|place| place + 1)
        };
        let is_shown =
            |told: &Told| told.act == act && (told.effective_at <= self.at || told.acted_at <= self.at);
        let shown = |told: &Told, by_stranger: bool, ended: Vec<usize>| {
            let mut shown = told.shown();
            let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
            put("effective_at", told.effective_at.to_string().into());
            told.data.get("reason").map(|reason| put("reason", reason.clone()));
            put("by_stranger", by_stranger.into());
            put("ended_nothing", ended.is_empty().into());
            put("ended", ended.into());
            (told.seq, shown)
        };
        let placed = self.course.endings.iter().filter(|ending| is_shown(ending.told)).map(|ending| {
            let ended = ending.ended.iter().filter_map(number).collect();
            shown(ending.told, ending.by_stranger, ended)
        });
        // Told too long before the opening: shown, and does nothing.
        let unplaced = self.course.unplaced.iter().filter(|told| is_shown(told));
        let mut all: Vec<(u64, Map<String, Value>)> =
            placed.chain(unplaced.map(|told| shown(told, false, Vec::new()))).collect();
        all.sort_by_key(|(seq, _)| *seq);
        all.into_iter().map(|(_, shown)| shown).collect()
    }

    pub(super) fn recusals(&self, begun: &[(usize, &Round<'a>)]) -> Vec<Map<String, Value>> {
        let mut shown = Vec::new();
        for (number, round) in begun {
            for recusal in round.recusals.iter().filter(|recusal| recusal.moment <= self.at) {
                let mut members = recusal.told.shown();
                let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
                put("round", (*number).into());
                recusal.told.data.get("reason").map(|reason| put("reason", reason.clone()));
                put("counts", recusal.why_not.is_none().into());
                recusal.why_not.map(|why_not| put("why_not", why_not.word().into()));
                shown.push(members);
            }
        }
        shown
    }

    pub(super) fn unmatched(&self) -> Vec<Map<String, Value>> {
        let unused = self.course.unused.iter().filter(|unused| unused.told.acted_at <= self.at);
        let shown = unused.map(|unused| {
            let mut members = unused.told.shown();
            members.insert("condition".to_owned(), unused.told.text("condition").into());
            members.insert("ambiguous".to_owned(), unused.ambiguous.into());
            members
        });
        shown.collect()
    }
}
