//! The rooms of a node, opened from its configuration.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_audit::record_repository::{self, RecordRepository, RecordRepositoryConfig};
use hilum_gateway::Gateway;
use hilum_gateway::rad160_cross_community_wado_rs;
use hilum_gateway::routes::Side;
use hilum_registry::{FeedConfig, Registry, RegistryConfig};
use hilum_repository::imaging::{
    self, Department, ImagingConfig, ImagingSource, Manifests, Publishing, dicomweb,
};
use hilum_repository::recipient::{self, Recipient, RecipientConfig};
use hilum_repository::{Consents, Repository, RepositoryConfig};
use hilum_security::access::Access;
use hilum_transport::{Client, Incoming, Reply};
use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::metadata::{Code, HomeCommunityId, RepositoryUniqueId};

use crate::client;
use crate::config::{
    Config, ConfigError, ExtraMetadata, OnDemand, RemoveRegistered, UnknownPatients,
    UnknownPatientsInQueries,
};

/// Where consents are.
const CONSENT_PATH: &str = "fhir/Consent";

type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A room that is open.
#[derive(Clone)]
pub(crate) struct Room {
    /// How it is called, which is its path too.
    pub(crate) name: &'static str,
    /// What its paths begin with that are not asked with SOAP: one segment or more.
    pub(crate) rest: &'static [&'static str],
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Answers what comes.
    pub(crate) answer: Arc<dyn Fn(Incoming) -> Answer + Send + Sync>,
}

