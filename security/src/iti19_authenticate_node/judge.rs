//! Who passes: the one place where a peer's certificate is judged.
//!
//! The library builds the chain and checks it, revocation lists included. Here is decided what of
//! its objections counts, and noted in words why somebody does not pass.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{
    CrlStatus, X509, X509Crl, X509KeyUsage, X509Name, X509NameRef, X509Ref, X509StoreContext,
    X509StoreContextRef, X509VerifyResult,
};

use super::context;
use super::files::{Contents, TlsError};
use super::refusal::{self, Kind, Objection, date};
use super::rules::{Expired, Missing, PeerRules, Pin, names_allow};
use crate::caller::distinguished_name;

/// Which end of a connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// Whom the files trust, at one moment.
pub(crate) struct Trust {
    certificates: Vec<X509>,
    pinned: Vec<X509>,
    pins: HashSet<[u8; 32]>,
    lists: Vec<X509Crl>,
    rules: PeerRules,
    expiry_was_said: AtomicBool,
}

impl Trust {
    pub(crate) fn of(contents: &Contents, rules: &PeerRules) -> Result<Self, TlsError> {
        let certificates = |files: &[super::files::Bytes]| {
            let read = files.iter().map(super::files::Bytes::certificates);
            let read: Result<Vec<_>, _> = read.collect();
            Ok::<_, TlsError>(read?.into_iter().flatten().collect::<Vec<X509>>())
        };
        let pinned = certificates(&contents.pinned)?;
        let mut pins: HashSet<[u8; 32]> = HashSet::new();
        for pin in &rules.pinned {
            if let Pin::Fingerprint(fingerprint) = pin {
                pins.insert(*fingerprint);
            }
        }
        for certificate in &pinned {
            pins.insert(fingerprint(certificate)?);
        }
        let trust = Self {
            certificates: certificates(&contents.trust)?,
            pinned,
            pins,
            lists: Vec::new(),
            rules: rules.clone(),
            expiry_was_said: AtomicBool::new(false),
        };
        if trust.certificates.is_empty() && trust.pins.is_empty() {
            return Err(TlsError::NobodyTrusted);
        }
        let mut lists = Vec::new();
        for file in &contents.revocation {
            for list in file.revocation_lists()? {
                if trust.signs_otherwise(&list)? {
                    let path = file.path.clone();
                    let problem = "holds a revocation list that its issuer did not sign";
                    return Err(file.is(problem, path));
                }
                lists.push(list);
            }
        }
        Ok(Self { lists, ..trust })
    }

    /// Whether an authority of this name is trusted, and none of this name signed the list.
    fn signs_otherwise(&self, list: &X509Crl) -> Result<bool, ErrorStack> {
        let mut otherwise = false;
        for issuer in self.issuers_of(list) {
            if list.verify(&*issuer.public_key()?)? {
                return Ok(false);
            }
            otherwise = true;
        }
        Ok(otherwise)
    }

    /// Who is trusted and called as the issuer of a list.
    pub(crate) fn issuers_of<'t>(&'t self, list: &'t X509Crl) -> impl Iterator<Item = &'t X509> {
        let named = |it: &&X509| same_name(it.subject_name(), list.issuer_name());
        self.certificates.iter().filter(named)
    }

    /// Authorities that are trusted and of which there is no list.
    pub(crate) fn without_list(&self) -> impl Iterator<Item = &X509> {
        let has_list = |authority: &X509| {
            let mut lists = self.lists.iter();
            lists.any(|it| same_name(it.issuer_name(), authority.subject_name()))
        };
        let signs = |it: &X509| {
            it.key_usage()
                .is_none_or(|usage| usage.contains(X509KeyUsage::KEY_CERT_SIGN))
        };
        let all = self.certificates.iter();
        all.filter(move |it| signs(it) && !has_list(it))
    }

    /// Whether a chain of trusted certificates leads to this one, or it is pinned. Intermediate
    /// authorities have to be among what is trusted.
    pub(super) fn issued(&self, certificate: &X509Ref) -> Result<bool, ErrorStack> {
        if self.pins.contains(&fingerprint(certificate)?) {
            return Ok(true);
        }
        let mut store = context::unfinished(&self.certificates)?;
        store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
        let (store, none) = (store.build(), Stack::new()?);
        X509StoreContext::new()?.init(&store, certificate, &none, |context| context.verify_cert())
    }

    pub(crate) fn pinned(&self) -> &[X509] {
        &self.pinned
    }

    pub(crate) fn lists(&self) -> &[X509Crl] {
        &self.lists
    }

    pub(super) fn certificates(&self) -> &[X509] {
        &self.certificates
    }

    pub(super) fn store_with_lists(&self) -> Result<X509Store, TlsError> {
        context::store_with_lists(&self.certificates, &self.lists)
    }

    /// What to tell callers that have several certificates. Nothing, if there are pinned
    /// certificates of which nothing but a fingerprint is known: then any may do.
    pub(super) fn issuers_to_name(&self) -> Result<Stack<X509Name>, ErrorStack> {
        let pins = self.rules.pinned.iter();
        if pins.clone().any(|pin| matches!(pin, Pin::Fingerprint(_))) {
            return context::names([]);
        }
        let trusted = self.certificates.iter().map(|it| it.subject_name());
        context::names(trusted.chain(self.pinned.iter().map(|it| it.issuer_name())))
    }

    fn is_pinned(&self, certificate: &X509Ref) -> bool {
        let is_one = |it| self.pins.contains(&it);
        !self.pins.is_empty() && fingerprint(certificate).is_ok_and(is_one)
    }

