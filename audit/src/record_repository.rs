//! The Audit Record Repository: receives what others record (ITI-20), keeps every byte of it in a
//! [`Log`] that shows when it was touched, and answers questions about it.
//!
//! In reading order: [`received`] is what comes in, [`listening`] how, [`log`](mod@log) where it is kept, as
//! leaves of a [`tree`] whose [`head`]s are signed; [`proofs`] are given of it over HTTP, and
//! [`verify`] looks at all of it without a repository that runs.
//! What records say is [`understood`], found by an [`index`] and told in answers ([`web`]).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

mod datagrams;
mod forward;
mod framing;
pub mod head;
pub(crate) mod index;
mod iti20_record_audit_event;
mod iti81_retrieve_atna_audit_event;
mod iti82_retrieve_syslog_event;
mod listening;
pub mod log;
pub mod proof;
mod proofs;
pub mod received;
mod retention;
pub mod tree;
mod understood;
pub mod verify;
mod web;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hilum_security::Permission;
use hilum_security::access::Access;
use hilum_security::iti19_authenticate_node::TlsError;
use hilum_security::signing::{self, SigningKey};
use hilum_transport::{Incoming, PermittedRequest, Reply, Request};
use thiserror::Error;
use tokio::sync::Semaphore;
use xds_schemas::soap::Fault;

use crate::moment::Moment;
use crate::{Audit, Event};

pub use head::Head;
pub use index::{IndexError, rebuild};
pub use log::headers::damaged_files;
pub use log::{Log, LogConfig, LogError, NotKept};
pub use received::{Form, Received, Via};

use head::{HeadSigner, Heads};
use index::{Following, Index};

/// The first segments of the paths that are not asked with SOAP.
pub const REST: [&str; 4] = ["audit", "fhir", "syslog", "syslogsearch"];
/// Bytes of a message: an envelope of the largest size, in base64 and described, and more.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Seconds between signed heads: what is changed within is only found by who looks at the hashes.
pub const HEAD_SECONDS: u64 = 60;
/// Connections on which syslog is received at one time.
pub const CONNECTIONS: usize = 1024;
/// Messages of more than a mebibyte that are received at one time.
const LARGE_MESSAGES: usize = 16;
/// The index, in the folder of the log. It is made anew when it is not there.
pub(crate) const INDEX_FILE: &str = "index.db";
/// Files that cannot be read and are told of one by one.
const TOLD: usize = 10;
/// How often it is looked whether the time of records is over.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How to receive and keep.
#[derive(Debug, Clone)]
pub struct RecordRepositoryConfig {
    /// Where the log is.
    pub log: LogConfig,
    /// PEM: the key that signs tree heads.
    pub signing_key: PathBuf,
    /// [`MESSAGE_BYTES`]: of a longer message the beginning is kept.
    pub message_bytes: usize,
    /// [`HEAD_SECONDS`]
    pub head_every: Duration,
    /// How long records are kept; for ever if not given.
    pub retention: Option<Duration>,
    /// Nothing is removed, whatever the time.
    pub legal_hold: bool,
    /// Who may read it, beside what [`Permission::Audit`] asks of everybody.
    pub access: Access,
}

impl RecordRepositoryConfig {
    /// A log as usual, of which nothing is ever removed.
    pub fn new(store: impl Into<PathBuf>, signing_key: impl Into<PathBuf>) -> Self {
        Self {
            log: LogConfig::new(store),
            signing_key: signing_key.into(),
            message_bytes: MESSAGE_BYTES,
            head_every: Duration::from_secs(HEAD_SECONDS),
            retention: None,
            legal_hold: false,
            access: Access::everything(),
        }
    }
}

