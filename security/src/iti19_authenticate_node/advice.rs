//! What an operator does about a refusal. The sentence that says why is the beginning; `docs/certificates.md`
//! has them all.

/// How a reason begins, and what to do about it. The first that fits counts.
const ADVICE: &[(&str, &str)] = &[
    ("no client certificate", "configure a certificate there"),
    (
        "issuer not in trust",
        "put that authority into `trust`, or let the other end send the authorities between",
    ),
    ("expired on", "renew it there, or set the clock"),
    ("not valid before", "set the clock there or here"),
    (
        "revoked by",
        "give it a new certificate if it may come back",
    ),
    (
        "its issuer",
        "renew or replace that authority's certificate",
    ),
    (
        "no revocation list of its issuer",
        "fetch one, or set revocation_missing = \"accept\"",
    ),
    ("the revocation list of its issuer", "fetch a new one"),
    ("not among `names`", "add it to `names` if it may call"),
    ("its key is too short", "it needs a new certificate"),
    (
        "it is signed with a weak hash",
        "it needs a new certificate",
    ),
    (
        "name does not match",
        "call it by a name that its certificate has, or give it another certificate",
    ),
    ("protocol ", "let it speak TLS 1.2 or 1.3"),
    ("neither TLS 1.2 nor TLS 1.3", "let it speak TLS 1.2 or 1.3"),
    (
        "no cipher suite of BCP 195",
        "enable one there, see docs/certificates.md",
    ),
    (
        "no curve of BCP 195",
        "enable one there, see docs/certificates.md",
    ),
    (
        "no signature algorithm of BCP 195",
        "let it use SHA-256 or more, see docs/certificates.md",
    ),
    (
        "it does not accept our certificate",
        "let it trust our authority, or give it our certificate",
    ),
    (
        "it wants a certificate of ours",
        "configure one in [tls], or with its community",
    ),
    ("it takes no version of TLS", "let it speak TLS 1.2 or 1.3"),
    (
        "it takes no cipher suite",
        "compare what both ends allow, see docs/certificates.md",
    ),
    ("it broke off", "look into its log"),
    ("HTTP without TLS", "call https:// instead of http://"),
    (
        "no TLS was spoken",
        "let it speak TLS, or call another port",
    ),
    (
        "TLS was spoken to a port without TLS",
        "call it without TLS, or configure [tls]",
    ),
    (
        "the connection ended within the handshake",
        "look into its log, or at what is between: load balancers and scanners do so",
    ),
    (
        "the TLS handshake took too long",
        "look at what is between, or for clients that connect and say nothing",
    ),
    (
        "it was connected and is no longer accepted",
        "what was decided since is behind the colon",
    ),
    ("its certificate", "it needs another certificate"),
    ("its chain", "let it send another chain of certificates"),
    ("the TLS handshake failed", "look into its log"),
];

/// What to do about this reason.
pub(super) fn of(reason: &str) -> Option<&'static str> {
    let fits = |(begin, _): &&(&str, &str)| reason.starts_with(begin);
    ADVICE.iter().find(fits).map(|(_, advice)| *advice)
}
