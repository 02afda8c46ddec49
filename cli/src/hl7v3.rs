//! What every HL7 v3 message of a command begins with.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;
use xds_schemas::hl7v3::{InstanceId, Transmission};
use xds_schemas::metadata::Timestamp;

use crate::client::Node;

/// From the node's community to itself: devices are named by the community that they belong to (ITI TF-2
/// O.1.1).
pub(crate) fn transmission(node: &Node) -> Transmission {
    let home = &node.config.home_community_id;
    let device = InstanceId::new(home.trim_start_matches("urn:oid:"));
    Transmission {
        id: unique(),
        processing_code: "P".to_owned(),
        sender: device.clone(),
        receiver: device,
        ..Transmission::default()
    }
}

/// A name that nobody else gives.
pub(crate) fn unique() -> InstanceId {
    InstanceId::new(format!("2.25.{}", Uuid::new_v4().as_u128()))
}

/// Now, as messages say it.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix(since.unwrap_or_default().as_secs())
}