    /// When and by whom a certificate was revoked, as a sentence goes on after its name.
    pub(super) fn revoked(&self, certificate: &X509Ref) -> Option<String> {
        let certificate = certificate.to_owned();
        let named = |list: &&X509Crl| same_name(list.issuer_name(), certificate.issuer_name());
        self.lists.iter().filter(named).find_map(|list| {
            let CrlStatus::Revoked(entry) = list.get_by_cert(&certificate) else {
                return None;
            };
            let by = distinguished_name(list.issuer_name());
            Some(format!(
                "revoked by {by} on {}",
                date(entry.revocation_date())
            ))
        })
    }

    /// Looks at somebody again who passed before: at dates, trust, revocation and names as they are
    /// now. A list that has expired meanwhile, or is missing, concerns new connections only.
    pub(super) fn passes_still(
        &self,
        side: Side,
        certificate: &X509,
        between: &[X509],
    ) -> Result<(), String> {
        if let Some(dates) = refusal::wrong_dates(certificate) {
            return Err(dates);
        }
        if side == Side::Server && !names_allow(&self.rules.names, certificate) {
            return Err(refusal::NOT_NAMED.to_owned());
        }
        if self.is_pinned(certificate) {
            return self.revoked(certificate).map_or(Ok(()), Err);
        }
        let garbled = |error: ErrorStack| format!("it cannot be checked: {error}");
        let chain = self.chain(certificate, between).map_err(garbled)??;
        // Who ends the chain is trusted as long as the files say so.
        let last = chain.len().saturating_sub(1);
        match chain[..last].iter().find_map(|it| self.revoked(it)) {
            Some(revoked) => Err(revoked),
            None => Ok(()),
        }
    }

    /// The chain to somebody trusted, or why there is none.
    fn chain(
        &self,
        certificate: &X509,
        between: &[X509],
    ) -> Result<Result<Vec<X509>, String>, ErrorStack> {
        let mut shown = Stack::new()?;
        for certificate in between {
            shown.push(certificate.clone())?;
        }
        let store = context::store(&self.certificates)?;
        X509StoreContext::new()?.init(&store, certificate, &shown, |context| {
            if context.verify_cert()? {
                let chain = context.chain();
                return Ok(Ok(chain
                    .iter()
                    .copied()
                    .flatten()
                    .map(X509Ref::to_owned)
                    .collect()));
            }
            Ok(Err(Objection::of(context).words(Some(self))))
        })
    }

    /// The first time with these files, says that a list has expired and is used all the same.
    fn say_expired(&self, context: &X509StoreContextRef) {
        if !self.expiry_was_said.swap(true, Ordering::Relaxed) {
            let words = Objection::of(context).words(Some(self));
            tracing::warn!("{words}; it is used all the same");
        }
    }
}

/// Judges the peers of one context.
pub(super) struct Judge {
    trust: Arc<Trust>,
    side: Side,
}

impl Judge {
    pub(super) const fn new(trust: Arc<Trust>, side: Side) -> Self {
        Self { trust, side }
    }

    /// Called by the library for each certificate that it finds good, and for each objection.
    pub(super) fn passes(&self, good: bool, context: &mut X509StoreContextRef) -> bool {
        let leaf = context.chain().and_then(|chain| chain.get(0));
        let Some(leaf) = leaf.map(X509Ref::to_owned) else {
            return good;
        };
        let is_leaf = context.error_depth() == 0;
        if good {
            let may_call = self.side == Side::Client
                || !is_leaf
                || names_allow(&self.trust.rules.names, &leaf);
            if !may_call {
                refusal::note(context, &leaf, refusal::NOT_NAMED.to_owned());
                context.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                return false;
            }
            if is_leaf && self.trust.is_pinned(&leaf) {
                return self.is_not_revoked(context, &leaf);
            }
            return true;
        }
        if self.forgives(context, &leaf) {
            context.set_error(X509VerifyResult::OK);
            return true;
        }
        let objection = Objection::of(context);
        let words = match refusal::wanted(context) {
            Some(wanted) if objection.kind == Kind::OtherName => {
                refusal::other_name(&wanted, &leaf)
            }
            _ => objection.words(Some(&self.trust)),
        };
        refusal::note(context, &leaf, words);
        false
    }

    /// Nobody vouches for the lists of an authority that is not trusted, but who is pinned and
    /// stands in one that was put here does not pass.
    fn is_not_revoked(&self, context: &mut X509StoreContextRef, leaf: &X509) -> bool {
        let Some(revoked) = self.trust.revoked(leaf) else {
            return true;
        };
        refusal::note(context, leaf, revoked);
        context.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
        false
    }

    /// Whether an objection of the library does not count here.
    fn forgives(&self, context: &X509StoreContextRef, leaf: &X509) -> bool {
        let rules = &self.trust.rules;
        let last = context
            .chain()
            .map_or(0, |chain| chain.len().saturating_sub(1));
        let depth = usize::try_from(context.error_depth()).unwrap_or_default();
        let objection = Objection::of(context);
        if self.trust.is_pinned(leaf) && (depth > 0 || objection.kind == Kind::NotTrusted) {
            return true;
        }
        match objection.kind {
            // Who ends the chain was put into `trust` by hand.
            Kind::NoList => rules.revocation_missing == Missing::Accept || depth == last,
            Kind::ListExpired if rules.revocation_expired == Expired::Warn => {
                self.trust.say_expired(context);
                true
            }
            _ => false,
        }
    }
}

pub(super) fn same_name(one: &X509NameRef, other: &X509NameRef) -> bool {
    one.try_cmp(other).is_ok_and(std::cmp::Ordering::is_eq)
}

fn fingerprint(certificate: &X509Ref) -> Result<[u8; 32], ErrorStack> {
    let digest = certificate.digest(MessageDigest::sha256())?;
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(&digest);
    Ok(fingerprint)
}
