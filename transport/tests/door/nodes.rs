//! ITI-19: who is trusted, who is not any more, and what changes while doors are open.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{
    Expired, Missing, NodeTls, PeerRules, Pin, Reloaded, TlsError, TlsFiles,
};
use hilum_transport::{Client, Incoming, Limits, Reply, mllp};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::{X509, X509Crl, X509Name, X509Ref};
use tokio::net::TcpListener;

/// Certificates in a folder.
struct Folder {
    folder: tempfile::TempDir,
    authority: Identity,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Identity::authority("Test CA", 2).unwrap();
        let this = Self { folder, authority };
        let (certificate, key) = (this.path("ca.pem"), this.path("ca.key"));
        this.authority.write(&certificate, &key).unwrap();
        for name in ["server", "viewer", "other"] {
            this.issue(name);
        }
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new certificate, in the place of one of this name if there is one.
    fn issue(&self, name: &str) -> X509 {
        self.put(name, self.authority.issue(name, &[], 2).unwrap())
    }

    fn put(&self, name: &str, identity: Identity) -> X509 {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        for file in [&certificate, &key] {
            // There need not be one.
            let _ = std::fs::remove_file(self.path(file));
        }
        let written = identity.write(&self.path(&certificate), &self.path(&key));
        written.unwrap();
        identity.certificate
    }

    fn certificate(&self, name: &str) -> X509 {
        let pem = std::fs::read(self.path(&format!("{name}.pem"))).unwrap();
        X509::from_pem(&pem).unwrap()
    }

    /// Writes the revocation list of the authority.
    fn revoke(&self, names: &[&str], seconds: i64) -> X509Crl {
        let revoked: Vec<X509> = names.iter().map(|name| self.certificate(name)).collect();
        let revoked: Vec<&X509Ref> = revoked.iter().map(AsRef::as_ref).collect();
        let list = self.authority.revocation_list(None, &revoked, seconds);
        let list = list.unwrap();
        std::fs::write(self.path("crl.pem"), list.to_pem().unwrap()).unwrap();
        list
    }

    fn files(&self, name: &str) -> TlsFiles {
        TlsFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            trust: vec![self.path("ca.pem")],
            client_certificate_required: true,
            check_server_name: true,
        }
    }

    fn lists(&self) -> PeerRules {
        PeerRules {
            revocation: vec![self.path("crl.pem")],
            ..PeerRules::default()
        }
    }

    fn client(&self, name: &str, rules: &PeerRules) -> Client {
        let tls = NodeTls::open(self.files(name), rules.clone()).unwrap();
        Client::new(Some(tls.client()), Limits::default())
    }
}

