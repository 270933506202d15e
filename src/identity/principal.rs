//! Who is asking, and what they may say.

use super::role::Role;

/// In a token's types: every type that its catalogue calls `facts`. No name of a type is without a dot.
pub const FACTS: &str = "facts";

/// Before a pattern of whom a token speaks for: in facts alone.
const IN_FACTS: &str = "facts:";

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `app:<id>` or `user:<id>`, as it will stand in entries.
    pub actor: String,
    pub roles: Vec<Role>,
    /// CloudEvents sources it may post for: exact, or a prefix ending in `*`. Empty: any.
    pub sources: Vec<String>,
    /// Types of event it may post: exact, a prefix ending in `*`, or [`FACTS`]. None, as in older token files: any.
    pub types: Option<Vec<String>>,
    /// Whom it speaks for beside itself, exact or a prefix ending in `*`; after `facts:`, in facts alone. None, as in older
    /// token files: anyone.
    pub speaks_for: Option<Vec<String>>,
}

/// Whether a text is what a pattern names: the same, or where the pattern ends in `*`, one that begins so.
fn fits(pattern: &str, text: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == text, |prefix| text.starts_with(prefix))
}

impl Principal {
    /// One that may post every type and speaks for anyone.
    #[must_use]
    pub fn open(actor: impl Into<String>, roles: Vec<Role>) -> Self {
        Self { actor: actor.into(), roles, sources: Vec::new(), types: None, speaks_for: None }
    }

    /// Whether it has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it may read what others posted.
    #[must_use]
    pub fn reads_all(&self) -> bool {
        self.has(Role::Compliance) || self.has(Role::Auditor) || self.has(Role::Admin)
    }

    /// Whether it may post anything at all.
    #[must_use]
    pub fn posts(&self) -> bool {
        self.has(Role::Producer) || self.roles.iter().any(|role| !role.types().is_empty())
    }

    /// Whether it may post events of this source.
    #[must_use]
    pub fn may_post_for(&self, source: &str) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|pattern| fits(pattern, source))
    }

    /// Whether it may post events of this type, which is a fact or an act of governance.
    #[must_use]
    pub fn may_post_type(&self, event_type: &str, is_fact: bool) -> bool {
        let brings = |role: &Role| role.types().iter().any(|pattern| fits(pattern, event_type));
        if self.roles.iter().any(brings) {
            return true;
        }
        if !self.has(Role::Producer) || Role::ALL.iter().any(|role| role.alone() && brings(role)) {
            return false;
        }
        let Some(types) = &self.types else { return true };
        types.iter().any(|pattern| if pattern == FACTS { is_fact } else { fits(pattern, event_type) })
    }

    /// The role that a type is for alone, if it is for one.
    #[must_use]
    pub fn role_alone_for(event_type: &str) -> Option<Role> {
        let brings = |role: &Role| role.types().iter().any(|pattern| fits(pattern, event_type));
        Role::ALL.into_iter().find(|role| role.alone() && brings(role))
    }

    /// Whether it may say that this principal acted.
    #[must_use]
    pub fn speaks_for(&self, by: &str, is_fact: bool) -> bool {
        let Some(patterns) = &self.speaks_for else { return true };
        let names = |pattern: &String| match pattern.strip_prefix(IN_FACTS) {
            Some(pattern) => is_fact && fits(pattern, by),
            None => fits(pattern, by),
        };
        by == self.actor || patterns.iter().any(names)
    }

    /// Whether, as a token of an older file, it may post any type or speak for anyone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.types.is_none() || self.speaks_for.is_none()
    }

    /// Whom a new token speaks for, if nobody says: an application for itself, and for people in facts and requests; a person
    /// for nobody else.
    #[must_use]
    pub fn usual_speech(actor: &str) -> Vec<String> {
        if actor.starts_with("app:") { vec![format!("{IN_FACTS}user:*")] } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow(types: &[&str], speaks_for: &[&str]) -> Principal {
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        Principal {
            types: texts(types),
            speaks_for: texts(speaks_for),
            ..Principal::open("app:x", vec![Role::Producer])
        }
    }

    #[test]
    fn sources_are_exact_or_prefixes() {
        let mut principal = Principal::open("app:x", vec![Role::Producer]);
        principal.sources = vec!["/a".into(), "/b/*".into()];
        assert!(principal.may_post_for("/a") && principal.may_post_for("/b/c"));
        assert!(!principal.may_post_for("/a/x") && !principal.may_post_for("/b"));
        principal.sources.clear();
        assert!(principal.may_post_for("anything"));
    }

    #[test]
    fn types_are_named_or_facts() {
        let facts = narrow(&[FACTS], &[]);
        assert!(facts.may_post_type("decision.made", true) && !facts.may_post_type("role.assigned", false));
        let named = narrow(&["role.*", "access.granted"], &[]);
        assert!(named.may_post_type("role.assigned", false) && named.may_post_type("access.granted", false));
        assert!(!named.may_post_type("access.revoked", false) && !named.may_post_type("decision.made", true));
        assert!(!narrow(&[], &[]).may_post_type("decision.made", true));
        assert!(narrow(&["*"], &[]).may_post_type("role.assigned", false));
        assert!(Principal::open("app:x", vec![Role::Producer]).may_post_type("role.assigned", false));
    }

    #[test]
    fn some_types_come_with_a_role_and_some_with_it_alone() {
        let all = Principal::open("app:x", vec![Role::Producer]);
        for alone in ["catalog.published", "import.opened", "import.closed"] {
            assert!(
                !all.may_post_type(alone, false) && !narrow(&["*"], &[]).may_post_type(alone, false),
                "{alone}"
            );
        }
        assert!(all.may_post_type("event.corrected", false));
        let corrector = Principal::open("user:c", vec![Role::Corrector]);
        assert!(corrector.posts() && corrector.may_post_type("event.corrected", false));
        assert!(!corrector.may_post_type("decision.made", true), "nothing but what its role brings");
        let importer = Principal::open("user:i", vec![Role::Importer]);
        assert!(importer.may_post_type("import.opened", false));
        assert!(!Principal::open("user:g", vec![Role::Guest, Role::Auditor]).posts());
    }

    #[test]
    fn who_is_spoken_for_is_named_in_facts_or_in_everything() {
        let app = narrow(&["*"], &["facts:user:*", "user:chair"]);
        assert!(app.speaks_for("app:x", false) && app.speaks_for("user:a", true));
        assert!(!app.speaks_for("user:a", false) && app.speaks_for("user:chair", false));
        assert!(!app.speaks_for("app:y", true));
        assert!(Principal::open("app:x", vec![]).speaks_for("user:a", false));
        assert_eq!(Principal::usual_speech("app:x"), ["facts:user:*"]);
        assert!(Principal::usual_speech("user:x").is_empty());
    }
}
