use std::ffi::OsString;
use std::path::Path;

use super::*;

const MINIMAL: &str = r#"
home_community_id = "urn:oid:1.2.3"
data = "data"
[affinity_domain]
patient_id_authority = "1.2.4"
codes = "codes.xml"
"#;
const TLS: &str = "[tls]\ncertificate='c'\nkey='k'\ntrust=['t']\n";
const IDP: &str = "issuer = [{ name = 'urn:idp', certificates = ['idp.pem'] }]\n";

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let variables = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let folder = Path::new("/node");
    Config::read(&format!("{MINIMAL}{text}"), variables, folder).map_err(|error| error.0)
}

#[test]
fn nobody_is_asked_by_default() {
    let users = read("", &[]).unwrap().users().unwrap();
    assert!(users.assertions.is_none() && users.tokens.is_none());
}

#[test]
fn what_cannot_work_is_said() {
    for (text, said) in [
        (
            "[xua]\nassertions = 'accepted'".to_owned(),
            "xua.issuer: nobody",
        ),
        (
            format!("[xua]\nassertions = 'required'\n{IDP}"),
            "needs [tls] with client_certificates",
        ),
        (
            format!("[xua]\nassertions = 'accepted'\naudience = []\n{IDP}"),
            "xua.audience",
        ),
        (
            format!("{TLS}[xua]\nassertions = 'accepted'\nnodes_without_users = ['x']\n{IDP}"),
            "fingerprint",
        ),
        (
            format!("[xua]\nassertions = 'accepted'\noptional_rooms = ['x']\n{IDP}"),
            "is no room",
        ),
        (
            "[xua]\nissuer = [{ name = 'i', certificate = ['c'] }]".to_owned(),
            "did you mean xua.issuer.certificates?",
        ),
        (
            "[iua]\ntokens = 'required'".to_owned(),
            "iua.issuer: nobody",
        ),
        (
            "[iua]\ntokens = 'accepted'\nissuer = [{ name = 'as' }]".to_owned(),
            "keys, secret_file or introspection",
        ),
        (
            "[iua]\ntokens = 'accepted'\nissuer = [{ name = 'as', keys = 'k', secret_file = 's' }]"
                .to_owned(),
            "not both",
        ),
        (
            "[iua]\ntokens = 'accepted'\nissuer = [{ name = 'as', keys = 'http://as.example/k' }]"
                .to_owned(),
            "without encryption",
        ),
        (
            "[iua]\ntokens = 'accepted'\nissuer = [{ name = 'as', keys = 'https://as.example/k' }]"
                .to_owned(),
            "without [tls]",
        ),
        (
            "[iua]\ntokens = 'accepted'\nissuer = [{ name = 'as', keys = 'k' }]\n\
             scope = [{ name = 's', permissions = ['fly'] }]"
                .to_owned(),
            "permissions are",
        ),
    ] {
        let refused = read(&text, &[]).unwrap_err();
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[test]
fn the_environment_overrides() {
    let changes = [
        ("HILUM_XUA__ASSERTIONS", "accepted"),
        ("HILUM_XUA__AUDIENCE", "urn:a, urn:b"),
        ("HILUM_XUA__SKEW_SECONDS", "5"),
        ("HILUM_XUA__REPLAY", "one_time_use"),
    ];
    let config = read(&format!("[xua]\n{IDP}"), &changes).unwrap();
    let xua = &config.xua;
    assert_eq!(xua.assertions, Wanted::Accepted);
    assert_eq!(xua.audience.as_deref().unwrap(), ["urn:a", "urn:b"]);
    assert_eq!(
        (xua.skew_seconds, xua.replay),
        (Some(5), Some(Replay::OneTimeUse))
    );
    assert_eq!(xua.issuer[0].certificates, [Path::new("/node/idp.pem")]);
}
