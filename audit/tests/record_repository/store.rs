//! A repository in a folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hilum_audit::record_repository::verify::{Finding, Verification, verify};
use hilum_audit::record_repository::{
    Form, Head, LogError, OpenError, Received, RecordRepository, RecordRepositoryConfig, Via,
};
use hilum_audit::{Audit, AuditConfig};
use hilum_security::at_rest::{KeyRing, Vault};
use hilum_security::signing::{PublicKey, SigningKey};

/// How long a log may stay in use after its repository has gone.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Store {
    folder: tempfile::TempDir,
    pub(crate) config: RecordRepositoryConfig,
}

impl Store {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("audit.key");
        SigningKey::generate().unwrap().write(&key).unwrap();
        let mut config = RecordRepositoryConfig::new(folder.path().join("log"), key);
        config.log.segment_bytes = 3000;
        Self { folder, config }
    }

    /// The same, encrypted.
    pub(crate) fn encrypted() -> Self {
        let mut store = Self::new();
        store.encrypt();
        store
    }

    /// From now on, with keys of its own.
    pub(crate) fn encrypt(&mut self) {
        let keys = self.folder.path().join("keys");
        KeyRing::generate(&keys, None).unwrap();
        let ring = KeyRing::open(&keys, None).unwrap();
        ring.install();
        self.config.log.vault = Vault::with(ring).sealing_fields();
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn audit_spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    pub(crate) fn audit(&self) -> Audit {
        let config = AuditConfig {
            spool: self.audit_spool(),
            source_id: "test".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 20,
        };
        Audit::open(config).unwrap()
    }

    pub(crate) fn open(&self) -> RecordRepository {
        self.try_open().unwrap()
    }

    /// Opens it when whoever had it before has let it go: the index may still be at work for a moment.
    pub(crate) fn try_open(&self) -> Result<RecordRepository, OpenError> {
        let began = Instant::now();
        loop {
            let opened = RecordRepository::open(self.config.clone(), self.audit());
            let in_use = matches!(opened, Err(OpenError::Log(LogError::InUse { .. })));
            if !in_use || began.elapsed() > PATIENCE {
                return opened;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A log of `count` records, signed for after every tenth and at the end.
    pub(crate) async fn filled(count: u64) -> Self {
        Self::new().fill(count).await
    }

    /// The same, of one that is empty.
    pub(crate) async fn fill(self, count: u64) -> Self {
        let store = self;
        let repository = store.open();
        for number in 0..count {
            let kept = repository.log().append(vec![record(number)]).await;
            assert_eq!(kept, Ok(number..number + 1));
            if number % 10 == 9 {
                repository.sign().await;
            }
        }
        repository.sign().await;
        store
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let key = SigningKey::read(&self.config.signing_key).unwrap();
        key.public().unwrap()
    }

    pub(crate) fn verify(&self) -> Verification {
        self.verify_with(&[])
    }

    pub(crate) fn verify_with(&self, heads: &[Head]) -> Verification {
        verify(&self.path(), &self.public_key(), heads).unwrap()
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.verify().findings
    }

    /// The segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("segments")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "records"))
            .collect();
        paths.sort();
        paths
    }
}

/// The number in the name of a segment.
pub(crate) fn first_of(segment: &Path) -> u64 {
    segment
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// The records of a segment, as they stand in the file.
pub(crate) fn split(segment: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = segment;
    while !rest.is_empty() {
        assert_eq!(&rest[..2], b"HR");
        let length = u32::from_be_bytes(rest[10..14].try_into().unwrap()) as usize;
        let (record, after) = rest.split_at(14 + length + 32);
        records.push(record.to_vec());
        rest = after;
    }
    records
}

pub(crate) fn record(number: u64) -> Received {
    Received {
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number),
        via: Via::Tls,
        from: "192.0.2.1:40000".parse().unwrap(),
        node: Some("CN=sender, O=Example".to_owned()),
        form: Form::Syslog,
        cut: false,
        bytes: format!("<85>1 2026-11-27T17:00:00Z host app - - - record number {number}").into(),
    }
}
