//! "A person fills one place, and a right fills one place" (section 3): the matching of voters and rights.

use std::collections::BTreeMap;

/// A voter whose vote stands, and whose rights it may use, in the order in which it would like them.
#[derive(Clone, Debug)]
pub(super) struct Voter {
    pub(super) name: String,
    pub(super) rights: Vec<String>,
}

/// Which voter fills a place, with whose right. The voters come in the order of their votes, each person
/// once.
///
/// "Places and rights are matched so that the most places are filled" (section 10). Where the most can be
/// reached in several ways: the delegator's own vote before a delegate's; among delegates the last (section
/// 3).
pub(super) fn filled(voters: &[Voter]) -> BTreeMap<String, String> {
    let has_own = |voter: &&Voter| voter.rights.contains(&voter.name);
    let own = voters.iter().filter(has_own);
    let lent = voters.iter().rev().filter(|voter| !has_own(voter));
    // Taking the voters by rank, and each only if all taken before keep a place, fills the most places there
    // can be.
    let mut taken: Vec<Voter> = Vec::new();
    for voter in own.chain(lent) {
        taken.push(voter.clone());
        if !all_fit(&taken) {
            taken.pop();
        }
    }
    // Each takes the first of its rights that leaves a right for everybody after it: its own, where that can
    // be.
    let mut result = BTreeMap::new();
    while let Some(voter) = taken.first().cloned() {
        taken.remove(0);
        let without = |right: &String| {
            let strip = |other: &Voter| Voter {
                name: other.name.clone(),
                rights: other.rights.iter().filter(|lent| *lent != right).cloned().collect(),
            };
            taken.iter().map(strip).collect::<Vec<Voter>>()
        };
        let Some(right) = voter.rights.iter().find(|right| all_fit(&without(right))) else {
            continue;
        };
        let rest = without(right);
        result.insert(voter.name.clone(), right.clone());
        taken = rest;
    }
    result
}

/// Whether every voter can have a right of its own: the textbook's augmenting paths.
fn all_fit(voters: &[Voter]) -> bool {
    let mut holder_of: BTreeMap<&str, usize> = BTreeMap::new();
    (0..voters.len()).all(|voter| find_right(voters, voter, &mut holder_of, &mut Vec::new()))
}

fn find_right<'a>(
    voters: &'a [Voter],
    voter: usize,
    holder_of: &mut BTreeMap<&'a str, usize>,
    tried: &mut Vec<&'a str>,
) -> bool {
    let Some(rights) = voters.get(voter).map(|voter| &voter.rights) else {
        return false;
    };
    for right in rights {
        if tried.contains(&right.as_str()) {
            continue;
        }
        tried.push(right);
        let free = match holder_of.get(right.as_str()).copied() {
            None => true,
            Some(holder) => find_right(voters, holder, holder_of, tried),
        };
        if free {
            holder_of.insert(right, voter);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(name: &str, rights: &[&str]) -> Voter {
        Voter { name: name.into(), rights: rights.iter().map(|right| (*right).into()).collect() }
    }

    fn matched(voters: &[Voter]) -> Vec<(String, String)> {
        filled(voters).into_iter().collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, right)| ((*name).into(), (*right).into())).collect()
    }

    #[test]
    fn the_most_places_are_filled() {
        // Anna could use either right and Bert only Dora's: Anna has to take Emil's.
        let voters = [voter("bert", &["dora"]), voter("anna", &["dora", "emil"])];
        assert_eq!(matched(&voters), pairs(&[("anna", "emil"), ("bert", "dora")]));
    }

    #[test]
    fn a_right_lent_to_two_people_fills_one_place_and_the_last_has_it() {
        let voters = [voter("anna", &["dora"]), voter("bert", &["dora"])];
        assert_eq!(matched(&voters), pairs(&[("bert", "dora")]));
    }

    #[test]
    fn the_delegator_comes_before_the_delegate() {
        let voters = [voter("dora", &["dora"]), voter("bert", &["dora"])];
        assert_eq!(matched(&voters), pairs(&[("dora", "dora")]));
    }

    #[test]
    fn a_delegator_who_can_use_another_right_makes_room() {
        let voters = [voter("dora", &["dora", "emil"]), voter("bert", &["dora"])];
        assert_eq!(matched(&voters), pairs(&[("bert", "dora"), ("dora", "emil")]));
    }

    #[test]
    fn nobody_uses_another_right_without_need() {
        let voters = [voter("dora", &["dora", "emil"]), voter("bert", &["dora", "frida"])];
        assert_eq!(matched(&voters), pairs(&[("bert", "frida"), ("dora", "dora")]));
    }

    #[test]
    fn a_voter_without_a_right_fills_no_place() {
        assert_eq!(matched(&[voter("anna", &[]), voter("bert", &["bert"])]), pairs(&[("bert", "bert")]));
    }
}
