//! The decision log in the API server: what was decided, from which inputs, and by whom.
//!
//! The head, one ConfigMap, is the commit point. It lists the last decisions and is only ever replaced under
//! the resource version that its writer read or wrote last. A decision's snapshot and solution are stored
//! before, as immutable objects named by their content, so that a head never names what is not there.
//! Whoever becomes leader claims the head first; from then on every write of an earlier leader fails.

pub mod blob;
pub mod head;

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::ConfigMap, jiff};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PartialObjectMeta, PostParams},
};

use self::blob::Blob;
pub use self::head::{Entry, Head, Keep};
use crate::{
    operator::objects,
    placement::record::{DecisionRecord, RecordError},
};

/// Where the log and the leader's lease are.
pub const NAMESPACE: &str = "lattice-system";
/// The ConfigMap that lists the last decisions.
pub const HEAD: &str = "lattice-decisions";

const HEAD_KEY: &str = "head.json";
const PART_KEY: &str = "part";
const BLOB_LABEL: &str = "lattice.dev/decision-blob";
/// Most objects removed in one sweep, so that a sweep never holds up decisions.
const SWEEP_MOST: usize = 200;
/// Objects looked at together in a sweep, and how often at most: more than the largest log has.
const SWEEP_PAGE: u32 = 500;
const SWEEP_PAGES: usize = 100;
/// Orphans younger than this may be another writer's that is about to commit.
const ORPHAN_AGE: Duration = Duration::from_secs(120);

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The API server refused or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
    /// Somebody else wrote the head since: this writer's time is over.
    #[error("somebody else wrote the head of the log")]
    Fenced,
    /// A decision could not be packed or unpacked.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A decision is too large to be stored.
    #[error("{bytes} bytes, packed, are more than the log takes")]
    TooLarge {
        /// Size when packed.
        bytes: usize,
    },
    /// What is stored is not what its name says.
    #[error("blob {0} is damaged")]
    Corrupt(String),
    /// The head is not ours.
    #[error("the head of the log cannot be read: {0}")]
    Head(#[from] serde_json::Error),
    /// The thread that unpacked it ended without an answer.
    #[error("unpacking ended without an answer: {0}")]
    Unpacking(#[from] tokio::task::JoinError),
    /// A part of a decision is missing.
    #[error("{0} is missing")]
    Missing(String),
}

/// Read access for anybody.
#[derive(Clone, Debug)]
pub struct Reader {
    maps: Api<ConfigMap>,
}

impl Reader {
    /// The log in this cluster.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            maps: Api::namespaced(client, NAMESPACE),
        }
    }

    /// The head, if there is one.
    ///
    /// # Errors
    /// If the API server does not answer, or the head is not ours.
    pub async fn head(&self) -> Result<Option<Head>, LogError> {
        let map = self.maps.get_opt(HEAD).await?;
        map.as_ref().map(parse).transpose()
    }

    /// A decision with all that it was made from.
    ///
    /// # Errors
    /// If a part is missing or damaged.
    pub async fn record(&self, entry: &Entry) -> Result<DecisionRecord, LogError> {
        let bytes = self.packed(entry).await?;
        let decoding = tokio::task::spawn_blocking(move || DecisionRecord::decode(&bytes));
        Ok(decoding.await??)
    }

    /// The same, packed as it is stored.
    ///
    /// # Errors
    /// If a part is missing or damaged.
    pub async fn packed(&self, entry: &Entry) -> Result<Vec<u8>, LogError> {
        let reference = &entry.blob;
        let mut parts = Vec::with_capacity(reference.parts);
        for name in reference.names() {
            let map = self.maps.get_opt(&name).await?;
            let part = map
                .and_then(|map| map.binary_data)
                .and_then(|mut data| data.remove(PART_KEY))
                .ok_or(LogError::Missing(name))?;
            parts.push(part.0);
        }
        blob::join(reference, &parts)
    }
}

/// The one writer of a leader's term.
#[derive(Debug)]
pub struct Writer {
    reader: Reader,
    head: Head,
    version: String,
    keep: Keep,
    /// Parts that no decision needs any more and that could not be removed.
    leftover: BTreeSet<String>,
}

/// What is to be committed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// When it was decided, RFC 3339.
    pub time: String,
    /// Digest of the snapshot.
    pub snapshot_digest: String,
    /// Digest of the solution.
    pub solution_digest: String,
    /// Version of the solver.
    pub solver_version: String,
    /// The packed record, ready to be stored.
    pub blob: Blob,
}

impl Writer {
    /// Takes the log over for this holder and epoch. Every earlier writer is fenced from here on.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if somebody else claims it at the same time.
    pub async fn claim(
        client: Client,
        holder: &str,
        epoch: i64,
        keep: Keep,
    ) -> Result<Self, LogError> {
        ensure_namespace(&client).await?;
        let reader = Reader::new(client);
        let found = reader.maps.get_opt(HEAD).await?;
        let mut head = found.as_ref().map(parse).transpose()?.unwrap_or_default();
        head.holder = holder.to_owned();
        head.epoch = epoch;
        let version = found.as_ref().and_then(ResourceExt::resource_version);
        let version = put_head(&reader.maps, &head, version).await?;
        Ok(Self {
            reader,
            head,
            version,
            keep,
            leftover: BTreeSet::new(),
        })
    }

