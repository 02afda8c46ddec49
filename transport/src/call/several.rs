//! Callers who take an answer in several messages.

use http::{HeaderMap, header};
use tokio::sync::oneshot;
use xds_schemas::mtom;

use crate::rest::Accept;

/// A caller who takes an answer in several messages, and waits for the first.
#[derive(Debug)]
pub struct TakesSeveral {
    here: oneshot::Receiver<()>,
}

impl TakesSeveral {
    /// Such a caller, if these are the headers of one, and what is to be held as long as the caller waits.
    pub(super) fn of(headers: &HeaderMap) -> (Option<Self>, Option<oneshot::Sender<()>>) {
        match are_taken(headers) {
            true => {
                let (waits, here) = oneshot::channel();
                (Some(Self { here }), Some(waits))
            }
            false => (None, None),
        }
    }

    /// Ends when the caller has gone without waiting for an answer.
    pub async fn gone(&mut self) {
        // Nothing is ever sent: the other end goes with the connection.
        let _ = (&mut self.here).await;
    }
}

/// Whether `multipart/mixed` is named, not only meant by a range such as `*/*`, and wanted no less than SOAP.
fn are_taken(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let accept = Accept::parse(&values.join(", "));
    let is_named = accept
        .wanted()
        .any(|range| range.media.essence == mtom::MIXED);
    is_named && accept.quality(mtom::MIXED) >= accept.quality("application/soap+xml")
}
