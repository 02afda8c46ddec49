//! Whom the own registry knows by our identifiers, as far as one question needs it: it is asked once for each
//! patient, however many communities are asked for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use xds_schemas::hl7v3::InstanceId;
use xds_schemas::hl7v3::find_candidates::{Candidate, Parameters};
use xds_schemas::metadata::PatientId;

use super::person::registered;
use crate::Room;

/// Whom the registry finds, or why it does not say.
type People = Result<Vec<Candidate>, String>;

/// Who was asked for.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    known: Mutex<HashMap<PatientId, Arc<OnceCell<People>>>>,
}

impl Registered {
    fn place(&self, own: &PatientId) -> Arc<OnceCell<People>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(own.clone()).or_default())
    }
}

/// Whom the own registry knows by this identifier.
pub(super) async fn registered_as(room: &Room, own: &PatientId) -> People {
    let asking = async || {
        let parameters = Parameters {
            ids: vec![InstanceId::of(own)],
            ..Parameters::default()
        };
        registered(room, parameters).await
    };
    let place = room.registered.place(own);
    place.get_or_init(asking).await.clone()
}
