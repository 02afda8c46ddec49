//! What an archive has, as its queries tell (QIDO-RS, PS3.18 section 10.6), page by page.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::Uid;
use hilum_dicom::walk::DataSet;

use super::{Archive, Trouble, Wanted};
use crate::imaging::index::archived::Counts;

/// Matches that are asked for at one time.
const PAGE: usize = 500;
/// Pages of one query: five million studies.
const PAGES: usize = 10_000;

/// Studies that an archive lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) studies: BTreeMap<Uid, Listed>,
    /// Whether that is everything there is in the window.
    pub(super) complete: bool,
}

/// A study as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) counts: Counts,
    /// Study Date.
    pub(super) date: Option<String>,
}

/// Which studies are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Study Date or later; any if there is none.
    pub(super) from: Option<String>,
}

impl Window {
    /// With everything since this date, if it is earlier.
    pub(super) fn and_since(&self, date: Option<&str>) -> Self {
        let from = self.from.as_deref().map(|from| match date {
            Some(date) => from.min(date).to_owned(),
            None => from.to_owned(),
        });
        Self { from }
    }

    /// Whether a study is in it. One without a date is not, if that counts.
    pub(super) fn has(&self, study: &Listed) -> bool {
        let Some(from) = &self.from else {
            return true;
        };
        study.date.as_ref().is_some_and(|date| date >= from)
    }

    /// The query of one page, for a modality if one is given.
    pub(super) fn query(&self, modality: Option<&str>) -> String {
        let mut query = String::from("includefield=00201206,00201208");
        if let Some(from) = &self.from {
            query += &format!("&StudyDate={from}-");
        }
        if let Some(modality) = modality {
            query += &format!("&ModalitiesInStudy={modality}");
        }
        query
    }
}

impl Archive {
    /// The studies in a window.
    pub(super) async fn studies(&self, window: &Window) -> Result<Listing, Trouble> {
        if let Some(moving) = self.moving() {
            return moving.studies(window, &self.config.modalities).await;
        }
        let mut listing = Listing {
            studies: BTreeMap::new(),
            complete: true,
        };
        let modalities = self.config.modalities.iter().map(|it| Some(it.as_str()));
        let any = self.config.modalities.is_empty().then_some(None);
        for modality in any.into_iter().chain(modalities) {
            let query = window.query(modality);
            let (found, complete) = self
                .pages("/studies", &query, tags::STUDY_INSTANCE_UID)
                .await?;
            listing.complete &= complete;
            for (uid, data) in found {
                let listed = Listed {
                    counts: counts(&data),
                    date: data.ascii(tags::STUDY_DATE).filter(|it| !it.is_empty()),
                };
                listing.studies.insert(uid, listed);
            }
        }
        Ok(listing)
    }

    /// Whether the archive lists a study when it is asked for this one alone. A window's listing may
    /// lack one because it changed meanwhile.
    pub(super) async fn lists(&self, study: &Uid) -> Result<bool, Trouble> {
        if let Some(moving) = self.moving() {
            return moving.lists(study).await;
        }
        let path = format!("/studies?StudyInstanceUID={study}&limit=2");
        let page = self.web()?.search(&path).await?;
        if page.partial {
            return Err(Trouble::Failed("it does not list everything".to_owned()));
        }
        let mut found = page
            .found
            .iter()
            .filter_map(|it| uid(it, tags::STUDY_INSTANCE_UID));
        Ok(found.any(|it| it == *study))
    }

    /// Which of these instances the archive does not list. Where a series has as many instances as are
    /// wanted of it, it is not asked for each.
    pub(super) async fn missing(&self, wanted: &[Wanted]) -> Result<BTreeSet<Uid>, Trouble> {
        let mut studies: BTreeMap<&Uid, BTreeMap<&Uid, BTreeSet<&Uid>>> = BTreeMap::new();
        for wanted in wanted {
            let names = &wanted.names;
            let series = studies.entry(&names.study).or_default();
            let instances = series.entry(&names.series).or_default();
            instances.insert(&names.instance);
        }
        let mut missing = BTreeSet::new();
        if let Some(moving) = self.moving() {
            for (study, series) in studies {
                for (series, instances) in series {
                    let listed = BTreeSet::from_iter(moving.instances(study, series).await?);
                    let gone = instances.into_iter().filter(|it| !listed.contains(it));
                    missing.extend(gone.cloned());
                }
            }
            return Ok(missing);
        }
        for (study, series) in studies {
            let path = format!("/studies/{study}/series");
            let query = "includefield=00201209";
            let listed = self.pages(&path, query, tags::SERIES_INSTANCE_UID).await;
            let listed = match listed {
                Err(Trouble::Gone) => BTreeMap::new(),
                listed => listed?.0,
            };
            for (series, instances) in series {
                let Some(data) = listed.get(series) else {
                    missing.extend(instances.into_iter().cloned());
                    continue;
                };
                let count = number(data, tags::NUMBER_OF_SERIES_RELATED_INSTANCES);
                if count == i64::try_from(instances.len()).ok() {
                    continue;
                }
                let path = format!("/studies/{study}/series/{series}/instances");
                let listed = self.pages(&path, "", tags::SOP_INSTANCE_UID).await?.0;
                let gone = instances.into_iter().filter(|it| !listed.contains_key(it));
                missing.extend(gone.cloned());
            }
        }
        Ok(missing)
    }

    /// Everything that a query finds, by the UID of this name, and whether that is all.
    async fn pages(
        &self,
        path: &str,
        query: &str,
        name: Tag,
    ) -> Result<(BTreeMap<Uid, DataSet>, bool), Trouble> {
        let mut all = BTreeMap::new();
        let mut complete = true;
        let mut offset = 0;
        for _ in 0..PAGES {
            let divider = if query.is_empty() { "" } else { "&" };
            let path = format!("{path}?{query}{divider}limit={PAGE}&offset={offset}");
            let page = self.web()?.search(&path).await?;
            let (before, on_page) = (all.len(), page.found.len());
            for data in page.found {
                match uid(&data, name) {
                    Some(uid) => {
                        all.insert(uid, data);
                    }
                    None => complete = false,
                }
            }
            // An archive may give fewer than it was asked for, and say that there is more; one that
            // does not know of pages gives the same ones again.
            if on_page == 0 || all.len() == before {
                return Ok((all, complete && !page.partial));
            }
            offset += on_page;
        }
        Ok((all, false))
    }
}

pub(super) fn counts(data: &DataSet) -> Counts {
    Counts {
        series: number(data, tags::NUMBER_OF_STUDY_RELATED_SERIES),
        instances: number(data, tags::NUMBER_OF_STUDY_RELATED_INSTANCES),
    }
}

fn number(data: &DataSet, tag: Tag) -> Option<i64> {
    data.ascii(tag)?.trim().parse().ok()
}

pub(super) fn uid(data: &DataSet, tag: Tag) -> Option<Uid> {
    Uid::parse(&data.ascii(tag)?).ok()
}
