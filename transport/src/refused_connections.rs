//! Connections that are refused: each is told, unless there are many of a kind from one address. Then
//! the first is told at once, and how many others there were when a while is over, so that who floods a
//! door does not flood the audit trail, and nothing happens that is not in it.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hilum_security::Caller;
use hilum_security::iti19_authenticate_node::NotAuthenticated;
use tokio::sync::watch;
use tokio::time::timeout;
use xds_schemas::soap::Fault;

use crate::call::Refusal;

/// Kinds of refusals that are told apart at one time, of all addresses.
const KINDS: usize = 10_000;
/// Kinds of refusals of one address: whoever calls chooses what its certificates say.
const KINDS_OF_ONE: usize = 64;

/// What is told of an address for which there were too many reasons.
const SEVERAL: &str = "several other reasons";
/// What is told of too many addresses.
const EVERYWHERE: &str = "several reasons, from many addresses";

/// Refused connections of a door. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct RefusedConnections {
    held: Arc<Mutex<HashMap<Kind, Held>>>,
    window: Duration,
    /// Becomes true when nothing is counted any more.
    stopped: Arc<watch::Sender<bool>>,
}

/// An address, and why its connections were refused.
type Kind = (IpAddr, String);

/// Connections of a kind that were refused since the first was told.
#[derive(Debug)]
struct Held {
    /// The last of them.
    caller: Caller,
    more: u64,
}

impl RefusedConnections {
    /// After one of a kind is told, others are counted for so long; with no time at all, each is told.
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            held: Arc::default(),
            window,
            stopped: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Has `tell` record that a connection was refused, now or together with others.
    pub(crate) async fn refuse<T, F>(&self, caller: Caller, why: &NotAuthenticated, tell: T)
    where
        T: FnOnce(Refusal) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(kind) = self.first_of_its_kind(&caller, why) else {
            return;
        };
        let (address, library) = (caller.address, why.library.as_deref());
        let advice = why.advice().map(|advice| format!("; {advice}"));
        let advice = advice.unwrap_or_default();
        tracing::warn!(%address, library, "a connection was refused: {why}{advice}");
        tell.clone()(refusal(caller, &why.to_string())).await;
        if self.tells_each() {
            return;
        }
        let (these, mut stopped) = (self.clone(), self.stopped.subscribe());
        tokio::spawn(async move {
            // Whoever stops tells the rest.
            let is_stopped = async { stopped.wait_for(|it| *it).await.is_ok() };
            if timeout(these.window, is_stopped).await.is_err() {
                these.end(&kind, tell).await;
            }
        });
    }

    /// Whether nothing is counted: it is not wanted, or this is the end.
    fn tells_each(&self) -> bool {
        self.window.is_zero() || *self.stopped.borrow()
    }

    /// Counts a connection; gives its kind if none of that was told a while ago.
    fn first_of_its_kind(&self, caller: &Caller, why: &NotAuthenticated) -> Option<Kind> {
        let address = caller.address.ip().to_canonical();
        let mut kind = (address, why.to_string());
        if self.tells_each() {
            return Some(kind);
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains_key(&kind) {
            let of_one = held.keys().filter(|(known, _)| *known == address).count();
            if held.len() >= KINDS {
                kind = (Ipv4Addr::UNSPECIFIED.into(), EVERYWHERE.to_owned());
            } else if of_one >= KINDS_OF_ONE {
                kind.1 = SEVERAL.to_owned();
            }
        }
        if let Some(held) = held.get_mut(&kind) {
            held.more += 1;
            held.caller = caller.clone();
            return None;
        }
        let first = Held {
            caller: caller.clone(),
            more: 0,
        };
        held.insert(kind.clone(), first);
        Some(kind)
    }

    /// Tells how many others of a kind there were.
    async fn end<T, F>(&self, kind: &Kind, tell: T)
    where
        T: FnOnce(Refusal) -> F,
        F: Future<Output = ()>,
    {
        let held = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.remove(kind)
        };
        if let Some(Held { caller, more }) = held.filter(|held| held.more > 0) {
            let ((_, reason), seconds) = (kind, self.window.as_secs());
            let address = caller.address;
            let words = format!("{reason}; {more} more times within {seconds} seconds");
            tracing::warn!(%address, more, "connections were refused: {words}");
            tell(refusal(caller, &words)).await;
        }
    }

    /// Tells what has been counted, and counts no more.
    pub(crate) async fn stop<T, F>(&self, tell: T)
    where
        T: FnOnce(Refusal) -> F + Clone,
        F: Future<Output = ()>,
    {
        self.stopped.send_replace(true);
        let kinds: Vec<Kind> = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.keys().cloned().collect()
        };
        for kind in kinds {
            self.end(&kind, tell.clone()).await;
        }
    }
}

fn refusal(caller: Caller, reason: &str) -> Refusal {
    let fault = Fault::not_permitted(format!("the node was not authenticated: {reason}"));
    Refusal::connection(caller, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(these: &Arc<Mutex<Vec<String>>>) -> Vec<String> {
        these.lock().unwrap().clone()
    }

    async fn refuse(all: &RefusedConnections, last: u8, why: &str, told: &Arc<Mutex<Vec<String>>>) {
        let caller = Caller::unknown(([192, 0, 2, last], 7).into());
        let told = Arc::clone(told);
        let tell = move |refusal: Refusal| async move {
            told.lock().unwrap().push(refusal.fault.reason);
        };
        all.refuse(caller, &NotAuthenticated::because(why), tell)
            .await;
    }

    async fn stop(all: &RefusedConnections, told: &Arc<Mutex<Vec<String>>>) {
        let told = Arc::clone(told);
        let tell = move |refusal: Refusal| async move {
            told.lock().unwrap().push(refusal.fault.reason);
        };
        all.stop(tell).await;
    }

    #[tokio::test]
    async fn each_is_told_or_counted() {
        let all = RefusedConnections::new(Duration::from_secs(2));
        let records = Arc::default();
        for _ in 0..1000 {
            refuse(&all, 1, "one", &records).await;
        }
        refuse(&all, 1, "other", &records).await;
        refuse(&all, 2, "one", &records).await;
        assert_eq!(told(&records).len(), 3);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let more = told(&records).split_off(3);
        let expected = "the node was not authenticated: one; 999 more times within 2 seconds";
        assert_eq!(more, [expected]);
        // Afterwards, the next is told at once again; a stop tells what was counted since.
        refuse(&all, 1, "one", &records).await;
        refuse(&all, 1, "one", &records).await;
        stop(&all, &records).await;
        let more = told(&records).split_off(4);
        assert_eq!(more.len(), 2);
        assert!(more[1].contains("1 more times"), "{more:?}");
    }

    #[tokio::test]
    async fn who_invents_reasons_and_addresses_is_counted_too() {
        let all = RefusedConnections::new(Duration::from_secs(60));
        let records = Arc::default();
        for number in 0..1000 {
            refuse(&all, 1, &format!("reason {number}"), &records).await;
        }
        assert_eq!(told(&records).len(), KINDS_OF_ONE + 1);
        stop(&all, &records).await;
        let last = told(&records).pop().unwrap();
        let others = 1000 - KINDS_OF_ONE - 1;
        assert!(
            last.contains(&format!("several other reasons; {others} more")),
            "{last}"
        );
    }
}