/// Why the repository cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Because of its log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Because of the key that signs.
    #[error(transparent)]
    Key(#[from] TlsError),
    /// Because of its index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The library that signs refused.
    #[error("heads cannot be signed: {0}")]
    Signing(#[from] std::io::Error),
}

/// The Audit Record Repository. Clones share it.
#[derive(Debug, Clone)]
pub struct RecordRepository {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: RecordRepositoryConfig,
    log: Log,
    audit: Audit,
    index: Index,
    /// Nobody follows the log if there is no runtime.
    following: Option<Following>,
    signer: HeadSigner,
    public_key: Vec<u8>,
    heads: Heads,
    last: Mutex<Option<Head>>,
    /// What is wrong with the log, found when it was opened.
    wrong: Option<String>,
    large: Arc<Semaphore>,
    dropped: AtomicU64,
}

impl RecordRepository {
    /// Opens the repository. What others ask it is recorded in `audit`.
    ///
    /// # Errors
    /// If its log or its key cannot be used.
    pub fn open(config: RecordRepositoryConfig, audit: Audit) -> Result<Self, OpenError> {
        let key = SigningKey::read(&config.signing_key)?;
        let public = key.public().map_err(std::io::Error::from)?;
        let public_key = public.to_pem().map_err(std::io::Error::from)?;
        let store = &config.log.store;
        let heads = Heads::of(store);
        let last = heads.last(|head| head.is_signed_by(&public))?;
        let size = last.as_ref().map_or(0, |head| head.size);
        let log = Log::open_signed(&config.log, size)?;
        heads.mend()?;
        let wrong = last.as_ref().and_then(|head| differs(&log, head));
        if let Some(wrong) = &wrong {
            tracing::error!(
                wrong,
                "the audit log is not what was signed for: see `hilum audit verify`"
            );
        }
        let wrong = wrong.or_else(|| unreadable(&log));
        let id = log_id(store)?;
        std::fs::write(store.join(head::KEY_FILE), &public_key)?;
        let signer = HeadSigner::new(key, id, &audit.source().id)?;
        let (index, writer) =
            Index::open(&store.join(INDEX_FILE), config.log.vault.ring_of_fields())?;
        let runtime = tokio::runtime::Handle::try_current();
        let following = runtime.is_ok().then(|| Following::start(&log, writer));
        Ok(Self {
            shared: Arc::new(Shared {
                log,
                audit,
                index,
                following,
                signer,
                public_key,
                heads,
                last: Mutex::new(last),
                wrong,
                large: Arc::new(Semaphore::new(LARGE_MESSAGES)),
                dropped: AtomicU64::new(0),
                config,
            }),
        })
    }

    /// What was received.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }

    /// As whom this node records what it is asked.
    pub fn audit(&self) -> &Audit {
        &self.shared.audit
    }

    /// How many datagrams the system is known to have dropped.
    pub fn dropped_datagrams(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn add_dropped(&self, dropped: u64) -> u64 {
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed) + dropped
    }

    fn message_bytes(&self) -> usize {
        self.shared.config.message_bytes
    }

    fn log_id(&self) -> &str {
        self.shared.signer.log()
    }

    fn large(&self) -> Arc<Semaphore> {
        Arc::clone(&self.shared.large)
    }

    fn index(&self) -> &Index {
        &self.shared.index
    }

    fn following(&self) -> Option<&Following> {
        self.shared.following.as_ref()
    }

    /// Lets a request be read whose answer says what was recorded of others: with rules, one of them must
    /// name this. Handing in is open to every node.
    fn reading(&self, request: Request) -> Result<PermittedRequest, Fault> {
        let access = &self.shared.config.access;
        let granted = access.grant(request.caller(), Permission::Audit, SystemTime::now());
        if let Err(refused) = granted {
            let address = request.caller().address.ip().to_canonical();
            tracing::warn!(%address, "{refused}");
            return Err(Fault::not_permitted("not permitted"));
        }
        request.permitted(Permission::Audit)
    }

    fn public_key(&self) -> &[u8] {
        &self.shared.public_key
    }

    /// Signs heads and removes records whose time is over, until `stop`; then signs a last head.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> bool {
        if let Some(wrong) = &self.shared.wrong {
            let store = self.log().store().display().to_string();
            let event = Event::audit_log_changed(&store, wrong);
            if let Ok(recorded) = self.audit().record(event, ()).await {
                recorded.into_inner();
            }
        }
        let mut heads = tokio::time::interval(self.shared.config.head_every);
        let mut retention = tokio::time::interval(RETENTION_INTERVAL);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = heads.tick() => self.sign().await,
                _ = retention.tick() => self.remove_what_is_over(SystemTime::now()).await,
            };
        }
        self.sign().await;
        true
    }

    /// Signs a head and keeps it, if there is anything new.
    pub async fn sign(&self) {
        let repository = self.clone();
        let signed = tokio::task::spawn_blocking(move || {
            let shared = &repository.shared;
            let mut last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
            let end = shared.log.end();
            if last.as_ref().is_some_and(|last| last.size == end) {
                return Ok(());
            }
            let head = shared.head(end)?;
            shared.heads.add(&head).map_err(std::io::Error::other)?;
            *last = Some(head);
            Ok::<_, std::io::Error>(())
        });
        match signed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the head of the audit log was not signed"),
            Err(error) => tracing::error!(%error, "the head of the audit log was not signed"),
        }
    }

    /// The head of the log as it is now.
    ///
    /// # Errors
    /// If hashes cannot be read, or it cannot be signed.
    pub async fn head(&self) -> std::io::Result<Head> {
        let repository = self.clone();
        let head = move || {
            let shared = &repository.shared;
            let last = shared.last.lock().unwrap_or_else(PoisonError::into_inner);
            let end = shared.log.end();
            match &*last {
                Some(last) if last.size == end => Ok(last.clone()),
                _ => shared.head(end),
            }
        };
        tokio::task::spawn_blocking(head).await?
    }

    /// Takes everything that comes over HTTP.
    pub async fn serve(&self, incoming: Incoming) -> Reply {
        let nothing = || Reply::plain(404, "text/plain; charset=utf-8", "there is nothing here\n");
        match incoming {
            Incoming::Refused(refusal) => {
                let reply = refusal.reply();
                self.audit().refuse(Event::from(&refusal), reply).await
            }
            Incoming::Call(call) => {
                let fault = Fault::sender("nothing is asked with SOAP here");
                let event = Event::refused(call.caller(), &fault);
                self.audit().refuse(event, Reply::fault(&fault)).await
            }
            Incoming::Request(request) => match request.path().split('/').nth(1) {
                Some("audit") => proofs::serve(self, request).await,
                Some("fhir" | "syslog" | "syslogsearch") => web::serve(self, request).await,
                _ => nothing(),
            },
            Incoming::Get(_) => nothing(),
        }
    }
}

