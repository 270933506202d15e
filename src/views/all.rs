//! All projections of a ledger: the core views, one for each register of the catalogue, and the lists beside them.

use super::access::{Grants, Requests, Uses};
use super::alike::Names;
use super::approvals::{Approvals, Entitled};
use super::decisions::Decisions;
use super::engine::{ActLists, Projection, View};
use super::escalations::Escalations;
use super::evidence::EvidenceLists;
use super::fairness::Tallies;
use super::late::LateLists;
use super::mentions::Mentions;
use super::registers::RegisterView;
use super::sources::Sources;
use crate::catalog::Catalog;
use std::sync::Arc;

/// What a ledger with this catalogue keeps.
#[must_use]
pub fn projections(catalog: &Catalog) -> Vec<Projection> {
    let core: [Arc<dyn View>; 7] = [
        Arc::new(Approvals),
        Arc::new(Grants),
        Arc::new(Requests),
        Arc::new(Uses),
        Arc::new(Decisions),
        Arc::new(Escalations),
        Arc::new(Tallies),
    ];
    let mut all: Vec<Projection> = core.into_iter().map(Projection::Rows).collect();
    let registers = catalog.registers().map(|register| RegisterView::new(register, catalog));
    all.extend(registers.map(|view| Projection::Rows(Arc::new(view))));
    all.push(Projection::Lists(Arc::new(Mentions::new(catalog))));
    all.push(Projection::Lists(Arc::new(EvidenceLists::new(catalog))));
    all.push(Projection::Lists(Arc::new(Entitled)));
    all.push(Projection::Lists(Arc::new(LateLists::new(catalog))));
    all.push(Projection::Lists(Arc::new(ActLists)));
    all.push(Projection::Tallies(Arc::new(Sources)));
    all.push(Projection::Tallies(Arc::new(Names)));
    all
}
