//! A person fills one place, and a right fills one place: the matching of voters and rights.

use std::collections::BTreeMap;

/// A voter whose vote stands, and whose rights it may use, in the order in which it would like them.
#[derive(Clone, Debug)]
pub(super) struct Voter<'a> {
    pub(super) name: &'a str,
    pub(super) rights: &'a [String],
}

impl Voter<'_> {
    fn has_own(&self) -> bool {
        self.rights.iter().any(|right| right == self.name)
    }
}

/// Which voter fills a place, with whose right. The voters come in the order of their votes, each person once.
///
/// As many places are filled as can be. Where that can be done in several ways, a delegator's own vote comes before a
/// delegate's, and of delegates the last comes first; and nobody uses another's right without need.
pub(super) fn filled<'a>(voters: &[Voter<'a>]) -> BTreeMap<&'a str, &'a str> {
    let own = voters.iter().filter(|voter| voter.has_own());
    let lent = voters.iter().rev().filter(|voter| !voter.has_own());
    // Whoever comes first keeps a place once it has one; those after it only make it move to another right.
    let mut matching = Matching::default();
    for voter in own.chain(lent) {
        matching.seat(voter);
    }
    // Each takes the first of its rights with which all can stay.
    let seated = matching.seated;
    let mut fixed: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, voter) in seated.iter().enumerate() {
        let is_free = |right: &&&String| !fixed.values().any(|taken| *taken == right.as_str());
        let right = voter.rights.iter().filter(|right| is_free(&right)).find(|right| {
            let mut rest = Matching {
                taken: fixed.values().map(|taken| (*taken, None)).collect(),
                ..Matching::default()
            };
            rest.taken.insert(right.as_str(), None);
            seated.iter().skip(place + 1).all(|later| rest.seat(later))
        });
        if let Some(right) = right {
            fixed.insert(voter.name, right);
        }
    }
    fixed
}

/// Who sits with whose right: the textbook's augmenting paths.
#[derive(Default)]
struct Matching<'a> {
    seated: Vec<Voter<'a>>,
    /// By right: the place in `seated` of who has it, or nobody who could give it away.
    taken: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Matching<'a> {
    /// Seats one more, if all who sit can stay.
    fn seat(&mut self, voter: &Voter<'a>) -> bool {
        self.seated.push(voter.clone());
        let found = self.find(self.seated.len() - 1, &mut Vec::new());
        if !found {
            self.seated.pop();
        }
        found
    }

    fn find(&mut self, voter: usize, tried: &mut Vec<&'a str>) -> bool {
        let rights = self.seated.get(voter).map(|voter| voter.rights).unwrap_or_default();
        for right in rights {
            if tried.contains(&right.as_str()) {
                continue;
            }
            tried.push(right);
            let free = match self.taken.get(right.as_str()).copied() {
                None => true,
                Some(None) => false,
                Some(Some(holder)) => self.find(holder, tried),
            };
            if free {
                self.taken.insert(right, Some(voter));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matched(voters: &[(&str, &[&str])]) -> Vec<(String, String)> {
        let rights: Vec<Vec<String>> = voters
            .iter()
            .map(|(_, rights)| rights.iter().map(|right| (*right).to_owned()).collect())
            .collect();
        let voters: Vec<Voter<'_>> =
            voters.iter().zip(&rights).map(|((name, _), rights)| Voter { name, rights }).collect();
        filled(&voters).into_iter().map(|(name, right)| (name.to_owned(), right.to_owned())).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, right)| ((*name).to_owned(), (*right).to_owned())).collect()
    }

    #[test]
    fn the_most_places_are_filled() {
        let anna_has_two = [("bert", &["dora"][..]), ("anna", &["dora", "emil"][..])];
        assert_eq!(matched(&anna_has_two), pairs(&[("anna", "emil"), ("bert", "dora")]));
        let dora_has_two = [("dora", &["dora", "emil"][..]), ("bert", &["dora"][..])];
        assert_eq!(matched(&dora_has_two), pairs(&[("bert", "dora"), ("dora", "emil")]));
    }

    #[test]
    fn one_right_fills_one_place_and_its_owner_comes_first() {
        assert_eq!(matched(&[("anna", &["dora"]), ("bert", &["dora"])]), pairs(&[("bert", "dora")]));
        assert_eq!(matched(&[("bert", &["dora"]), ("dora", &["dora"])]), pairs(&[("dora", "dora")]));
        assert_eq!(matched(&[("anna", &[]), ("bert", &["bert"])]), pairs(&[("bert", "bert")]));
    }

    #[test]
    fn nobody_uses_another_right_without_need() {
        let voters = [("dora", &["dora", "emil"][..]), ("bert", &["dora", "frida"][..])];
        assert_eq!(matched(&voters), pairs(&[("bert", "frida"), ("dora", "dora")]));
    }

    /// The most places there can be, by trying everything.
    fn most(voters: &[Vec<u8>], taken: u32) -> usize {
        let Some((first, rest)) = voters.split_first() else { return 0 };
        let with = first.iter().filter(|right| taken & (1 << **right) == 0);
        let with = with.map(|right| 1 + most(rest, taken | (1 << right))).max().unwrap_or(0);
        with.max(most(rest, taken))
    }

    proptest! {
        #[test]
        fn no_other_matching_fills_more(voters in prop::collection::vec(prop::collection::vec(0..6_u8, 0..4), 0..6)) {
            let names: Vec<String> = (0..voters.len()).map(|voter| format!("v{voter}")).collect();
            let rights: Vec<Vec<String>> = voters
                .iter()
                .map(|rights| rights.iter().map(|right| format!("v{right}")).collect())
                .collect();
            let asked: Vec<Voter<'_>> =
                names.iter().zip(&rights).map(|(name, rights)| Voter { name, rights }).collect();
            let found = filled(&asked);
            prop_assert_eq!(found.len(), most(&voters, 0));
            let used: std::collections::BTreeSet<&&str> = found.values().collect();
            prop_assert_eq!(used.len(), found.len());
        }
    }
}
