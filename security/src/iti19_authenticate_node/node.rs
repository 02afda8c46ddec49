//! A node's TLS: what all its doors and clients share, and how it changes while they are open.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ssl::{Error, Ssl, SslAcceptor, SslConnector, SslRef};
use openssl::x509::X509;
use tokio::sync::watch;

use super::client::ClientTls;
use super::files::{Contents, TlsError, TlsFiles};
use super::judge::{Side, Trust};
use super::refusal::{self, NotAuthenticated, date};
use super::rules::{PeerRules, names_allow};
use super::standing::Standing;
use super::{context, peer};
use crate::caller::{NodeName, distinguished_name};

/// How long the keys are used with which sessions are resumed (RFC 9325, 3.4), and after how long
/// those who are connected are looked at again though no file has changed: certificates end.
const FRESH: Duration = Duration::from_secs(3600);

/// A node's TLS, as its files say now. Clones are the same.
#[derive(Clone)]
pub struct NodeTls {
    inner: Arc<Inner>,
}

struct Inner {
    files: TlsFiles,
    rules: PeerRules,
    current: RwLock<Arc<Current>>,
    /// The digests of files that were refused, so that this is said once.
    refused: Mutex<Option<Digests>>,
    changed: watch::Sender<()>,
}

type Digests = [(&'static str, [u8; 32]); 5];

/// What was made of the files.
pub(super) struct Current {
    acceptor: SslAcceptor,
    pub(super) connector: SslConnector,
    pub(super) trust: Arc<Trust>,
    contents: Contents,
    digests: Digests,
    since: Instant,
}

/// What reading the files again brought.
#[derive(Debug)]
pub enum Reloaded {
    /// Nothing new, or nothing new that can be used and was not refused before already.
    Unchanged,
    /// Something new, in words: what is used from now on.
    Changed(String),
    /// Something that cannot be used: what was used before is used on.
    Refused(TlsError),
}

impl NodeTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn open(files: TlsFiles, rules: PeerRules) -> Result<Self, TlsError> {
        let contents = Contents::read(&files, &rules)?;
        let current = Current::of(&files, &rules, contents)?;
        Ok(Self {
            inner: Arc::new(Inner {
                files,
                rules,
                current: RwLock::new(Arc::new(current)),
                refused: Mutex::default(),
                changed: watch::Sender::new(()),
            }),
        })
    }

    /// Whether those whom the files trust now issued what a node showed, or trust that alone. Dates and
    /// revocation were looked at when it connected.
    pub fn vouches_for(&self, node: &NodeName) -> bool {
        let Some(certificate) = &node.certificate.0 else {
            return false;
        };
        let issued = X509::from_der(certificate).and_then(|it| self.current().trust.issued(&it));
        issued.unwrap_or(false)
    }

    /// The server's side.
    pub fn server(&self) -> ServerTls {
        ServerTls { node: self.clone() }
    }

    /// The client's side.
    pub fn client(&self) -> ClientTls {
        ClientTls::of(self.clone(), self.inner.files.check_server_name)
    }

    /// Reads the files again. Who connects from now on meets what they say, and who is connected is
    /// looked at again. This reads files and may take a while if there are long revocation lists.
    pub fn reload(&self) -> Reloaded {
        let inner = &*self.inner;
        let before = self.current();
        let unread = |error: TlsError| {
            // A file that is away is said once too.
            self.refuse(
                [("", openssl::sha::sha256(error.to_string().as_bytes())); 5],
                error,
            )
        };
        let contents = match Contents::read(&inner.files, &inner.rules) {
            Ok(contents) => contents,
            Err(error) => return unread(error),
        };
        let digests = contents.digests();
        if digests == before.digests {
            *self.refused() = None;
            if before.since.elapsed() > FRESH {
                return self.freshen(&before);
            }
            return Reloaded::Unchanged;
        }
        let current = match Current::of(&inner.files, &inner.rules, contents) {
            Ok(current) => current,
            Err(error) => return self.refuse(digests, error),
        };
        let both = before.digests.iter().zip(&current.digests);
        let kinds = both.filter(|(before, now)| before != now);
        let kinds: Vec<&str> = kinds.map(|(_, (kind, _))| *kind).collect();
        let words = format!("{}: {}", kinds.join(", "), current.words());
        *self.refused() = None;
        self.replace(current);
        Reloaded::Changed(words)
    }

    /// The same files with new keys for the resumption of sessions.
    fn freshen(&self, before: &Current) -> Reloaded {
        let inner = &*self.inner;
        match Current::of(&inner.files, &inner.rules, before.contents.clone()) {
            Ok(current) => {
                self.replace(current);
                Reloaded::Unchanged
            }
            Err(error) => Reloaded::Refused(error),
        }
    }

    fn replace(&self, current: Current) {
        let place = self.inner.current.write();
        *place.unwrap_or_else(PoisonError::into_inner) = Arc::new(current);
        self.inner.changed.send_replace(());
    }

    fn refuse(&self, digests: Digests, error: TlsError) -> Reloaded {
        let mut refused = self.refused();
        match refused.replace(digests) == Some(digests) {
            true => Reloaded::Unchanged,
            false => Reloaded::Refused(error),
        }
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Option<Digests>> {
        let refused = self.inner.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn current(&self) -> Arc<Current> {
        let current = self.inner.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn standing(&self, session: &SslRef, side: Side) -> Option<Standing> {
        let certificate = session.peer_certificate()?;
        let between = session.peer_cert_chain().into_iter().flatten();
        let between: Vec<X509> = between.map(|it| it.to_owned()).collect();
        let changed = self.inner.changed.subscribe();
        Some(Standing::new(
            self.clone(),
            side,
            certificate,
            between,
            changed,
        ))
    }
}

impl fmt::Debug for NodeTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("NodeTls")
            .field("files", &self.inner.files)
            .finish_non_exhaustive()
    }
}

impl Current {
    fn of(files: &TlsFiles, rules: &PeerRules, contents: Contents) -> Result<Self, TlsError> {
        let trust = Arc::new(Trust::of(&contents, rules)?);
        Ok(Self {
            acceptor: context::acceptor(files, &contents, &trust)?,
            connector: context::connector(&contents, &trust)?,
            trust,
            digests: contents.digests(),
            contents,
            since: Instant::now(),
        })
    }

    /// What is used, for the log and the audit.
    fn words(&self) -> String {
        let own = self.acceptor.context().certificate();
        let own = own.map_or_else(String::new, |own| {
            let subject = distinguished_name(own.subject_name());
            let name = NodeName::of(own).map(|name| name.fingerprint);
            let fingerprint = name.unwrap_or_default();
            let end = date(own.not_after());
            format!("now {subject}, sha256:{fingerprint}, until {end}")
        });
        let trusted = self.trust.certificates().len();
        let lists = self.trust.lists().len();
        format!("{own}; {trusted} trusted; {lists} revocation lists")
    }
}

/// The server's side of a node's TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    node: NodeTls,
}

impl ServerTls {
    /// The TLS state of one connection.
    ///
    /// # Errors
    /// If the library cannot make one.
    pub fn session(&self) -> Result<Ssl, ErrorStack> {
        let mut session = Ssl::new(self.node.current().acceptor.context())?;
        refusal::begin(&mut session, None);
        Ok(session)
    }

    /// Why a handshake failed.
    pub fn refusal(&self, session: &SslRef, error: &Error) -> NotAuthenticated {
        NotAuthenticated::of(session, error)
    }

    /// The node at the other end of a connection, if it showed a certificate. A session that is
    /// resumed was not judged, so it is here.
    ///
    /// # Errors
    /// If the node may not call, or no longer.
    pub fn admit(&self, session: &SslRef) -> Result<Option<NodeName>, NotAuthenticated> {
        let garbled = |error: ErrorStack| NotAuthenticated {
            library: Some(error.to_string()),
            ..NotAuthenticated::because("its certificate is garbled")
        };
        let Some(node) = peer(session).map_err(garbled)? else {
            return Ok(None);
        };
        let refused = |reason: String| NotAuthenticated {
            subject: Some(node.subject.clone()),
            ..NotAuthenticated::because(reason)
        };
        if let Some(certificate) = session
            .peer_certificate()
            .filter(|_| session.session_reused())
        {
            if let Some(dates) = refusal::wrong_dates(&certificate) {
                return Err(refused(dates));
            }
            if !names_allow(&self.node.inner.rules.names, &certificate) {
                return Err(refused(refusal::NOT_NAMED.to_owned()));
            }
        }
        Ok(Some(node))
    }

    /// Tells later whether the other end is still accepted; nothing of who showed no certificate.
    pub fn standing(&self, session: &SslRef) -> Option<Standing> {
        self.node.standing(session, Side::Server)
    }
}