/// A door that answers with the name of its caller.
struct Door {
    node: NodeTls,
    address: SocketAddr,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Door {
    async fn open(files: TlsFiles, rules: &PeerRules) -> Self {
        let node = NodeTls::open(files, rules.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&refused);
        let routes = move |incoming| {
            let noted = Arc::clone(&noted);
            async move {
                match incoming {
                    Incoming::Get(get) => {
                        let name = get.caller.node.map_or_else(String::new, |it| it.subject);
                        Reply::plain(200, "text/plain", name)
                    }
                    Incoming::Refused(refusal) => {
                        noted.lock().unwrap().push(refusal.fault.reason.clone());
                        refusal.reply()
                    }
                    _ => Reply::plain(400, "text/plain", "only GET"),
                }
            }
        };
        let (tls, never) = (Some(node.server()), std::future::pending());
        tokio::spawn(hilum_transport::serve(
            listener,
            tls,
            Limits::default(),
            routes,
            never,
        ));
        Self {
            node,
            address,
            refused,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// Whom the door sees, or why the client does not get in.
    async fn sees(&self, client: &Client) -> Result<String, String> {
        let answer = client.fetch(&self.url()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.1.to_vec()).unwrap())
    }

    /// Why somebody was refused, waiting for it.
    async fn refusal(&self) -> String {
        for _ in 0..300 {
            if let Some(refused) = self.refused.lock().unwrap().pop() {
                return refused;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing was refused");
    }

    /// The client does not get in, and the operator is told why.
    async fn refuses(&self, client: &Client, why: &str) {
        let error = self.sees(client).await.unwrap_err();
        let told = self.refusal().await;
        assert!(told.contains(why), "{told}");
        // The caller learns no more than that it does not pass.
        assert!(!error.contains(why), "{error}");
    }
}

const VIEWER: &str = "CN=viewer, O=Hilum development";

#[tokio::test]
async fn who_is_revoked_does_not_get_in() {
    let folder = Folder::new();
    let list = folder.revoke(&["viewer"], 3600);
    let today = "revoked by CN=Test CA, O=Hilum development on 20";
    let der = folder.path("lists/ca.crl");
    std::fs::create_dir(folder.path("lists")).unwrap();
    std::fs::write(der, list.to_der().unwrap()).unwrap();
    // What is still being fetched is not a list yet.
    std::fs::write(folder.path("lists/ca.crl.part"), "half").unwrap();
    for place in ["crl.pem", "lists"] {
        let rules = PeerRules {
            revocation: vec![folder.path(place)],
            ..PeerRules::default()
        };
        let door = Door::open(folder.files("server"), &rules).await;
        let why = format!("{VIEWER}: {today}");
        door.refuses(&folder.client("viewer", &PeerRules::default()), &why)
            .await;
        let other = door.sees(&folder.client("other", &rules)).await;
        assert_eq!(other.unwrap(), "CN=other, O=Hilum development");
    }
    // Servers are looked up too.
    folder.revoke(&["server"], 3600);
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    let error = door.sees(&folder.client("viewer", &folder.lists())).await;
    let error = error.unwrap_err();
    let told = format!("not trusted: CN=server, O=Hilum development: {today}");
    assert!(error.contains(&told), "{error}");
}

#[tokio::test]
async fn a_list_that_has_expired_is_good_for_what_is_configured() {
    let folder = Folder::new();
    folder.revoke(&["other"], -60);
    let mut rules = folder.lists();
    let viewer = folder.client("viewer", &PeerRules::default());
    let door = Door::open(folder.files("server"), &rules).await;
    let why = "the revocation list of its issuer CN=Test CA, O=Hilum development expired on 20";
    door.refuses(&viewer, why).await;
    rules.revocation_expired = Expired::Warn;
    let door = Door::open(folder.files("server"), &rules).await;
    assert_eq!(door.sees(&viewer).await.unwrap(), VIEWER);
    // It is used all the same.
    let other = folder.client("other", &PeerRules::default());
    door.refuses(&other, "revoked by").await;
}

#[tokio::test]
async fn an_authority_without_a_list_is_good_for_what_is_configured() {
    let folder = Folder::new();
    folder.revoke(&["other"], 3600);
    let foreign = Identity::authority("Foreign CA", 2).unwrap();
    let guest = foreign.issue("guest", &[], 2).unwrap();
    folder.put("foreign", foreign);
    folder.put("guest", guest);
    let mut files = folder.files("server");
    files.trust.push(folder.path("foreign.pem"));
    let mut rules = folder.lists();
    let guest = folder.client("guest", &PeerRules::default());
    let door = Door::open(files.clone(), &rules).await;
    let why = "CN=guest, O=Hilum development: no revocation list of its issuer CN=Foreign CA";
    door.refuses(&guest, why).await;
    // Those of the authority that has one are not concerned.
    let viewer = folder.client("viewer", &PeerRules::default());
    assert_eq!(door.sees(&viewer).await.unwrap(), VIEWER);
    rules.revocation_missing = Missing::Accept;
    let door = Door::open(files, &rules).await;
    let seen = door.sees(&guest).await.unwrap();
    assert_eq!(seen, "CN=guest, O=Hilum development");
    let other = folder.client("other", &PeerRules::default());
    door.refuses(&other, "revoked by").await;
}

/// An authority between is revoked by the one above, and with it all whom it signed.
#[tokio::test]
async fn an_authority_between_can_be_revoked() {
    // The development authority may sign nodes only.
    let mut folder = Folder::new();
    folder.authority = self_signed("Root", 2048, 2, true);
    let root = folder.authority.certificate.to_pem().unwrap();
    std::fs::write(folder.path("ca.pem"), root).unwrap();
    folder.issue("server");
    let (between, leaf) = between(&folder.authority);
    let mut chain = leaf.certificate.to_pem().unwrap();
    chain.extend(between.certificate.to_pem().unwrap());
    folder.put("ward", leaf);
    std::fs::write(folder.path("ward.pem"), chain).unwrap();
    let ward = folder.client("ward", &PeerRules::default());
    let mut rules = folder.lists();
    rules.revocation_missing = Missing::Accept;
    for (revoked, passes) in [("other", true), ("between", false)] {
        folder.put(
            "between",
            Identity {
                certificate: between.certificate.clone(),
                key: between.key.clone(),
            },
        );
        folder.revoke(&[revoked], 3600);
        let door = Door::open(folder.files("server"), &rules).await;
        match passes {
            true => assert_eq!(door.sees(&ward).await.unwrap(), "CN=ward"),
            false => {
                let why = "CN=ward: its issuer CN=Between does not pass: revoked by CN=Root on 20";
                door.refuses(&ward, why).await;
            }
        }
    }
}

#[test]
fn forged_and_broken_lists_are_not_taken() {
    let folder = Folder::new();
    let forger = Identity::authority("Test CA", 2).unwrap();
    let forged = forger.revocation_list(None, &[], 3600).unwrap();
    let open = |content: &[u8]| {
        std::fs::write(folder.path("crl.pem"), content).unwrap();
        let opened = NodeTls::open(folder.files("server"), folder.lists());
        opened.map(drop).map_err(|error| error.to_string())
    };
    let error = open(&forged.to_pem().unwrap()).unwrap_err();
    assert!(error.ends_with("that its issuer did not sign"), "{error}");
    let pem = folder.revoke(&["viewer"], 3600).to_pem().unwrap();
    open(&pem).unwrap();
    // Several lists in one file.
    open(&[pem.clone(), pem.clone()].concat()).unwrap();
    for broken in [&pem[..pem.len() / 2], b"", b"no list"] {
        let error = open(broken).unwrap_err();
        assert!(error.ends_with("in PEM or DER form"), "{error}");
    }
    let error = open(&[&pem[..], &pem[..100]].concat()).unwrap_err();
    assert!(error.ends_with("in PEM or DER form"), "{error}");
}

#[tokio::test]
async fn who_is_connected_is_cut_off_when_revoked() {
    let folder = Folder::new();
    folder.revoke(&[], 3600);
    let rules = folder.lists();
    let door = Door::open(folder.files("server"), &rules).await;
    let viewer = folder.client("viewer", &PeerRules::default());
    let other = folder.client("other", &PeerRules::default());
    assert_eq!(door.sees(&viewer).await.unwrap(), VIEWER);
    door.sees(&other).await.unwrap();
    assert!(matches!(door.node.reload(), Reloaded::Unchanged));
    folder.revoke(&["viewer"], 3600);
    let Reloaded::Changed(what) = door.node.reload() else {
        panic!("the list is another");
    };
    assert!(what.starts_with("revocation lists: "), "{what}");
    // The kept connection is closed without a request on it, and that is recorded.
    let told = door.refusal().await;
    let why = format!("was connected and is no longer accepted: {VIEWER}: revoked by CN=Test CA");
    assert!(told.contains(&why), "{told}");
    door.refuses(&viewer, "revoked by").await;
    // Others keep their connections.
    door.sees(&other).await.unwrap();
    assert!(door.refused.lock().unwrap().is_empty());
}

/// A connection over which messages come one after the other may stand for months.
#[tokio::test]
async fn streams_are_cut_off_too() {
    let folder = Folder::new();
    folder.revoke(&[], 3600);
    let node = NodeTls::open(folder.files("server"), folder.lists()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "mllps://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let (noted, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let routes = move |incoming| {
        let noted = noted.clone();
        async move {
            match incoming {
                mllp::Incoming::Message(message) => {
                    let permitted = message.permitted(hilum_security::Permission::Announce);
                    permitted.ok().cloned()
                }
                mllp::Incoming::Refused(refusal) => {
                    noted.send(refusal.fault.reason).unwrap();
                    None
                }
            }
        }
    };
    let (tls, never) = (Some(node.server()), std::future::pending());
    tokio::spawn(mllp::serve(listener, tls, Limits::default(), routes, never));
    let limits = Limits::default();
    let source = NodeTls::open(folder.files("viewer"), PeerRules::default()).unwrap();
    let source = source.client();
    let mut connection = mllp::Connection::open(&url, Some(&source), &limits)
        .await
        .unwrap();
    assert_eq!(connection.exchange(b"MSH|one").await.unwrap(), "MSH|one");
    folder.revoke(&["viewer"], 3600);
    assert!(matches!(node.reload(), Reloaded::Changed(_)));
    let told = refused.recv().await.unwrap();
    assert!(told.contains("no longer accepted"), "{told}");
    connection.exchange(b"MSH|two").await.unwrap_err();
    // A new one is refused in the handshake, or with TLS 1.3 right after it.
    if let Ok(mut again) = mllp::Connection::open(&url, Some(&source), &limits).await {
        again.exchange(b"MSH|three").await.unwrap_err();
    }
    let told = refused.recv().await.unwrap();
    assert!(told.contains(&format!("{VIEWER}: revoked by")), "{told}");
}

/// Our clients do not go on with a server that was revoked, either.
#[tokio::test]
async fn a_client_leaves_a_server_that_was_revoked() {
    let folder = Folder::new();
    folder.revoke(&[], 3600);
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    let node = NodeTls::open(folder.files("viewer"), folder.lists()).unwrap();
    let client = Client::new(Some(node.client()), Limits::default());
    door.sees(&client).await.unwrap();
    folder.revoke(&["server"], 3600);
    assert!(matches!(node.reload(), Reloaded::Changed(_)));
    let error = door.sees(&client).await.unwrap_err();
    assert!(error.contains("revoked by"), "{error}");
}

#[tokio::test]
async fn certificates_are_renewed_while_the_door_is_open() {
    let folder = Folder::new();
    let rules = PeerRules::default();
    let door = Door::open(folder.files("server"), &rules).await;
    let before = shown(door.address).await;
    let kept = folder.client("viewer", &rules);
    door.sees(&kept).await.unwrap();
    // The new certificate comes first, its key later: until then, the old ones are used.
    let old = std::fs::read(folder.path("server.key")).unwrap();
    let renewed = folder.issue("server");
    let new = std::fs::read(folder.path("server.key")).unwrap();
    std::fs::write(folder.path("server.key"), old).unwrap();
    let Reloaded::Refused(error) = door.node.reload() else {
        panic!("the key is another's");
    };
    assert!(
        error
            .to_string()
            .ends_with("server.key: is not the key of the certificate")
    );
    // It is said once.
    assert!(matches!(door.node.reload(), Reloaded::Unchanged));
    assert_eq!(shown(door.address).await, before);
    // Nor is half a key one.
    std::fs::write(folder.path("server.key"), &new[..40]).unwrap();
    let reloaded = door.node.reload();
    assert!(matches!(
        reloaded,
        Reloaded::Refused(TlsError::Content { .. })
    ));
    std::fs::remove_file(folder.path("server.key")).unwrap();
    assert!(matches!(
        door.node.reload(),
        Reloaded::Refused(TlsError::File { .. })
    ));
    assert!(matches!(door.node.reload(), Reloaded::Unchanged));
    assert_eq!(shown(door.address).await, before);
    std::fs::write(folder.path("server.key"), new).unwrap();
    let Reloaded::Changed(what) = door.node.reload() else {
        panic!("everything is there");
    };
    assert!(what.starts_with("certificate, key: now CN=server, O=Hilum development, sha256:"));
    assert_eq!(shown(door.address).await, renewed.to_der().unwrap());
    assert_ne!(shown(door.address).await, before);
    // Who was connected stays connected; nobody is refused.
    door.sees(&kept).await.unwrap();
    let fresh = folder.client("other", &rules);
    door.sees(&fresh).await.unwrap();
    assert!(
        door.refused
            .lock()
            .unwrap()
            .iter()
            .all(|it| !it.contains("viewer"))
    );
}

#[tokio::test]
async fn whom_nobody_trusts_any_more_is_cut_off() {
    let folder = Folder::new();
    let foreign = Identity::authority("Foreign CA", 2).unwrap();
    folder.put("guest", foreign.issue("guest", &[], 2).unwrap());
    let both = [
        folder.authority.certificate.to_pem(),
        foreign.certificate.to_pem(),
    ];
    let both = both.map(Result::unwrap).concat();
    let mut files = folder.files("server");
    files.trust = vec![folder.path("trust.pem")];
    std::fs::write(folder.path("trust.pem"), both).unwrap();
    let door = Door::open(files, &PeerRules::default()).await;
    let guest = folder.client("guest", &PeerRules::default());
    door.sees(&guest).await.unwrap();
    std::fs::copy(folder.path("ca.pem"), folder.path("trust.pem")).unwrap();
    assert!(matches!(door.node.reload(), Reloaded::Changed(_)));
    let told = door.refusal().await;
    assert!(
        told.contains("no longer accepted: CN=guest, O=Hilum development: issuer not in trust")
    );
}

/// A session that was made before is not a way around what was decided since.
#[tokio::test]
async fn sessions_are_not_resumed_after_a_change() {
    let folder = Folder::new();
    folder.revoke(&[], 3600);
    let door = Door::open(folder.files("server"), &folder.lists()).await;
    let address = door.address;
    assert_eq!(resume(&folder, address, "-sess_out").await, Some(false));
    // Sessions are resumed as long as nothing changes.
    assert_eq!(resume(&folder, address, "-sess_in").await, Some(true));
    folder.revoke(&["viewer"], 3600);
    assert!(matches!(door.node.reload(), Reloaded::Changed(_)));
    assert_eq!(resume(&folder, address, "-sess_in").await, None);
    let mut told = door.refusal().await;
    while told.contains("no longer accepted") {
        told = door.refusal().await;
    }
    assert!(told.contains("revoked by"), "{told}");
}

#[tokio::test]
async fn pinned_certificates_are_trusted_without_an_authority() {
    let folder = Folder::new();
    let alone = self_signed("alone", 2048, 2, false);
    folder.put("alone", alone);
    let alone = folder.client("alone", &PeerRules::default());
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    door.refuses(&alone, "CN=alone: issuer not in trust: CN=alone")
        .await;
    let digest = folder
        .certificate("alone")
        .digest(MessageDigest::sha256())
        .unwrap();
    let by_file = Pin::File(folder.path("alone.pem"));
    let by_digest = Pin::Fingerprint(digest.to_vec().try_into().unwrap());
    for pin in [by_file, by_digest] {
        let mut rules = PeerRules {
            pinned: vec![pin],
            ..PeerRules::default()
        };
        // Together with an authority, and without any.
        let mut files = folder.files("server");
        for trust in [vec![folder.path("ca.pem")], vec![]] {
            let has_authority = !trust.is_empty();
            files.trust = trust;
            let door = Door::open(files.clone(), &rules).await;
            assert_eq!(door.sees(&alone).await.unwrap(), "CN=alone");
            let viewer = door
                .sees(&folder.client("viewer", &PeerRules::default()))
                .await;
            assert_eq!(viewer.is_ok(), has_authority, "{viewer:?}");
        }
        // Nobody signs lists of those who have no authority.
        files.trust = vec![folder.path("ca.pem")];
        folder.revoke(&[], 3600);
        rules.revocation = vec![folder.path("crl.pem")];
        let door = Door::open(files, &rules).await;
        assert_eq!(door.sees(&alone).await.unwrap(), "CN=alone");
        // When the pin goes, so does who was pinned.
    }
    let nobody = NodeTls::open(
        TlsFiles {
            trust: vec![],
            ..folder.files("server")
        },
        PeerRules::default(),
    );
    assert!(matches!(nobody, Err(TlsError::NobodyTrusted)));
}

/// A certificate of an authority that is not trusted can be pinned; it passes with the rest of its
/// chain or without, but nobody else of this authority does. Expired, it does not pass.
#[tokio::test]
async fn a_pin_is_for_one_certificate() {
    let folder = Folder::new();
    let foreign = Identity::authority("Foreign CA", 2).unwrap();
    folder.put("guest", foreign.issue("guest", &[], 2).unwrap());
    folder.put("stranger", foreign.issue("stranger", &[], 2).unwrap());
    folder.put("late", foreign.issue("late", &[], 0).unwrap());
    // A pinned certificate that could sign others, as self-signed ones often can.
    let signer = self_signed("signer", 2048, 2, true);
    folder.put("signed", signer.issue("signed", &[], 2).unwrap());
    folder.put("signer", signer);
    let pin = |name: &str| Pin::File(folder.path(&format!("{name}.pem")));
    let rules = PeerRules {
        pinned: vec![pin("guest"), pin("late"), pin("signer")],
        ..PeerRules::default()
    };
    let door = Door::open(folder.files("server"), &rules).await;
    let client = |name: &str| folder.client(name, &PeerRules::default());
    let guest_name = "CN=guest, O=Hilum development";
    assert_eq!(door.sees(&client("guest")).await.unwrap(), guest_name);
    assert_eq!(door.sees(&client("signer")).await.unwrap(), "CN=signer");
    door.refuses(&client("stranger"), "issuer not in trust: CN=Foreign CA")
        .await;
    door.refuses(&client("signed"), "issuer not in trust: CN=signer")
        .await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    door.refuses(
        &client("late"),
        "CN=late, O=Hilum development: expired on 20",
    )
    .await;
    let mut chain = std::fs::read(folder.path("guest.pem")).unwrap();
    chain.extend(foreign.certificate.to_pem().unwrap());
    std::fs::write(folder.path("guest-chain.pem"), chain).unwrap();
    let files = TlsFiles {
        certificate: folder.path("guest-chain.pem"),
        ..folder.files("guest")
    };
    let tls = NodeTls::open(files, PeerRules::default()).unwrap();
    let with_chain = Client::new(Some(tls.client()), Limits::default());
    assert_eq!(door.sees(&with_chain).await.unwrap(), guest_name);
    // Who stands in a list that was put here does not pass, whoever vouches for the list.
    let revoked = foreign.revocation_list(None, &[&*folder.certificate("guest")], 3600);
    std::fs::write(folder.path("crl.pem"), revoked.unwrap().to_pem().unwrap()).unwrap();
    let rules = PeerRules {
        revocation_missing: Missing::Accept,
        ..folder.lists()
    };
    let rules = PeerRules {
        pinned: vec![pin("guest")],
        ..rules
    };
    let door = Door::open(folder.files("server"), &rules).await;
    door.refuses(&client("guest"), "revoked by CN=Foreign CA")
        .await;
}

#[tokio::test]
async fn only_those_who_are_named_may_call() {
    let folder = Folder::new();
    let ward = folder
        .authority
        .issue("ward", &["ward.example".to_owned()], 2);
    folder.put("ward", ward.unwrap());
    let rules = PeerRules {
        names: vec![VIEWER.to_owned(), "ward.example".to_owned()],
        ..PeerRules::default()
    };
    let door = Door::open(folder.files("server"), &rules).await;
    let client = |name: &str| folder.client(name, &PeerRules::default());
    for name in ["viewer", "ward"] {
        door.sees(&client(name)).await.unwrap();
    }
    let why = "CN=other, O=Hilum development: not among `names`, who may call";
    door.refuses(&client("other"), why).await;
    // The names are those of callers: whom we call need not be among them.
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    door.sees(&folder.client("viewer", &rules)).await.unwrap();
}

#[tokio::test]
async fn a_common_name_is_no_host_name() {
    let folder = Folder::new();
    folder.put("server", self_signed("localhost", 2048, 2, false));
    let rules = PeerRules {
        pinned: vec![Pin::File(folder.path("server.pem"))],
        ..PeerRules::default()
    };
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    let error = door
        .sees(&folder.client("viewer", &rules))
        .await
        .unwrap_err();
    let told = "CN=localhost: name does not match: wanted localhost, has no name at all";
    assert!(error.contains(told), "{error}");
    let mut files = folder.files("viewer");
    files.check_server_name = false;
    let tls = NodeTls::open(files, rules).unwrap();
    let unchecked = Client::new(Some(tls.client()), Limits::default());
    door.sees(&unchecked).await.unwrap();
}

/// BCP 195: RSA keys of 2048 bits at least.
#[tokio::test]
async fn short_keys_are_refused() {
    let folder = Folder::new();
    let short = self_signed("short", 1024, 2, false);
    folder.put("short", short);
    // Our own client refuses to show such a key, so this one is the library's.
    let rules = PeerRules {
        pinned: vec![Pin::File(folder.path("short.pem"))],
        ..PeerRules::default()
    };
    let door = Door::open(folder.files("server"), &rules).await;
    let own = NodeTls::open(folder.files("short"), PeerRules::default());
    assert!(matches!(own, Err(TlsError::Library(_))), "{own:?}");
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_security_level(0);
    builder.set_verify(SslVerifyMode::NONE);
    let pem = SslFiletype::PEM;
    builder
        .set_certificate_file(folder.path("short.pem"), pem)
        .unwrap();
    builder
        .set_private_key_file(folder.path("short.key"), pem)
        .unwrap();
    builder
        .set_max_proto_version(Some(SslVersion::TLS1_2))
        .unwrap();
    let address = door.address;
    let refused = tokio::task::spawn_blocking(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        builder
            .build()
            .connect("localhost", stream)
            .map(drop)
            .map_err(drop)
    });
    refused.await.unwrap().unwrap_err();
    let told = door.refusal().await;
    assert!(told.contains("CN=short: its key is too short"), "{told}");
}

/// What a certificate says is shown without what would bend a log.
#[tokio::test]
async fn names_of_strangers_cannot_write_lines() {
    let folder = Folder::new();
    folder.put("odd", self_signed("a\r\nb\u{1b}[31m", 2048, 2, false));
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    let odd = folder.client("odd", &PeerRules::default());
    door.sees(&odd).await.unwrap_err();
    let told = door.refusal().await;
    assert!(
        told.contains("CN=a\u{fffd}\u{fffd}b\u{fffd}[31m: issuer"),
        "{told}"
    );
    assert!(!told.chars().any(char::is_control), "{told:?}");
}

/// An authority of `authority`, and somebody whom it signed.
fn between(authority: &Identity) -> (Identity, Identity) {
    let [middle, leaf] = [("Between", true), ("ward", false)].map(|(name, signs)| {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        (unsigned(name, &key, 2, signs), key)
    });
    let (mut builder, key) = middle;
    builder
        .set_issuer_name(authority.certificate.subject_name())
        .unwrap();
    builder
        .sign(&authority.key, MessageDigest::sha256())
        .unwrap();
    let middle = Identity {
        certificate: builder.build(),
        key,
    };
    let (mut builder, key) = leaf;
    builder
        .set_issuer_name(middle.certificate.subject_name())
        .unwrap();
    builder.sign(&middle.key, MessageDigest::sha256()).unwrap();
    let leaf = Identity {
        certificate: builder.build(),
        key,
    };
    (middle, leaf)
}

fn self_signed(name: &str, bits: u32, days: u32, signs: bool) -> Identity {
    let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let mut builder = unsigned(name, &key, days, signs);
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Identity {
        certificate: builder.build(),
        key,
    }
}

fn unsigned(name: &str, key: &PKey<Private>, days: u32, signs: bool) -> openssl::x509::X509Builder {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = openssl::bn::BigNum::new().unwrap();
    serial
        .rand(100, openssl::bn::MsbOption::MAYBE_ZERO, false)
        .unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(days).unwrap())
        .unwrap();
    if signs {
        let authority = openssl::x509::extension::BasicConstraints::new()
            .ca()
            .build();
        builder.append_extension(authority.unwrap()).unwrap();
        let identifier = openssl::x509::extension::SubjectKeyIdentifier::new();
        let identifier = identifier.build(&builder.x509v3_context(None, None));
        builder.append_extension(identifier.unwrap()).unwrap();
    }
    builder
}

/// The certificate that a server shows.
async fn shown(address: SocketAddr) -> Vec<u8> {
    let shown = tokio::task::spawn_blocking(move || {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_verify(SslVerifyMode::NONE);
        let stream = std::net::TcpStream::connect(address).unwrap();
        let stream = builder.build().connect("localhost", stream).unwrap();
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    });
    shown.await.unwrap()
}

/// Connects as the viewer, with the session of a file or leaving one there, and says whether it was
/// resumed. The `openssl` program does it: in the library's binding, resuming is not safe.
async fn resume(folder: &Folder, address: SocketAddr, how: &str) -> Option<bool> {
    let mut command = tokio::process::Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-tls1_2", how]);
    command.arg(folder.path("session"));
    command.arg("-cert").arg(folder.path("viewer.pem"));
    command.arg("-key").arg(folder.path("viewer.key"));
    command.stdin(std::process::Stdio::null());
    let output = command.output().await.expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let resumed = said.contains("Reused, TLSv1.2");
    output.status.success().then_some(resumed)
}

/// What is no TLS is said to be so.
#[tokio::test]
async fn what_is_no_tls_is_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = Folder::new();
    let door = Door::open(folder.files("server"), &PeerRules::default()).await;
    for (sent, why) in [
        (
            &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
            "HTTP without TLS",
        ),
        (
            b"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.3.1\r\x1c\r",
            "no TLS was spoken",
        ),
    ] {
        let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        // An alert, or nothing.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let told = door.refusal().await;
        assert!(told.ends_with(why), "{told}");
    }
}
