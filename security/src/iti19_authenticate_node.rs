//! ITI-19 Authenticate Node: both ends of a connection show certificates.
//!
//! The option "STX: TLS 1.2 floor using BCP195": nothing below TLS 1.2, and of TLS 1.2 only the
//! cipher suites that ITI-19 names and their ECDSA siblings. Trusted are, from one list, both
//! authorities (a chain leads to them) and single certificates (compared directly, self-signed
//! ones too). The system's list of web authorities is never used.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-19.html>

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    Ssl, SslAcceptor, SslConnector, SslContextBuilder, SslMethod, SslMode, SslRef,
    SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId};
use serde::Deserialize;
use thiserror::Error;

use crate::caller::NodeName;

/// TLS 1.2: what ITI-19 asks for by name, and the same with ECDSA keys.
const TLS12_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
     ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
     DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";
/// TLS 1.3 has no weak suites; AES first, because processors compute it.
const TLS13_SUITES: &str =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// Sessions are resumed only with the service that made them.
const SESSION_CONTEXT: &[u8] = b"hilum";

/// Where key, certificate and trust are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: this node's certificate, followed by intermediate authorities if there are any.
    pub certificate: PathBuf,
    /// PEM: the private key of the certificate.
    pub key: PathBuf,
    /// PEM files with authorities and single certificates that are trusted.
    pub trust: Vec<PathBuf>,
    /// Whether callers must show a certificate. Only ever turned off for trying things out.
    #[serde(default = "yes")]
    pub client_certificate_required: bool,
    /// Whether our client checks that the server's certificate names the host it connected to.
    /// ITI-19 holds that such names add no security when trust is a list of one's own.
    #[serde(default = "yes")]
    pub check_server_name: bool,
}

const fn yes() -> bool {
    true
}

/// Why a TLS configuration cannot be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nobody is trusted, so nobody could connect.
    #[error("no trusted certificates are configured: name at least one file in `trust`")]
    NobodyTrusted,
    /// The TLS library refused.
    #[error("the TLS library refused the configuration: {0}")]
    Library(#[from] ErrorStack),
}

/// The server's side.
pub fn server_config(files: &TlsFiles) -> Result<SslAcceptor, TlsError> {
    // Brings the Diffie-Hellman group ffdhe2048; the suites are set below.
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    let trust = read_trust(&files.trust)?;
    configure(&mut builder, files)?;
    builder.set_session_id_context(SESSION_CONTEXT)?;
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    // The names of the authorities help a client with several certificates to choose.
    let mut names = Stack::new()?;
    for certificate in &trust {
        names.push(certificate.subject_name().to_owned()?)?;
    }
    builder.set_cert_store(store(trust)?);
    if files.client_certificate_required {
        builder.set_client_ca_list(names);
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    } else {
        builder.set_verify(SslVerifyMode::NONE);
    }
    Ok(builder.build())
}

/// Told of a host with which there was no TLS, and why; what it does with that is waited for.
pub type Witness = Arc<dyn Fn(&str, &str) -> Told + Send + Sync>;
/// What a [`Witness`] does.
pub type Told = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The client's side.
#[derive(Clone)]
pub struct ClientTls {
    connector: SslConnector,
    check_server_name: bool,
    witness: Option<Witness>,
}

impl ClientTls {
    /// The TLS state for one connection to `host`.
    pub fn session(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut configuration = self.connector.configure()?;
        configuration.set_verify_hostname(self.check_server_name);
        configuration.into_ssl(host)
    }

    /// The same, but failures are told.
    #[must_use]
    pub fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// The handshake with a host has failed: whoever is to know is told.
    pub async fn failed(&self, host: &str, why: &str) {
        if let Some(witness) = &self.witness {
            witness(host, why).await;
        }
    }
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ClientTls")
            .field("check_server_name", &self.check_server_name)
            .finish_non_exhaustive()
    }
}

/// The client's side.
pub fn client_config(files: &TlsFiles) -> Result<ClientTls, TlsError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    configure(&mut builder, files)?;
    builder.set_cert_store(store(read_trust(&files.trust)?)?);
    builder.set_verify(SslVerifyMode::PEER);
    Ok(ClientTls {
        connector: builder.build(),
        check_server_name: files.check_server_name,
        witness: None,
    })
}

/// The node at the other end, if it showed a certificate.
pub fn peer(session: &SslRef) -> Result<Option<NodeName>, ErrorStack> {
    session
        .peer_certificate()
        .map(|certificate| NodeName::of(&certificate))
        .transpose()
}

fn configure(builder: &mut SslContextBuilder, files: &TlsFiles) -> Result<(), TlsError> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(TLS12_SUITES)?;
    builder.set_ciphersuites(TLS13_SUITES)?;
    // An idle connection then keeps no buffers: tens of KiB less for each.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    // ITI-19: no content of a certificate may be required, so not its extended key usage either.
    builder.verify_param_mut().set_purpose(X509PurposeId::ANY)?;
    let mut chain = read_certificates(&files.certificate)?.into_iter();
    let own = chain.next().ok_or_else(|| TlsError::Content {
        path: files.certificate.clone(),
        problem: "holds no certificate in PEM form",
    })?;
    let key = read_key(&files.key)?;
    if !own.public_key()?.public_eq(&key) {
        return Err(TlsError::Content {
            path: files.key.clone(),
            problem: "is not the key of the certificate",
        });
    }
    builder.set_certificate(&own)?;
    for intermediate in chain {
        builder.add_extra_chain_cert(intermediate)?;
    }
    builder.set_private_key(&key)?;
    Ok(())
}

/// Authorities and single certificates in one store: each of them ends a chain.
pub(crate) fn store(trust: Vec<X509>) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for certificate in trust {
        store.add_cert(certificate)?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    Ok(store.build())
}

pub(crate) fn read_trust(paths: &[PathBuf]) -> Result<Vec<X509>, TlsError> {
    let mut trust = Vec::new();
    for path in paths {
        let certificates = read_certificates(path)?;
        if certificates.is_empty() {
            return Err(TlsError::Content {
                path: path.clone(),
                problem: "holds no certificate in PEM form",
            });
        }
        trust.extend(certificates);
    }
    if trust.is_empty() {
        return Err(TlsError::NobodyTrusted);
    }
    Ok(trust)
}

pub(crate) fn read_certificates(path: &Path) -> Result<Vec<X509>, TlsError> {
    X509::stack_from_pem(&read(path)?).map_err(|_| TlsError::Content {
        path: path.to_owned(),
        problem: "holds something that is no certificate in PEM form",
    })
}

pub(crate) fn read_key(path: &Path) -> Result<PKey<Private>, TlsError> {
    // Without this callback, a key with a passphrase would make the library ask on the terminal.
    PKey::private_key_from_pem_callback(&read(path)?, |_| Ok(0)).map_err(|_| TlsError::Content {
        path: path.to_owned(),
        problem: "holds no private key in PEM form, or one with a passphrase",
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}
