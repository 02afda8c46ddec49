//! Whom a question concerns.

use std::sync::Arc;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError};
use xds_schemas::iti18_registry_stored_query::{QueryKind, StoredQuery};
use xds_schemas::iti38_cross_gateway_query::{TARGET_COMMUNITIES, target_communities};

use super::unknown;
use crate::communities::{Communities, Known};

/// Who is asked.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The own registry.
    pub(super) own: bool,
    /// Other communities, and where.
    pub(super) others: Vec<(Arc<Known>, String)>,
    /// Why others that are named are not.
    pub(super) errors: Vec<RegistryError>,
}

/// Whom an Initiating Gateway asks.
pub(super) fn choose(
    communities: &Communities,
    request: &AdhocQueryRequest,
    query: &StoredQuery,
) -> Result<Chosen, RegistryError> {
    let listed = match is_for_everybody(request, query) {
        true => target_communities(request)?,
        false => Vec::new(),
    };
    match (&request.home, listed.is_empty()) {
        (Some(_), false) => {
            let context = format!("either @home or {TARGET_COMMUNITIES} says who is asked");
            Err(RegistryError::error(
                ErrorCode::StoredQueryParamNumber,
                context,
            ))
        }
        (Some(home), true) => Ok(named(communities, [home.as_str()])),
        (None, false) => Ok(named(communities, listed.iter().map(|home| home.as_str()))),
        (None, true) if is_for_everybody(request, query) => Ok(everybody(communities)),
        (None, true) => Err(missing()),
    }
}

/// Whether a Responding Gateway is meant by a question.
pub(super) fn is_meant_here(
    communities: &Communities,
    request: &AdhocQueryRequest,
    query: &StoredQuery,
) -> Result<(), RegistryError> {
    match &request.home {
        Some(home) if communities.is_own(home) => Ok(()),
        Some(home) => Err(unknown(home)),
        None if !is_for_everybody(request, query) => Err(missing()),
        None => {
            let listed = target_communities(request)?;
            let is_own = |home: &str| communities.is_own(home);
            match listed.first() {
                Some(first) if !listed.iter().any(|home| is_own(home.as_str())) => {
                    Err(unknown(first.as_str()))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Questions about patients and images concern every community; those for objects by name the one that
/// gave them their names.
fn is_for_everybody(request: &AdhocQueryRequest, query: &StoredQuery) -> bool {
    let needs_no_patient = |kind: QueryKind| kind.is_ours() || kind.is_of_several_patients();
    QueryKind::parse(&request.id).is_some_and(needs_no_patient) || !query.patients().is_empty()
}

fn everybody(communities: &Communities) -> Chosen {
    let asked = |known: &Arc<Known>| {
        let url = known.community.query.clone();
        url.map(|url| (Arc::clone(known), url))
    };
    Chosen {
        own: communities.own.registry.is_some(),
        others: communities.others.iter().filter_map(asked).collect(),
        errors: Vec::new(),
    }
}

fn named<'a>(communities: &Communities, homes: impl IntoIterator<Item = &'a str>) -> Chosen {
    let mut chosen = Chosen::default();
    for home in homes {
        if communities.is_own(home) && communities.own.registry.is_some() {
            chosen.own = true;
            continue;
        }
        let Some(known) = communities.other(home) else {
            chosen.errors.push(unknown(home));
            continue;
        };
        let is_chosen = |(other, _): &(Arc<Known>, String)| Arc::ptr_eq(other, known);
        match &known.community.query {
            _ if chosen.others.iter().any(is_chosen) => {}
            Some(url) => chosen.others.push((Arc::clone(known), url.clone())),
            None => {
                let context = format!("{} ({home}) takes no queries", known.community.name);
                let code = ErrorCode::UnavailableCommunity;
                chosen
                    .errors
                    .push(RegistryError::error(code, context).at(home));
            }
        }
    }
    chosen
}

fn missing() -> RegistryError {
    let context = "@home must name the community that gave the objects their names";
    RegistryError::error(ErrorCode::MissingHomeCommunityId, context)
}