impl Room {
    /// Whether this room serves a path: how long a part of it says so. If several do, the longest counts.
    pub(crate) fn serves(&self, path: &str) -> Option<usize> {
        let path = path.trim_start_matches('/');
        let begins = |beginning: &&str| {
            let rest = path.strip_prefix(*beginning);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let all = self.rest.iter().copied().chain([self.name]);
        all.filter(begins).map(str::len).max()
    }
}

/// What is open.
pub(crate) struct Opened {
    pub(crate) rooms: Vec<Room>,
    /// Feeds lead into it.
    pub(crate) registry: Option<Registry>,
    /// What is sent by DICOM's own protocol leads into it.
    pub(crate) imaging: Option<ImagingSource>,
    /// What is recorded here and elsewhere leads into it.
    pub(crate) records: Option<RecordRepository>,
    /// Its communities change while it is open.
    pub(crate) gateway: Option<Gateway>,
    /// Who may have which documents, in every room.
    pub(crate) access: Access,
}

/// Opens every room that the configuration enables. They ask each other with `client`.
pub(crate) async fn open(
    config: &Config,
    audit: &Audit,
    client: &Client,
) -> anyhow::Result<Opened> {
    let mut rooms = Vec::new();
    let (mut fed, mut filled) = (None, None);
    let access = config.access().context("[access]")?;
    if let Some(address) = config.registry.listen {
        let registry = registry(config, audit, &access)
            .await
            .context("[registry]")?;
        registry.notify_with(client.clone());
        fed = Some(registry.clone());
        rooms.push(room("registry", address, registry, |registry, incoming| {
            Box::pin(async move { hilum_registry::routes::serve(&registry, incoming).await })
        }));
    }
    if let Some(address) = config.repository.listen {
        let repository = repository(config, (audit, &access), client).context("[repository]")?;
        rooms.push(room(
            "repository",
            address,
            repository,
            |repository, incoming| {
                Box::pin(
                    async move { hilum_repository::routes::serve(&repository, incoming).await },
                )
            },
        ));
    }
    if let Some(address) = config.imaging.listen {
        let imaging = imaging_source(config, (audit, &access), client)?;
        filled = Some(imaging.clone());
        rooms.push(room("imaging", address, imaging, |imaging, incoming| {
            Box::pin(async move { imaging::routes::serve(&imaging, incoming).await })
        }));
    }
    if let Some(address) = config.recipient.listen {
        let recipient = recipient(config, (audit, &access), client).context("[recipient]")?;
        rooms.push(room(
            "recipient",
            address,
            recipient,
            |recipient, incoming| {
                Box::pin(async move { recipient::routes::serve(&recipient, incoming).await })
            },
        ));
    }
    let mut gateway = None;
    if let Some(address) = config.gateway.listen {
        let wanted = config.gateway(&access, audit).context("[gateway]")?;
        let opened = Gateway::open(wanted, audit.clone(), client.clone());
        let opened = opened.context("[gateway]")?;
        opened.answer_later();
        rooms.extend(gateways(&opened, address));
        gateway = Some(opened);
    }
    let records = records(config, (audit, &access), &mut rooms)?;
    if let Some(policy) = access.policy() {
        config.warn_of_closed_doors(&policy);
    }
    Ok(Opened {
        rooms,
        registry: fed,
        imaging: filled,
        records,
        gateway,
        access,
    })
}

/// The imaging source, at work: it publishes what is sent to it, watches folders, and stands beside archives.
fn imaging_source(
    config: &Config,
    (audit, access): (&Audit, &Access),
    client: &Client,
) -> anyhow::Result<ImagingSource> {
    let mut wanted = imaging_config(config, &affinity_codes(config)?)?;
    wanted.access = access.clone();
    let registry = config.registry_of_repository();
    wanted.consents = registry.map(|url| Consents::of(client.clone(), &url));
    let imaging = ImagingSource::open(wanted, audit.clone()).context("[imaging]")?;
    match config.repository_url() {
        Some(repository) => imaging.publish(Publishing {
            codes: affinity_codes(config)?,
            repository,
            registry: config.registry_url(),
            client: client.clone(),
        }),
        None => tracing::warn!(
            "[imaging]: there is no [repository] url, so what is sent here is not registered"
        ),
    }
    imaging.watch();
    let archives = config.archives(&environment)?;
    if !archives.is_empty() {
        let tls = client::recorded_tls(config, audit)?;
        imaging.stand_beside(archives, tls.as_ref(), &config.limits);
    }
    Ok(imaging)
}

/// The Audit Record Repository, if there is one here.
fn records(
    config: &Config,
    (audit, access): (&Audit, &Access),
    rooms: &mut Vec<Room>,
) -> anyhow::Result<Option<RecordRepository>> {
    let (Some(wanted), Some(address)) = (config.audit_repository(), config.audit_listen()) else {
        return Ok(None);
    };
    let mut wanted = RecordRepositoryConfig {
        access: access.clone(),
        ..wanted
    };
    wanted.log.vault = config.vault()?;
    let opened = RecordRepository::open(wanted, audit.clone()).context("[audit]")?;
    rooms.push(room(
        "audit",
        address,
        opened.clone(),
        |records, incoming| Box::pin(async move { records.serve(incoming).await }),
    ));
    Ok(Some(opened))
}

/// A variable of the environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn room<R: Clone + Send + Sync + 'static>(
    name: &'static str,
    address: SocketAddr,
    room: R,
    serve: fn(R, Incoming) -> Answer,
) -> Room {
    // DICOMweb, and WADO-URI beside it; consents.
    let rest: &[_] = match name {
        "registry" => &[CONSENT_PATH, "fhir/metadata"],
        "imaging" => &[dicomweb::DICOM_WEB, dicomweb::WADO],
        "initiating" => &[rad160_cross_community_wado_rs::INITIATING],
        "responding" => &[rad160_cross_community_wado_rs::RESPONDING],
        "audit" => &record_repository::REST,
        _ => &[],
    };
    Room {
        name,
        rest,
        address,
        answer: Arc::new(move |incoming| serve(room.clone(), incoming)),
    }
}

/// Opening a database may take a while, so it has a thread of its own.
async fn registry(config: &Config, audit: &Audit, access: &Access) -> anyhow::Result<Registry> {
    let home = HomeCommunityId::from(config.home_community_id.as_str());
    let mut wanted = RegistryConfig::new(config.registry_database(), home);
    wanted.affinity_codes = Some(affinity_codes(config)?);
    wanted.unknown_patients = match config.affinity_domain.unknown_patients {
        UnknownPatients::Refuse => hilum_registry::UnknownPatients::Refuse,
        UnknownPatients::Accept => hilum_registry::UnknownPatients::Accept,
    };
    wanted.queries_for_unknown_patients = match config.affinity_domain.unknown_patients_in_queries {
        UnknownPatientsInQueries::Refuse => hilum_registry::UnknownPatients::Refuse,
        UnknownPatientsInQueries::Empty => hilum_registry::UnknownPatients::Accept,
    };
    wanted.feed = FeedConfig {
        domain: Some(config.patient_domain()),
        application: config.feed.application.clone(),
        facility: config.feed.facility.clone(),
    };
    if let Some(max_results) = config.registry.max_results {
        wanted.max_results = max_results.get().try_into()?;
    }
    if let Some(connections) = config.registry.connections {
        wanted.connections = connections.get().into();
    }
    wanted.extra_metadata = match config.registry.extra_metadata {
        ExtraMetadata::Keep => hilum_registry::ExtraMetadata::Keep,
        ExtraMetadata::Drop => hilum_registry::ExtraMetadata::Drop,
    };
    wanted.url = config.registry_known_as().map(str::to_owned);
    wanted.subscriptions = config.subscriptions.config();
    wanted.access = access.clone();
    wanted.vault = config.vault()?;
    wanted.demographics = config.registry.demographics;
    let audit = audit.clone();
    tokio::task::spawn_blocking(move || Registry::open(wanted, audit)).await?
}

