//! What is advised when something is refused: whoever answered is to look at it, which is not the own repository or
//! registry if a gateway asked others.

use crate::site::Site;

#[test]
fn what_a_gateway_refuses_is_not_blamed_on_the_own_rooms() {
    let mut site = Site::open();
    let file = site.dir().join("hilum.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let home = config
        .lines()
        .find_map(|line| line.strip_prefix("home_community_id = "));
    let home = home.unwrap().trim_matches('"');

    let elsewhere = [
        "retrieve",
        "2.25.1",
        "--repository",
        "1.2.3",
        "--out",
        "got",
    ];
    let (_, _, said) = site.refused(&elsewhere);
    assert!(
        said.contains("look at [repository] in hilum.toml"),
        "{said}"
    );
    let across = [&elsewhere[..], &["--communities", "--home", home]].concat();
    let (_, _, said) = site.refused(&across);
    assert!(said.contains("XDSUnknownRepositoryId"), "{said}");
    assert!(said.contains("--home"), "{said}");
    assert!(!said.contains("[repository]"), "{said}");

    let note = site.file("note.txt", "a note");
    let stranger = [
        "submit",
        &note,
        "--patient",
        "P-1",
        "--community",
        "urn:oid:1.2.9",
    ];
    let (_, _, said) = site.refused(&stranger);
    assert!(said.contains("XDSUnknownCommunity"), "{said}");
    assert!(!said.contains("the repository refused"), "{said}");

    let registry = format!(
        "# registry = \"http://localhost:{}/registry\"",
        site.base + 1
    );
    let away = config.replacen(&registry, "registry = \"http://localhost:1/registry\"", 1);
    assert_ne!(config, away);
    std::fs::write(&file, away).unwrap();
    site.restart();
    let (_, _, said) = site.refused(&["query", "--patient", "P-1", "--communities"]);
    assert!(said.contains("the gateway could not answer"), "{said}");
    assert!(said.contains("look at registry in [gateway]"), "{said}");
    assert!(!said.contains("The repository"), "{said}");
}
