//! Instances on their way from an archive through us to whoever asked for them.
//!
//! Those of one answer come in its order, a few of them ahead of their turn. Each waits in a short
//! queue, so an answer of any size needs the memory of a few instances at most; what is small comes
//! wholly, so that the archive's connection is free again. The first ones are known to come before the
//! answer begins; of the others the archive said that it has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hilum_audit::Outcome;
use hilum_dicom::Uid;

use super::fleet;
use super::keeping::Kept;
use super::wanted::{Fetched, NotGiven, Telling, Wanted};
use super::{Archive, Names, Trouble};
use crate::imaging::Room;

/// Instances of one answer that come ahead of their turn, and of which is known that they come before
/// the answer begins.
pub(super) const AHEAD: usize = 4;

impl Archive {
    fn not_given(&self, trouble: &Trouble) -> NotGiven {
        NotGiven {
            gone: *trouble == Trouble::Gone,
            reason: self.says(trouble),
        }
    }

    /// Begins to fetch instances for one answer, in this order, and says of each where it comes from
    /// or why it cannot be given. It is recorded what is fetched.
    ///
    /// # Errors
    /// If that cannot be recorded. Then nothing is fetched.
    pub(in crate::imaging) async fn fetch(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Vec<Wanted>,
    ) -> anyhow::Result<Vec<Result<Fetched, NotGiven>>> {
        let missing = match wanted.len() > AHEAD {
            true => self.missing(&wanted).await,
            // All of them are opened before the answer begins.
            false => Ok(Default::default()),
        };
        let missing = match missing {
            Ok(missing) => missing,
            Err(trouble) => {
                let problem = self.not_given(&trouble);
                tracing::warn!(problem = problem.reason, "instances cannot be fetched");
                self.record(room, &wanted, &Outcome::Failure(problem.reason.clone()))
                    .await?;
                return Ok(wanted.iter().map(|_| Err(problem.clone())).collect());
            }
        };
        let there = |it: &Wanted| !missing.contains(&it.names.instance);
        let fetched: Vec<Wanted> = wanted.iter().filter(|it| there(it)).cloned().collect();
        self.record(room, &fetched, &Outcome::Success).await?;
        let mut fetched = match self.moving() {
            Some(_) => self.sent_here(room, fetched).await,
            None => self.passed_through(room, fetched).await,
        }
        .into_iter();
        let mut come = |wanted: &Wanted| match there(wanted) {
            true => fetched.next().unwrap_or(Err(Trouble::Gone)),
            false => Err(Trouble::Gone),
        };
        let all = wanted.iter().map(|wanted| {
            let came = come(wanted);
            came.map_err(|trouble| self.not_given(&trouble))
        });
        Ok(all.collect())
    }

    /// Has instances sent here, and waits for the first of them.
    async fn sent_here(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Vec<Wanted>,
    ) -> Vec<Result<Fetched, Trouble>> {
        let mut fetched = Vec::with_capacity(wanted.len());
        for (at, mut arriving) in fleet::set_out(self, room, wanted).into_iter().enumerate() {
            let known = match at < AHEAD {
                true => arriving.arrived().await,
                false => Ok(()),
            };
            fetched.push(match known {
                Ok(()) => Ok(Fetched::Arriving(arriving, self.config.name.clone())),
                Err(trouble) => {
                    arriving.pass();
                    Err(trouble)
                }
            });
        }
        fetched
    }

    /// Has an instance as a file, which is here as long as it is held.
    ///
    /// # Errors
    /// If that it is fetched cannot be recorded.
    pub(in crate::imaging) async fn file(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Wanted,
    ) -> anyhow::Result<Result<Arc<Kept>, NotGiven>> {
        let instance = wanted.names.instance.clone();
        if let Some(kept) = self.keeping.find(&instance) {
            return Ok(Ok(kept));
        }
        let fetched = self.fetch(room, vec![wanted]).await?.pop();
        let fetched = match fetched {
            Some(Ok(fetched)) => fetched,
            Some(Err(not_given)) => return Ok(Err(not_given)),
            None => anyhow::bail!("an instance that was to be fetched was lost"),
        };
        let kept = fetched.into_file(self, &instance).await;
        Ok(kept.map_err(|trouble| self.not_given(&trouble)))
    }

    /// Has what instances of one study say; it is recorded.
    ///
    /// # Errors
    /// If it cannot be recorded.
    pub(in crate::imaging) async fn tell(
        self: &Arc<Self>,
        room: &Room,
        wanted: &[Wanted],
    ) -> anyhow::Result<Result<Telling, NotGiven>> {
        let Some(study) = wanted.first().map(|it| it.names.study.clone()) else {
            anyhow::bail!("of no instance there is nothing to tell");
        };
        let there = match self.lists(&study).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Gone),
            Err(trouble) => Err(trouble),
        };
        let not_given = there.map_err(|trouble| self.not_given(&trouble));
        let outcome = match &not_given {
            Ok(()) => Outcome::Success,
            Err(not_given) => Outcome::Failure(not_given.reason.clone()),
        };
        self.record(room, wanted, &outcome).await?;
        Ok(not_given.map(|()| Telling {
            archive: Arc::clone(self),
            study,
        }))
    }

    /// Says to the log and to the audit trail that an instance did not come.
    pub(super) async fn tell_failed(&self, room: &Room, wanted: &Wanted, trouble: &Trouble) {
        let reason = self.says(trouble);
        let Names {
            study, instance, ..
        } = &wanted.names;
        tracing::warn!(%study, %instance, reason, "an instance cannot be fetched");
        let one = std::slice::from_ref(wanted);
        if let Err(error) = self.record(room, one, &Outcome::Failure(reason)).await {
            tracing::error!(%error, "that an instance was not fetched is not recorded");
        }
    }

    /// Records what is fetched or cannot be, for each patient.
    async fn record(
        &self,
        room: &Room,
        wanted: &[Wanted],
        outcome: &Outcome,
    ) -> anyhow::Result<()> {
        type Studies = BTreeMap<Uid, BTreeMap<String, u64>>;
        let mut patients: BTreeMap<Option<&str>, Studies> = BTreeMap::new();
        for wanted in wanted {
            let studies = patients.entry(wanted.patient.as_deref()).or_default();
            let classes = studies.entry(wanted.names.study.clone()).or_default();
            *classes.entry(wanted.sop_class_uid.to_string()).or_default() += 1;
        }
        for (patient, studies) in patients {
            self.record_fetched(room, patient, studies, outcome).await?;
        }
        Ok(())
    }
}