/// The codes of the affinity domain.
pub(crate) fn affinity_codes(config: &Config) -> anyhow::Result<AffinityCodes> {
    let file = &config.affinity_domain.codes;
    let text = std::fs::read_to_string(file).map_err(|error| {
        ConfigError(format!(
            "affinity_domain.codes: {}: {error}",
            file.display()
        ))
    })?;
    let codes = AffinityCodes::parse(&text).map_err(|error| {
        ConfigError(format!(
            "affinity_domain.codes: {}: {error}",
            file.display()
        ))
    })?;
    Ok(codes)
}

fn repository(
    config: &Config,
    (audit, access): (&Audit, &Access),
    client: &Client,
) -> anyhow::Result<Repository> {
    let missing = |key: &str| ConfigError(format!("repository.{key}: it is needed"));
    let unique_id = config.repository.unique_id.as_deref();
    let unique_id = unique_id.ok_or_else(|| missing("unique_id"))?;
    let registry = config.registry_of_repository();
    let registry = registry.ok_or_else(|| missing("registry"))?;
    let mut wanted = RepositoryConfig::new(
        RepositoryUniqueId::from(unique_id),
        registry,
        config.repository_store(),
    );
    let home = HomeCommunityId::from(config.home_community_id.as_str());
    wanted.home_community_id = Some(home);
    wanted.decision = config.decision();
    wanted.settled = config.settled();
    wanted.remove_registered = match config.repository.remove_registered {
        RemoveRegistered::Allow => hilum_repository::RemoveRegistered::Allow,
        RemoveRegistered::Refuse => hilum_repository::RemoveRegistered::Refuse,
    };
    wanted.on_demand = match config.repository.on_demand {
        OnDemand::Off => hilum_repository::OnDemand::Off,
        OnDemand::Transient => hilum_repository::OnDemand::Transient,
        OnDemand::Persist => hilum_repository::OnDemand::Persist,
    };
    wanted.store_access = config.store_access()?;
    wanted.access = access.clone();
    wanted.vault = config.vault()?;
    Repository::open(wanted, audit.clone(), client.clone())
}

/// The gateways: one room for the own community, one for the others.
fn gateways(gateway: &Gateway, address: SocketAddr) -> [Room; 2] {
    let initiating = room(
        "initiating",
        address,
        gateway.clone(),
        |gateway, incoming| {
            let side = Side::Initiating;
            Box::pin(async move { hilum_gateway::routes::serve(&gateway, side, incoming).await })
        },
    );
    let responding = room(
        "responding",
        address,
        gateway.clone(),
        |gateway, incoming| {
            let side = Side::Responding;
            Box::pin(async move { hilum_gateway::routes::serve(&gateway, side, incoming).await })
        },
    );
    [initiating, responding]
}

fn recipient(
    config: &Config,
    (audit, access): (&Audit, &Access),
    client: &Client,
) -> anyhow::Result<Recipient> {
    let mut wanted = RecipientConfig::new(config.recipient_store());
    wanted.home_community_id = Some(HomeCommunityId::from(config.home_community_id.as_str()));
    if let Some(limited_metadata) = config.recipient.limited_metadata {
        wanted.limited_metadata = limited_metadata;
    }
    wanted.recipients.clone_from(&config.recipient.recipients);
    if let Some(most) = config.recipient.max_submissions {
        wanted.max_submissions = most.get().try_into()?;
    }
    wanted.vault = config.vault()?;
    wanted.access = access.clone();
    let registry = config.registry_of_repository();
    wanted.consents = registry.map(|url| Consents::of(client.clone(), &url));
    Recipient::open(wanted, audit.clone())
}