impl Shared {
    fn head(&self, size: u64) -> std::io::Result<Head> {
        let root = self.log.root(size).map_err(std::io::Error::other)?;
        self.signer.sign(size, &root, Moment::of(SystemTime::now()))
    }
}

/// Which records cannot be read because the headers of their files are damaged, if there are any.
fn unreadable(log: &Log) -> Option<String> {
    let said = |records: std::ops::Range<u64>| {
        let last = records.end.saturating_sub(1);
        format!("records {} to {last}", records.start)
    };
    let said: Vec<String> = log.locked().take(TOLD).map(said).collect();
    let why = "cannot be read: the headers of their files are damaged";
    (!said.is_empty()).then(|| format!("{} {why}", said.join(", ")))
}

/// What is wrong if the log does not have the root that was signed.
fn differs(log: &Log, head: &Head) -> Option<String> {
    let same = match log.root(head.size) {
        Ok(root) => Some(root) == head.root_hash(),
        Err(_) => false,
    };
    (!same).then(|| {
        let Head { size, time, .. } = head;
        format!("the first {size} records are not those of {time}")
    })
}

/// The name of a log, which is made with it.
fn log_id(store: &std::path::Path) -> Result<String, OpenError> {
    let path = store.join("log.id");
    match std::fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(LogError::at(&path)(error).into()),
    }
    let id = signing::random_name().map_err(std::io::Error::from)?;
    std::fs::write(&path, format!("{id}\n")).map_err(LogError::at(&path))?;
    Ok(id)
}

/// Reads anything as everything it may be.
#[cfg(test)]
pub(crate) fn understood_for_tests(bytes: &[u8]) {
    for form in [Form::Syslog, Form::FhirJson, Form::FhirXml] {
        let received = Received {
            at: SystemTime::UNIX_EPOCH,
            via: Via::Udp,
            from: std::net::SocketAddr::from(([127, 0, 0, 1], 1)),
            node: None,
            form,
            cut: false,
            bytes: bytes.to_vec(),
        };
        for told in understood::events(0, &received) {
            let json: serde_json::Value = serde_json::from_str(&told.json()).expect("it is JSON");
            assert_eq!(json["resourceType"], "AuditEvent");
            assert_eq!(json, told.resource());
            assert!(understood::event(told.id, &received).is_some());
        }
    }
}
