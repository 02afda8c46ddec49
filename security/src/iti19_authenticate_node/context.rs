//! What is spoken: BCP 195 (RFC 9325) as ITI-19 narrows it.

use std::io::Write;

use openssl::error::ErrorStack;
use openssl::ssl::{
    ClientHelloResponse, SslAcceptor, SslConnector, SslContextBuilder, SslFiletype, SslMethod,
    SslMode, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Crl, X509PurposeId};

use super::files::{Contents, TlsError, TlsFiles};
use super::judge::{Judge, Side, Trust};
use super::refusal;
use std::sync::Arc;

/// TLS 1.2: what ITI-19 asks for by name, and the same with ECDSA keys.
const TLS12_SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
     ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
     DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";
/// TLS 1.3 has no weak suites; AES first, because processors compute it.
const TLS13_SUITES: &str =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// RFC 9325, 4.2.1: X25519 and the curves of NIST, of 128 bits of security and more.
const GROUPS: &str = "X25519:P-256:P-384:P-521";
/// 112 bits of security: RSA and Diffie-Hellman of 2048 bits, curves of 224, no SHA-1 signatures
/// (RFC 9325, 4.5). The library's own default depends on who built it.
const SECURITY_LEVEL: u32 = 2;
/// Sessions are resumed only with the service that made them.
const SESSION_CONTEXT: &[u8] = b"hilum";

/// The server's side.
pub(super) fn acceptor(
    files: &TlsFiles,
    contents: &Contents,
    trust: &Arc<Trust>,
) -> Result<SslAcceptor, TlsError> {
    // Brings the Diffie-Hellman group ffdhe2048; the suites are set below.
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    configure(&mut builder, contents)?;
    builder.set_session_id_context(SESSION_CONTEXT)?;
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    builder.set_cert_store(trust.store_with_lists()?);
    builder.set_client_hello_callback(|session, _| {
        refusal::heard(session);
        Ok(ClientHelloResponse::SUCCESS)
    });
    if files.client_certificate_required {
        builder.set_client_ca_list(trust.issuers_to_name()?);
        let mode = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        let judge = Judge::new(Arc::clone(trust), Side::Server);
        builder.set_verify_callback(mode, move |passes, context| judge.passes(passes, context));
    } else {
        builder.set_verify(SslVerifyMode::NONE);
    }
    Ok(builder.build())
}

/// The client's side.
pub(super) fn connector(contents: &Contents, trust: &Arc<Trust>) -> Result<SslConnector, TlsError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    configure(&mut builder, contents)?;
    builder.set_cert_store(trust.store_with_lists()?);
    let judge = Judge::new(Arc::clone(trust), Side::Client);
    builder.set_verify_callback(SslVerifyMode::PEER, move |passes, context| {
        judge.passes(passes, context)
    });
    Ok(builder.build())
}

fn configure(builder: &mut SslContextBuilder, contents: &Contents) -> Result<(), TlsError> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(TLS12_SUITES)?;
    builder.set_ciphersuites(TLS13_SUITES)?;
    builder.set_groups_list(GROUPS)?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_options(
        // RFC 9325, 3.3 and 3.5: neither compression nor renegotiation. 4.2: our order of suites.
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::CIPHER_SERVER_PREFERENCE,
    );
    // An idle connection then keeps no buffers: tens of KiB less for each.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    // ITI-19: no content of a certificate may be required, so not its extended key usage either.
    builder.verify_param_mut().set_purpose(X509PurposeId::ANY)?;
    let mut chain = contents.certificate.certificates()?.into_iter();
    let own = chain.next().ok_or(ErrorStack::get())?;
    let key = contents.key.private_key()?;
    if !own.public_key()?.public_eq(&key) {
        let path = contents.key.path.clone();
        return Err(contents.key.is("is not the key of the certificate", path));
    }
    builder.set_certificate(&own)?;
    for intermediate in chain {
        builder.add_extra_chain_cert(intermediate)?;
    }
    builder.set_private_key(&key)?;
    Ok(())
}

/// Authorities and single certificates in one store: each of them ends a chain.
pub(crate) fn store<'c>(
    trust: impl IntoIterator<Item = &'c X509>,
) -> Result<X509Store, ErrorStack> {
    Ok(unfinished(trust)?.build())
}

/// The same, where every certificate but the last of a chain is looked up in revocation lists.
pub(super) fn store_with_lists<'c>(
    trust: impl IntoIterator<Item = &'c X509>,
    lists: &[X509Crl],
) -> Result<X509Store, TlsError> {
    let mut store = unfinished(trust)?;
    if lists.is_empty() {
        return Ok(store.build());
    }
    store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    // The library takes lists from files only.
    let mut file = tempfile::NamedTempFile::new().map_err(temporary)?;
    for list in lists {
        file.write_all(&list.to_pem()?).map_err(temporary)?;
    }
    file.flush().map_err(temporary)?;
    store
        .add_lookup(X509Lookup::file())?
        .load_crl_file(file.path(), SslFiletype::PEM)?;
    Ok(store.build())
}

fn temporary(source: std::io::Error) -> TlsError {
    TlsError::File {
        path: std::env::temp_dir(),
        source,
    }
}

pub(super) fn unfinished<'c>(
    trust: impl IntoIterator<Item = &'c X509>,
) -> Result<X509StoreBuilder, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for certificate in trust {
        store.add_cert(certificate.clone())?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    store.set_purpose(X509PurposeId::ANY)?;
    Ok(store)
}

/// Names of authorities, for clients with several certificates.
pub(super) fn names<'c>(
    certificates: impl IntoIterator<Item = &'c openssl::x509::X509NameRef>,
) -> Result<Stack<openssl::x509::X509Name>, ErrorStack> {
    let mut names = Stack::new()?;
    for name in certificates {
        names.push(name.to_owned()?)?;
    }
    Ok(names)
}