/// The imaging source, as it answers and as `hilum import` fills it.
pub(crate) fn imaging_config(
    config: &Config,
    codes: &AffinityCodes,
) -> Result<ImagingConfig, ConfigError> {
    let unique_id = config.imaging_unique_id();
    let unique_id =
        unique_id.ok_or_else(|| ConfigError("imaging.unique_id: it is needed".to_owned()))?;
    let mut wanted = ImagingConfig::new(
        RepositoryUniqueId(unique_id),
        config.affinity_domain.patient_id_authority.as_str(),
        config.imaging_store(),
    );
    wanted.home_community_id = Some(HomeCommunityId::from(config.home_community_id.as_str()));
    if let Some(title) = &config.imaging.retrieve_ae_title {
        wanted.retrieve_ae_title = title.clone();
    }
    wanted.manifests = manifests(config)?;
    wanted.utc_offset = config.imaging.utc_offset.unwrap_or_default();
    wanted.department = department(codes);
    if let Some(seconds) = config.imaging.settle_seconds {
        wanted.settle = Duration::from_secs(seconds.into());
    }
    wanted.watch.clone_from(&config.imaging.watch);
    wanted.gate = config.gate()?;
    wanted.vault = config.vault()?;
    wanted.web_url = config.web_known_as();
    wanted.cors_origins.clone_from(&config.imaging.cors_origins);
    Ok(wanted)
}

/// The longest name of an institution (0008,0080).
const INSTITUTION_CHARACTERS: usize = 64;

fn manifests(config: &Config) -> Result<Manifests, ConfigError> {
    let section = &config.imaging;
    let wrong = |key: &str, problem: &str| ConfigError(format!("imaging.{key}: {problem}"));
    if let Some(url) = &section.retrieve_url
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        return Err(wrong("retrieve_url", "it begins with http:// or https://"));
    }
    for (key, oid) in [
        ("accession_issuer", &section.accession_issuer),
        ("order_issuer", &section.order_issuer),
    ] {
        if oid.as_deref().is_some_and(|oid| !is_oid(oid)) {
            return Err(wrong(key, "it is no OID"));
        }
    }
    let institution = section.institution.clone();
    let institution = institution.or_else(|| config.media.institution.clone());
    let home = || config.home_community_id.replace("urn:oid:", "");
    let institution = institution.unwrap_or_else(home);
    if institution.chars().count() > INSTITUTION_CHARACTERS || institution.contains('\\') {
        return Err(wrong(
            "institution",
            "it has at most 64 characters, and no backslash",
        ));
    }
    Ok(Manifests {
        format: section.manifest,
        codes: section.mado_codes,
        retrieve_url: section.retrieve_url.clone(),
        institution,
        accession_issuer: section.accession_issuer.clone(),
        order_issuer: section.order_issuer.clone(),
    })
}

/// The code or, where the affinity domain does not have it, the first of that kind.
pub(crate) fn known(codes: &AffinityCodes, kind: CodeKind, code: Code) -> Code {
    match codes.allows(kind, &code.code, &code.scheme) {
        true => code,
        false => codes.codes(kind).into_iter().next().unwrap_or(code),
    }
}

/// How studies are labelled: as radiology usually is, as far as the affinity domain has the codes.
pub(crate) fn department(codes: &AffinityCodes) -> Department {
    let usual = Department::default();
    let known = |kind: CodeKind, code: Code| known(codes, kind, code);
    Department {
        class_code: known(CodeKind::ClassCode, usual.class_code),
        type_code: known(CodeKind::TypeCode, usual.type_code),
        practice_setting_code: known(CodeKind::PracticeSettingCode, usual.practice_setting_code),
        healthcare_facility_type_code: known(
            CodeKind::HealthcareFacilityTypeCode,
            usual.healthcare_facility_type_code,
        ),
        confidentiality_code: known(CodeKind::ConfidentialityCode, usual.confidentiality_code),
        content_type_code: known(CodeKind::ContentTypeCode, usual.content_type_code),
        language_code: usual.language_code,
    }
}
