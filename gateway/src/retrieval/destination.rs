//! Where something is, by what it says of itself. Only what the operator configured is ever called.

use std::sync::Arc;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::RepositoryUniqueId;

use super::wanted::Item;
use crate::asking::Line;
use crate::communities::{Communities, Known};

/// Where a part of a request goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Destination {
    /// To a repository or imaging source of the own community.
    Own {
        /// Its URL.
        url: String,
    },
    /// To the gateway of another community.
    Other {
        /// Its number among the communities.
        at: usize,
        /// The gateway's URL.
        url: String,
    },
}

impl Destination {
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Own { url } | Self::Other { url, .. } => url,
        }
    }

    pub(super) fn line<'a>(&self, communities: &'a Communities) -> &'a Line {
        match self {
            Self::Own { .. } => &communities.own_line,
            Self::Other { at, .. } => &communities.others[*at].line,
        }
    }

    /// The community that it is in, if that is another one.
    pub(super) fn known<'a>(&self, communities: &'a Communities) -> Option<&'a Arc<Known>> {
        match self {
            Self::Own { .. } => None,
            Self::Other { at, .. } => communities.others.get(*at),
        }
    }

    /// `homeCommunityId` of what comes from there.
    pub(super) fn home<'a>(&self, communities: &'a Communities) -> &'a str {
        match self {
            Self::Own { .. } => communities.own.home.as_str(),
            Self::Other { at, .. } => communities.others[*at].community.home.as_str(),
        }
    }

    /// How people call it.
    pub(super) fn name(&self, communities: &Communities) -> String {
        match self {
            Self::Own { .. } => "this community".to_owned(),
            Self::Other { at, .. } => {
                let community = &communities.others[*at].community;
                format!("{} ({})", community.name, community.home)
            }
        }
    }
}

/// Where an Initiating Gateway asks for something.
pub(super) fn of(communities: &Communities, item: &Item) -> Result<Destination, RegistryError> {
    let repository = &item.document.repository_unique_id;
    let Some(home) = &item.document.home_community_id else {
        // What is in the own community's repositories is not mistaken for anything else.
        return own(communities, item).map_err(|_| missing());
    };
    if communities.is_own(home.as_str()) {
        return own(communities, item);
    }
    let mut others = communities.others.iter().enumerate();
    let found = others.find(|(_, known)| known.community.home == *home);
    let Some((at, known)) = found else {
        let context = format!("{home} is no community that is known here");
        return Err(RegistryError::error(ErrorCode::UnknownCommunity, context));
    };
    let community = &known.community;
    let url = match item.series.is_some() {
        true => &community.imaging,
        false => &community.retrieve,
    };
    match url.clone() {
        Some(url) => Ok(Destination::Other { at, url }),
        None => {
            let name = &community.name;
            let context = format!("{name} ({home}) is not asked for the content of {repository}");
            let code = ErrorCode::UnavailableCommunity;
            Err(RegistryError::error(code, context))
        }
    }
}

/// Where a Responding Gateway asks for something.
pub(super) fn of_own(communities: &Communities, item: &Item) -> Result<Destination, RegistryError> {
    match &item.document.home_community_id {
        Some(home) if communities.is_own(home.as_str()) => own(communities, item),
        Some(home) => {
            let context = format!("{home} is not the community of this gateway");
            Err(RegistryError::error(ErrorCode::UnknownCommunity, context))
        }
        None => Err(missing()),
    }
}

fn own(communities: &Communities, item: &Item) -> Result<Destination, RegistryError> {
    let repository = &item.document.repository_unique_id;
    let all = match item.series.is_some() {
        true => &communities.own.imaging,
        false => &communities.own.repositories,
    };
    let found = |(id, _): &&(RepositoryUniqueId, String)| id == repository;
    match all.iter().find(found) {
        Some((_, url)) => Ok(Destination::Own { url: url.clone() }),
        None => {
            let context = format!("{repository} is no repository of this community");
            Err(RegistryError::error(
                ErrorCode::UnknownRepositoryId,
                context,
            ))
        }
    }
}

fn missing() -> RegistryError {
    let context = "HomeCommunityId must name the community from which it is to come";
    RegistryError::error(ErrorCode::MissingHomeCommunityId, context)
}
