//! Who subscribed, as it is kept: for them it is decided later what they are told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hilum_security::{Caller, NodeName, Shown, User, UserCode, Vouched};
use serde::{Deserialize, Serialize};

/// A caller, as JSON. What concerns a single call is left out: where its answer is wanted, and why the
/// glass is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    address: SocketAddr,
    subject: Option<String>,
    fingerprint: Option<String>,
    user: Option<KeptUser>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeptUser {
    name: String,
    issuer: String,
    by_token: bool,
    alias: Option<String>,
    full_name: Option<String>,
    organization: Option<String>,
    organization_id: Option<String>,
    home_community_id: Option<String>,
    provider_ids: Vec<String>,
    roles: Vec<(String, String, Option<String>)>,
    purposes: Vec<(String, String, Option<String>)>,
    patient_id: Option<String>,
    consent_document: Option<String>,
    privacy_policy: Option<String>,
    client_id: Option<String>,
    scopes: Vec<String>,
}

/// A caller, as it is kept.
pub(crate) fn written(caller: &Caller) -> String {
    let node = caller.node.as_ref();
    let kept = Kept {
        address: caller.address,
        subject: node.map(|node| node.subject.clone()),
        fingerprint: node.map(|node| node.fingerprint.clone()),
        user: caller.user.as_deref().map(kept_user),
    };
    serde_json::to_string(&kept).unwrap_or_default()
}

/// A caller that was kept. Nobody is known of subscriptions that an older program made.
pub(crate) fn read(kept: Option<&str>) -> Caller {
    let kept: Option<Kept> = kept.and_then(|kept| serde_json::from_str(kept).ok());
    let Some(kept) = kept else {
        return Caller::unknown(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    };
    let node = kept.subject.zip(kept.fingerprint);
    Caller {
        node: node.map(|(subject, fingerprint)| NodeName {
            subject,
            fingerprint,
            certificate: Shown::default(),
        }),
        user: kept.user.map(user).map(Arc::new),
        address: kept.address,
        // Nobody subscribes over DICOM's own protocol.
        ae_title: None,
        reply_to: None,
    }
}

fn kept_user(user: &User) -> KeptUser {
    let codes = |codes: &[UserCode]| {
        let code = |it: &UserCode| (it.code.clone(), it.system.clone(), it.display.clone());
        codes.iter().map(code).collect()
    };
    KeptUser {
        name: user.name.clone(),
        issuer: user.issuer.clone(),
        by_token: user.vouched == Vouched::Token,
        alias: user.alias.clone(),
        full_name: user.full_name.clone(),
        organization: user.organization.clone(),
        organization_id: user.organization_id.clone(),
        home_community_id: user.home_community_id.clone(),
        provider_ids: user.provider_ids.clone(),
        roles: codes(&user.roles),
        purposes: codes(&user.purposes),
        patient_id: user.patient_id.clone(),
        consent_document: user.consent_document.clone(),
        privacy_policy: user.privacy_policy.clone(),
        client_id: user.client_id.clone(),
        scopes: user.scopes.clone(),
    }
}

fn user(kept: KeptUser) -> User {
    let codes = |codes: Vec<(String, String, Option<String>)>| {
        let code = |(code, system, display)| UserCode {
            code,
            system,
            display,
        };
        codes.into_iter().map(code).collect()
    };
    User {
        name: kept.name,
        issuer: kept.issuer,
        vouched: match kept.by_token {
            true => Vouched::Token,
            false => Vouched::Assertion,
        },
        alias: kept.alias,
        full_name: kept.full_name,
        organization: kept.organization,
        organization_id: kept.organization_id,
        home_community_id: kept.home_community_id,
        provider_ids: kept.provider_ids,
        roles: codes(kept.roles),
        purposes: codes(kept.purposes),
        patient_id: kept.patient_id,
        consent_document: kept.consent_document,
        privacy_policy: kept.privacy_policy,
        client_id: kept.client_id,
        scopes: kept.scopes,
        permissions: None,
        reason: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let code = |code: &str| UserCode {
            code: code.to_owned(),
            system: "1.2.3".to_owned(),
            display: Some(format!("the code {code}")),
        };
        let text = |text: &str| Some(text.to_owned());
        let caller = Caller {
            node: Some(NodeName {
                subject: "CN=viewer".to_owned(),
                fingerprint: "00ff".to_owned(),
                certificate: Shown::default(),
            }),
            user: Some(Arc::new(User {
                name: "jane".to_owned(),
                issuer: "https://idp.example".to_owned(),
                vouched: Vouched::Token,
                alias: text("j"),
                full_name: text("Jane"),
                organization: text("Clinic"),
                organization_id: text("urn:oid:1.2"),
                home_community_id: text("urn:oid:1.3"),
                provider_ids: vec!["1^2".to_owned()],
                roles: vec![code("doctor")],
                purposes: vec![code("TREAT"), code("PAY")],
                patient_id: text("A^^^&1.2.3&ISO"),
                consent_document: text("1.2.3.4"),
                privacy_policy: text("urn:oid:1.5"),
                client_id: text("program"),
                scopes: vec!["read".to_owned()],
                permissions: None,
                reason: None,
            })),
            address: "192.0.2.1:7".parse().unwrap(),
            ae_title: None,
            reply_to: None,
        };
        assert_eq!(read(Some(&written(&caller))), caller);
        let nobody = Caller::unknown("[::1]:7".parse().unwrap());
        assert_eq!(read(Some(&written(&nobody))), nobody);
        assert_eq!(read(None), read(Some("{")));
    }
}