    /// The head as this writer wrote it last.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Read access.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Commits a decision: stores it, then writes the head that names it.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if somebody else claimed the log; nothing was committed then.
    pub async fn commit(&mut self, draft: Draft) -> Result<Entry, LogError> {
        let blob = draft.blob;
        for (name, part) in blob.reference.names().zip(blob.parts) {
            self.put_part(name, part).await?;
        }
        let entry = Entry {
            id: self.head.next_id(),
            time: draft.time,
            snapshot_digest: draft.snapshot_digest,
            solution_digest: draft.solution_digest,
            solver_version: draft.solver_version,
            holder: self.head.holder.clone(),
            epoch: self.head.epoch,
            blob: blob.reference,
        };
        let next = self.head.with(entry.clone(), &self.keep);
        self.version = put_head(&self.reader.maps, &next, Some(self.version.clone())).await?;
        let before = std::mem::replace(&mut self.head, next).referenced();
        self.drop_parts(before).await;
        Ok(entry)
    }

    /// Whether the head is still as this writer left it.
    ///
    /// # Errors
    /// [`LogError::Fenced`] if it is not.
    pub async fn verify(&self) -> Result<(), LogError> {
        let head = self.reader.maps.get_metadata_opt(HEAD).await?;
        match head.as_ref().and_then(ResourceExt::resource_version) {
            Some(version) if version == self.version => Ok(()),
            _ => Err(LogError::Fenced),
        }
    }

    /// Removes what crashes left behind: stored, but named by no head.
    ///
    /// # Errors
    /// If the API server does not answer.
    pub async fn sweep(&self) -> Result<usize, LogError> {
        let oldest =
            jiff::Timestamp::now() - jiff::SignedDuration::try_from(ORPHAN_AGE).unwrap_or_default();
        let mut params = ListParams::default().labels(BLOB_LABEL).limit(SWEEP_PAGE);
        let referenced = self.head.referenced();
        let mut removed = 0;
        // What is kept may fill many pages before the first orphan.
        for _ in 0..SWEEP_PAGES {
            let found = self.reader.maps.list_metadata(&params).await?;
            let old = found.items.iter().filter(|map| is_older(map, oldest));
            let orphans = old.map(ResourceExt::name_any);
            for name in orphans.filter(|name| !referenced.contains(name)) {
                if removed == SWEEP_MOST {
                    return Ok(removed);
                }
                self.remove(&name).await?;
                removed += 1;
            }
            match found.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        Ok(removed)
    }

    async fn put_part(&self, name: String, part: Vec<u8>) -> Result<(), LogError> {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name),
                labels: Some([(BLOB_LABEL.to_owned(), "true".to_owned())].into()),
                ..ObjectMeta::default()
            },
            binary_data: Some([(PART_KEY.to_owned(), ByteString(part))].into()),
            immutable: Some(true),
            ..ConfigMap::default()
        };
        match self.reader.maps.create(&PostParams::default(), &map).await {
            // Named by its content: what is there is the same.
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => Ok(other.map(|_| ())?),
        }
    }

    /// Removes what only decisions needed that fell off the list. What fails is tried again after the next
    /// decision; after a crash it is swept.
    async fn drop_parts(&mut self, mut dropped: BTreeSet<String>) {
        dropped.append(&mut self.leftover);
        for name in dropped.difference(&self.head.referenced()) {
            if let Err(error) = self.remove(name).await {
                tracing::debug!(%name, %error, "a part of an old decision is still there");
                self.leftover.insert(name.clone());
            }
        }
    }

    async fn remove(&self, name: &str) -> Result<(), LogError> {
        let maps = &self.reader.maps;
        let deleted = maps.delete(name, &DeleteParams::default()).await;
        Ok(objects::gone_is_fine(deleted)?)
    }
}

/// Makes the namespace of the log and the lease, where it is not there.
///
/// # Errors
/// If the API server refuses.
pub async fn ensure_namespace(client: &Client) -> Result<(), kube::Error> {
    objects::ensure_namespace(client, NAMESPACE).await
}

fn parse(map: &ConfigMap) -> Result<Head, LogError> {
    let text = map.data.as_ref().and_then(|data| data.get(HEAD_KEY));
    let text = text.ok_or_else(|| LogError::Missing(format!("{HEAD}: {HEAD_KEY}")))?;
    Ok(serde_json::from_str(text)?)
}

/// Creates the head, or replaces the one of this version; returns the new version.
async fn put_head(
    maps: &Api<ConfigMap>,
    head: &Head,
    version: Option<String>,
) -> Result<String, LogError> {
    let text = serde_json::to_string_pretty(head)?;
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(HEAD.to_owned()),
            resource_version: version.clone(),
            ..ObjectMeta::default()
        },
        data: Some([(HEAD_KEY.to_owned(), text)].into()),
        ..ConfigMap::default()
    };
    let params = PostParams::default();
    let written = match version {
        Some(_) => maps.replace(HEAD, &params, &map).await,
        None => maps.create(&params, &map).await,
    };
    match written {
        Ok(map) => Ok(map.resource_version().unwrap_or_default()),
        Err(kube::Error::Api(status))
            if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
        {
            Err(LogError::Fenced)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_older(map: &PartialObjectMeta<ConfigMap>, than: jiff::Timestamp) -> bool {
    map.creation_timestamp().is_none_or(|time| time.0 < than)
}
