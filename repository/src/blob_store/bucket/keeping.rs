//! The keys of a store in S3: which are needed, how they are changed, and how what is plain is
//! encrypted.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hilum_security::at_rest::{KeyId, Rewrapped, Vault, keys_of_bytes, rewrap_bytes};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Bucket, data, fetched, incoming, place_of};
use crate::at_rest::mark;
use crate::at_rest::{Survey, Worked};
use crate::blob_store::container::{Label, Said};
use crate::blob_store::s3::{Access, Address};

/// Where what changes is noted, until it has changed.
const ENCRYPTING: &str = "encrypting/";

/// A store in S3, for who works on its keys.
pub(crate) struct Bucketed(Bucket);

/// A document that is plain and is being encrypted.
#[derive(Debug, Serialize, Deserialize)]
struct Changing {
    unique_id: String,
}

impl Bucketed {
    pub(crate) fn open(url: &str, access: Option<&Access>, vault: &Vault) -> anyhow::Result<Self> {
        let access = access.context("a store in S3 needs a key and its secret")?;
        let vault = vault.clone().accepting_plain();
        let bucket = Bucket::new(Address::parse(url)?, access.clone(), vault);
        Ok(Self(bucket))
    }

    pub(crate) fn survey(&self, survey: &mut Survey) -> io::Result<()> {
        self.0.alone(async |bucket| {
            for begin in ["documents/", "incoming/", mark::MARK] {
                for key in bucket.s3.list(begin).await? {
                    if let Some(bytes) = bucket.s3.get(&key, None).await? {
                        survey.add(keys_of_bytes(&bytes));
                    }
                }
            }
            Ok(())
        })
    }

    /// Whether the store could be used with the keys that are there.
    pub(crate) fn check_keys(&self) -> io::Result<()> {
        self.0
            .alone(async |bucket| bucket.judged_mark().await.map(drop))
    }

    /// Labels are written anew; what they are of is not touched.
    pub(crate) fn rotate(
        &self,
        worked: &mut Worked,
        progress: &mut (dyn FnMut(&Worked) + Send),
    ) -> io::Result<()> {
        self.0.alone(async |bucket| {
            for begin in ["documents/", "incoming/"] {
                for key in bucket.s3.list(begin).await? {
                    match bucket.rewrap(&key).await {
                        Ok(rewrapped) => worked.count(rewrapped),
                        Err(error) => worked.fail(&key, &error),
                    }
                    progress(worked);
                }
            }
            if let (Some(mark), Some(ring)) =
                (bucket.s3.get(mark::MARK, None).await?, bucket.vault.ring())
            {
                worked.count_mark(keys_of_bytes(&mark), ring);
            }
            bucket.remark().await
        })
    }

    /// Nobody else may use the store meanwhile.
    pub(crate) fn encrypt(
        &self,
        worked: &mut Worked,
        progress: &mut (dyn FnMut(&Worked) + Send),
    ) -> io::Result<()> {
        self.0.alone(async |bucket| {
            bucket.check_mark().await?;
            for key in bucket.s3.list(ENCRYPTING).await? {
                bucket.finish_change(&key).await?;
            }
            for place in bucket.s3.list("documents/").await? {
                match bucket.encrypt(&place).await {
                    Ok(true) => worked.done += 1,
                    Ok(false) => worked.already += 1,
                    Err(error) => worked.fail(&place, &error),
                }
                progress(worked);
            }
            Ok(())
        })
    }
}

impl Bucket {
    /// Refuses a store whose keys are not there, and marks one that is going to need them.
    pub(super) async fn check_mark(&self) -> io::Result<()> {
        match self.judged_mark().await? {
            Some(needed) => {
                let text = mark::text(&needed);
                self.put_short(mark::MARK, text.as_bytes()).await
            }
            None => Ok(()),
        }
    }

    async fn judged_mark(&self) -> io::Result<Option<BTreeSet<KeyId>>> {
        let stored = self.s3.get(mark::MARK, None).await?.map(Vec::from);
        let path = Path::new(mark::MARK);
        let needed = mark::judged(stored, path, &self.vault, "the document store");
        // The whole reason in one line.
        needed.map_err(|error| io::Error::other(format!("{error:#}")))
    }

