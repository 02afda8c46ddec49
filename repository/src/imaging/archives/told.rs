//! What is recorded of what we ask archives, as of any consumer of images: queries (RAD-129, or
//! RAD-14 by DICOM's own protocol) and what was fetched (RAD-107, RAD-16).

use std::collections::BTreeMap;

use hilum_audit::{Event, ImagesRetrieved, Outcome, Parties, Study};
use hilum_dicom::Uid;

use super::{Archive, Asking};
use crate::imaging::Room;

impl Archive {
    fn parties(&self) -> Parties {
        match &self.asking {
            Asking::Web(web) => Parties::asked(web.url()),
            Asking::Moving(moving) => {
                let (ours, theirs) = moving.titles();
                Parties::asked(&moving.url()).named(ours.to_owned(), theirs.to_owned())
            }
        }
    }

    /// Records a query. If that cannot be done, nothing more may be asked.
    pub(super) async fn record_query(
        &self,
        room: &Room,
        resource: &str,
        query: &str,
        outcome: &Outcome,
    ) -> anyhow::Result<()> {
        let parties = self.parties();
        let event = match self.moving() {
            Some(_) => Event::images_queried_by_dimse(&parties, query, outcome),
            None => Event::images_queried(&parties, resource, query, outcome),
        };
        room.audit.record(event, ()).await?.into_inner();
        Ok(())
    }

    /// Records that something of a study was fetched, or was not.
    pub(super) async fn record_fetched(
        &self,
        room: &Room,
        patient: Option<&str>,
        studies: BTreeMap<Uid, BTreeMap<String, u64>>,
        outcome: &Outcome,
    ) -> anyhow::Result<()> {
        let studies: Vec<Study> = studies
            .into_iter()
            .map(|(uid, classes)| Study {
                instance_uid: uid.to_string(),
                sop_classes: classes.into_iter().collect(),
                repository_unique_id: None,
                home_community_id: None,
            })
            .collect();
        let parties = self.parties();
        let code = match self.moving() {
            Some(_) => ImagesRetrieved::Move,
            None => ImagesRetrieved::WadoRs,
        };
        let event = Event::images_retrieved(code, &parties, patient, &studies, outcome);
        room.audit.record(event, ()).await?.into_inner();
        Ok(())
    }
}
