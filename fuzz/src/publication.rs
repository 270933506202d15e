//! Changes of the catalogue: the `data` of a `catalog.published`, as an administrator may post it.

use daybook::catalog::Catalog;
use serde_json::Value;
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

/// What is published takes nothing back: every type is still there, and accepts what it accepted; and a refusal says
/// where and why.
pub fn check(data: &[u8]) {
    let Ok(mut data) = serde_json::from_slice::<Value>(data) else { return };
    let Some(members) = data.as_object_mut() else { return };
    members.insert("version".to_owned(), 1.into());
    match CATALOG.published(&data) {
        Ok(published) => {
            assert_eq!(published.publications(), 1);
            for old in CATALOG.types() {
                let new = published.get(&old.name).unwrap();
                assert!(new.version >= old.version && new.entity == old.entity);
                assert!(new.check(&old.example, 1).is_empty(), "{}", old.name);
            }
            assert!(CATALOG.registers().all(|old| published.register(&old.name).unwrap().key == old.key));
            assert!(published.published(&data).is_err(), "the same number twice");
        }
        Err(refusals) => {
            assert!(!refusals.is_empty());
            for refusal in refusals {
                assert!(refusal.pointer.is_empty() || refusal.pointer.starts_with('/'), "{refusal:?}");
                assert!(!refusal.message.is_empty());
            }
        }
    }
}