    /// The mark names the keys that are still needed.
    async fn remark(&self) -> io::Result<()> {
        let mut survey = Survey::default();
        for begin in ["documents/", "incoming/"] {
            for key in self.s3.list(begin).await? {
                if let Some(bytes) = self.s3.get(&key, None).await? {
                    survey.add(keys_of_bytes(&bytes));
                }
            }
        }
        let needed = survey.keys.into_keys();
        let current = self.vault.ring().map(|ring| ring.current_id());
        let text = mark::text(&needed.chain(current).collect());
        self.put_short(mark::MARK, text.as_bytes()).await
    }

    async fn rewrap(&self, key: &str) -> io::Result<Rewrapped> {
        let Some(ring) = self.vault.ring() else {
            return Ok(Rewrapped::Plain);
        };
        let Some(bytes) = self.s3.get(key, None).await? else {
            return Ok(Rewrapped::Already);
        };
        if keys_of_bytes(&bytes).is_none() {
            return Ok(Rewrapped::Plain);
        }
        let Some(rewrapped) = rewrap_bytes(ring, Path::new(key), &bytes)? else {
            return Ok(Rewrapped::Already);
        };
        let label = self.label_at(key).await?;
        self.s3.put(key, rewrapped.into()).await?;
        if let Some(label) = label
            && self.is_over(key, &label).await?
        {
            self.s3.delete(key).await?;
        }
        Ok(Rewrapped::Done)
    }

    /// Whether a node has taken a label away while it was written anew.
    async fn is_over(&self, key: &str, label: &Label) -> io::Result<bool> {
        // A document that is removed: first the node says so, and last the bytes go.
        let name = &label.arrival;
        if self.s3.size(&format!("removing/{name}")).await?.is_some()
            || self.s3.size(&data(name)).await?.is_none()
        {
            return Ok(true);
        }
        // One that has arrived: first it gets its place.
        let place = place_of(&label.unique_id);
        let there = self.label_at(&place).await?;
        Ok(key == incoming(name) && there.is_some_and(|there| there.arrival == *name))
    }

    /// Encrypts a document that is plain, under another name; says whether it was plain.
    async fn encrypt(&self, place: &str) -> io::Result<bool> {
        let Some(label) = self.label_at(place).await? else {
            return Ok(false);
        };
        if label.data_key.is_some() {
            return Ok(false);
        }
        let key = format!("{ENCRYPTING}{}", label.arrival);
        let changing = Changing {
            unique_id: label.unique_id.clone(),
        };
        self.put_short(&key, &serde_json::to_vec(&changing)?)
            .await?;
        let mut receiving = self.receive();
        let mut coming = fetched(Arc::clone(&self.s3), data(&label.arrival), label.clone());
        while let Some(chunk) = coming.recv().await {
            receiving.write(chunk?).await?;
        }
        let said = Said {
            unique_id: label.unique_id.clone(),
            entry_uuid: label.entry_uuid.clone(),
            mime_type: label.mime_type.clone(),
            patient_id: label.patient_id.clone(),
        };
        let sealed = receiving.seal(said).await?;
        let mut arrival = sealed.await.map_err(io::Error::other)??;
        // It is a document that the registry knows.
        arrival.is_sent();
        let new: &Label = &arrival.label;
        if !new.is_same_content(&label) {
            let name = new.arrival.clone();
            self.s3.delete(&data(&name)).await?;
            self.s3.delete(&incoming(&name)).await?;
            return Err(io::Error::other("its bytes are not what its label says"));
        }
        self.put_label(place, new).await?;
        self.s3.delete(&incoming(&new.arrival)).await?;
        self.finish_change(&key).await?;
        Ok(true)
    }

    /// Removes the plain bytes of a document that is encrypted now.
    async fn finish_change(&self, key: &str) -> io::Result<()> {
        let name = key.trim_start_matches(ENCRYPTING);
        if Uuid::try_parse(name).is_err() {
            return Ok(());
        }
        if let Some(bytes) = self.s3.get(key, None).await? {
            let bytes = hilum_security::at_rest::content_of(Path::new(key), bytes.into())?;
            let changing: Changing = serde_json::from_slice(&bytes)?;
            let there = self.label_at(&place_of(&changing.unique_id)).await?;
            if there.is_none_or(|there| there.arrival != name) {
                self.s3.delete(&data(name)).await?;
            }
        }
        self.s3.delete(key).await
    }
}
