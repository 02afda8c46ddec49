use std::ffi::OsString;

use super::*;

const MINIMAL: &str = r#"
home_community_id = "urn:oid:1.2.3"
data = "data"
[affinity_domain]
patient_id_authority = "1.2.4"
codes = "codes.xml"
"#;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let variables = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let folder = Path::new("/node");
    Config::read(&format!("{MINIMAL}{text}"), variables, folder).map_err(|error| error.0)
}

#[test]
fn rooms_run_if_they_listen() {
    let config = read("[registry]\nlisten = '127.0.0.1:18401'", &[]).unwrap();
    assert_eq!(config.listeners().len(), 1);
    let url = config.registry_url();
    assert_eq!(url.as_deref(), Some("http://127.0.0.1:18401/registry"));
    assert_eq!(config.registry_database(), "sqlite:/node/data/registry.db");
    assert_eq!(config.spool(), Path::new("/node/data/audit"));
    assert!(read("", &[]).unwrap().listeners().is_empty());
}

#[test]
fn a_feed_needs_the_registry_and_an_address_of_its_own() {
    let registry = "[registry]\nlisten = '127.0.0.1:18401'\n";
    let feed = |address: &str| format!("[feed]\nlisten = '{address}'\n");
    let config = read(&format!("{registry}{}", feed("127.0.0.1:18405")), &[]).unwrap();
    assert_eq!(config.listeners().len(), 2);
    assert_eq!(config.feed_url().as_deref(), Some("mllp://127.0.0.1:18405"));
    for (text, said) in [
        (feed("127.0.0.1:18405"), "registry.listen is not there"),
        (
            format!("{registry}{}", feed("127.0.0.1:18401")),
            "speaks HTTP",
        ),
        (
            format!("{registry}{}", feed("192.0.2.1:18405")),
            "without [tls]",
        ),
    ] {
        let refused = read(&text, &[]).unwrap_err();
        assert!(
            refused.starts_with("feed.listen: ") && refused.contains(said),
            "{refused}"
        );
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let refused = |text| read(text, &[]).unwrap_err();
    assert_eq!(
        refused("[registry]\nlisen = '127.0.0.1:1'"),
        "unknown key registry.lisen; did you mean registry.listen?"
    );
    assert_eq!(
        refused("[limit]\nconnections = 1"),
        "unknown key limit; did you mean limits?"
    );
}

#[test]
fn the_environment_overrides() {
    let changes = [
        ("HILUM_REGISTRY__LISTEN", "127.0.0.1:7"),
        ("HILUM_LIMITS__CONNECTIONS", "9"),
        ("HILUM_HOME_COMMUNITY_ID", "urn:oid:1.9"),
        ("HILUM_LOG", "debug"),
        ("PATH", "/bin"),
    ];
    let config = read("[registry]\nlisten = '127.0.0.1:1'", &changes).unwrap();
    assert_eq!(config.registry.listen, "127.0.0.1:7".parse().ok());
    assert_eq!(config.limits.connections, 9);
    assert_eq!(config.home_community_id, "urn:oid:1.9");
    let unknown = read("", &[("HILUM_REGISTRY__LISTN", "x")]).unwrap_err();
    assert!(
        unknown.ends_with("did you mean registry.listen?"),
        "{unknown}"
    );
    let garbled = read("", &[("HILUM_LIMITS__CONNECTIONS", "many")]).unwrap_err();
    assert_eq!(garbled, "HILUM_LIMITS__CONNECTIONS: it is not a number");
}

#[test]
fn secrets_come_from_files() {
    let file = std::env::temp_dir().join(format!("hilum-secret-{}", std::process::id()));
    std::fs::write(&file, "postgres://u:p@h/d\n").unwrap();
    let name = file.display().to_string();
    let config = read("", &[("HILUM_REGISTRY__DATABASE_FILE", &name)]).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(config.registry_database(), "postgres://u:p@h/d");
}

#[test]
fn plain_http_stays_on_this_machine() {
    let refused = read("[registry]\nlisten = '0.0.0.0:18401'", &[]).unwrap_err();
    assert!(
        refused.starts_with("registry.listen: without [tls], only loopback"),
        "{refused}"
    );
    let tls = "[tls]\ncertificate='c'\nkey='k'\ntrust=['t']\n[registry]\nlisten='0.0.0.0:1'";
    let config = read(tls, &[]).unwrap();
    assert_eq!(
        config.tls_files().unwrap().certificate,
        Path::new("/node/c")
    );
}

#[test]
fn limits_of_rooms_are_taken_and_make_sense() {
    let text = "[registry]\nmax_results = 5\nconnections = 2\n\
                [repository]\ndecision_seconds = 3\nsettled_seconds = 121\n\
                [imaging]\nretrieve_ae_title = 'PACS 1'\nutc_offset = '+0130'";
    let config = read(text, &[("HILUM_REGISTRY__MAX_RESULTS", "6")]).unwrap();
    assert_eq!(config.registry.max_results.map(u32::from), Some(6));
    assert_eq!(config.registry.connections.map(u16::from), Some(2));
    assert_eq!(config.decision(), Duration::from_secs(3));
    assert_eq!(config.settled(), Duration::from_secs(121));
    let offset = config.imaging.utc_offset.unwrap_or_default();
    assert_eq!(offset.to_string(), "+0130");
    for (text, key) in [
        ("[registry]\nmax_results = 0", "max_results"),
        ("[registry]\nconnections = 0", "connections"),
        ("[repository]\nsettled_seconds = 120", "settled_seconds"),
        ("[imaging]\nretrieve_ae_title = 'A\\B'", "retrieve_ae_title"),
        ("[imaging]\nretrieve_ae_title = ' '", "retrieve_ae_title"),
        ("[imaging]\nutc_offset = '+2500'", "utc_offset"),
    ] {
        let problem = read(text, &[]).unwrap_err();
        assert!(problem.contains(key), "{problem}");
    }
}

#[test]
fn a_store_in_s3_needs_a_key_and_its_secret() {
    let files = read("", &[]).unwrap();
    assert!(files.store_access().unwrap().is_none());
    let text = "[repository]\nstore = 's3://docs/x?endpoint=http://127.0.0.1:9'\n";
    let missing = |text: &str, environment: &[(&str, &str)]| {
        let config = read(text, environment).unwrap();
        config.store_access().unwrap_err().to_string()
    };
    assert!(missing(text, &[]).starts_with("repository.store_key"));
    let with_key = format!("{text}store_key = 'K'");
    assert!(missing(&with_key, &[]).starts_with("repository.store_secret"));
    let secret = [("HILUM_REPOSITORY__STORE_SECRET", "not to be shown")];
    let config = read(&with_key, &secret).unwrap();
    let access = config.store_access().unwrap().unwrap();
    assert_eq!((&*access.key, &*access.secret), ("K", "not to be shown"));
    assert!(!format!("{config:?} {access:?}").contains("not to be shown"));
}

#[test]
fn answers_go_only_to_servers_that_are_named() {
    assert_eq!(read("", &[]).unwrap().asynchronous.reply_to, []);
    let tls = "[tls]\ncertificate='c'\nkey='k'\ntrust=['t']\n";
    let text = format!("{tls}[asynchronous]\nreply_to = ['https://Viewer.example:8443/']");
    let config = read(&text, &[("HILUM_ASYNCHRONOUS__ATTEMPTS", "2")]).unwrap();
    let shown: Vec<_> = config.asynchronous.reply_to.iter().collect();
    assert_eq!(shown[0].to_string(), "https://viewer.example:8443");
    assert_eq!(config.asynchronous.attempts, 2);
    let two = "http://127.0.0.1:81, http://[::1]";
    let config = read("", &[("HILUM_ASYNCHRONOUS__REPLY_TO", two)]).unwrap();
    assert_eq!(config.asynchronous.reply_to.len(), 2);
    for (text, said) in [
        (
            "reply_to = ['https://a.example/path']",
            "nothing may follow",
        ),
        ("reply_to = ['https://u@a.example']", "user name"),
        ("reply_to = ['a.example']", "only https and http"),
        ("reply_to = ['https://a.example']", "without [tls]"),
        ("reply_to = ['http://a.example']", "encryption"),
        ("waiting = 0", "at least 1"),
        ("attempt = 1", "did you mean asynchronous.attempts?"),
    ] {
        let problem = read(&format!("[asynchronous]\n{text}"), &[]).unwrap_err();
        assert!(problem.contains(said), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
    }
}

#[test]
fn removal_and_on_demand_documents_are_a_choice() {
    let repository = |text: &str| {
        let config = read(&format!("[repository]\n{text}"), &[])?;
        Ok::<_, String>((
            config.repository.remove_registered,
            config.repository.on_demand,
        ))
    };
    let usual = (RemoveRegistered::Allow, OnDemand::Transient);
    assert_eq!(repository(""), Ok(usual));
    let other = "remove_registered = 'refuse'\non_demand = 'persist'";
    assert_eq!(
        repository(other),
        Ok((RemoveRegistered::Refuse, OnDemand::Persist))
    );
    let off = read("", &[("HILUM_REPOSITORY__ON_DEMAND", "off")]).unwrap();
    assert_eq!(off.repository.on_demand, OnDemand::Off);
    assert!(repository("on_demand = 'always'").is_err());
    assert!(repository("remove_registered = true").is_err());
}

#[test]
fn mistakes_are_told_in_one_line() {
    for text in [
        "[registry]\nlisten = 5",
        "[registry\n",
        "[registry]\nlisten = 'x'",
        "[limits]\nconnections = 'x'",
    ] {
        let problem = read(text, &[]).unwrap_err();
        assert!(!problem.contains('\n') && problem.len() > 10, "{problem}");
        eprintln!("{problem}");
    }
}

/// The environment gives lists and numbers to `[subscriptions]`, too, and mistakes are found before
/// a room opens.
#[test]
fn subscriptions_are_configured() {
    let changes = [
        (
            "HILUM_SUBSCRIPTIONS__NOTIFY",
            "https://a.example, http://b.example:81/",
        ),
        ("HILUM_SUBSCRIPTIONS__ANSWER_SECONDS", "7"),
    ];
    let config = read("[subscriptions]\nmost = 3", &changes).unwrap();
    let subscriptions = config.subscriptions.config();
    assert_eq!(subscriptions.notify.len(), 2);
    assert_eq!((subscriptions.most, subscriptions.answer.as_secs()), (3, 7));
    let refused = read("[subscriptions]\nnotify = ['https://a.example/x']", &[]).unwrap_err();
    assert!(refused.starts_with("subscriptions.notify: "), "{refused}");
    let never = read("[subscriptions]\nusual_lifetime_seconds = 0", &[]);
    assert!(never.is_err());
}

/// Who speaks for a community is named so that a certificate can be meant.
#[test]
fn who_speaks_for_a_community_is_checked() {
    let community = |node: &str| {
        let community = "[[gateway.community]]\nhome_community_id = 'urn:oid:1.2.9'\n\
                         url = 'http://127.0.0.1:9/'\npatients = 'discover'\n";
        read(&format!("{community}node = '{node}'\n"), &[])
    };
    for node in ["CN=gateway.example", "CN=node, O=North", &"0A:".repeat(32)] {
        assert!(community(node).is_ok(), "{node}");
    }
    for node in [
        "gateway.example",
        "",
        "/CN=gateway.example",
        &"0a".repeat(20),
    ] {
        let refused = community(node).unwrap_err();
        assert!(
            refused.contains("node: ") && refused.contains("SHA-256"),
            "{refused}"
        );
    }
}

/// A community stands there once, and what it or a repository is reached by is no secret.
#[test]
fn where_gateways_ask_is_checked() {
    let community = "[[gateway.community]]\nhome_community_id = 'urn:oid:1.2.9'\n\
                     url = 'http://127.0.0.1:9/'\n";
    assert!(read(community, &[]).is_ok());
    let repository = "[[gateway.repository]]\nunique_id = '1.2.8'\n";
    let userinfo = "'http://me:secret@127.0.0.1:9/'";
    for (wrong, named) in [
        (format!("{community}{community}"), "two communities"),
        // Where answers go that it wants later, it is not asked.
        (
            community.replace("url", "deferred_url"),
            "needed to know where to ask",
        ),
        (format!("{repository}wado_url = {userinfo}\n"), "wado_url"),
        (
            format!("[gateway]\nprovide_url = {userinfo}\n"),
            "provide_url",
        ),
        (format!("[gateway]\nurl = {userinfo}\n"), "gateway.url"),
    ] {
        let refused = read(&wrong, &[]).unwrap_err();
        assert!(refused.contains(named), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
}

/// What patients are called elsewhere is said for communities that are known, of patients of this one, once.
#[test]
fn correlations_are_checked() {
    let community = "[[gateway.community]]\nhome_community_id = 'urn:oid:1.2.9'\n\
                     url = 'http://127.0.0.1:9/'\npatients = 'discover'\n";
    let of = |patient: &str, home: &str| {
        format!(
            "[[gateway.correlation]]\npatient = '{patient}'\nhome_community_id = '{home}'\n\
             there = 'X^^^&1.2.9.1&ISO'\n"
        )
    };
    let authority = read("", &[]).unwrap().affinity_domain.patient_id_authority;
    let own = format!("P^^^&{authority}&ISO");
    let good = of(&own, "urn:oid:1.2.9");
    assert!(read(&format!("{community}{good}"), &[]).is_ok());
    for (wrong, said) in [
        (of(&own, "urn:oid:1.2.8"), "none of the communities"),
        (of("P^^^&9.9.9&ISO", "urn:oid:1.2.9"), "authority"),
        (of("P", "urn:oid:1.2.9"), "patient"),
        (format!("{good}{good}"), "one name"),
        ("[gateway]\ncorrelations_days = 4000\n".to_owned(), "3650"),
        ("[gateway]\ndisclosure = 'all'\n".to_owned(), "minimal"),
        ("[gateway]\nrecheck_seconds = 0\n".to_owned(), "nonzero"),
    ] {
        let refused = read(&format!("{wrong}{community}"), &[]).unwrap_err();
        assert!(refused.contains(said), "{said}: {refused}");
    }
}
