//! The views as recording sees them.

use crate::catalog::Catalog;
use crate::intake::Followers;
use crate::views::LogViews;
use std::sync::Arc;

impl Followers for LogViews {
    fn arrears(&self) -> u64 {
        LogViews::arrears(self)
    }

    fn catalog_changed(&self, catalog: Arc<Catalog>) -> bool {
        self.set_catalog(catalog)
    }
}
