//! Whether URLs are ones, before anybody is asked. Somebody may have written a password into one, in
//! any place, so that none is repeated: the name of the key says which is meant.

use hilum_transport::Origin;

use super::{Config, ConfigError};

impl Config {
    /// Everything that is a URL, except what other sections judge themselves.
    pub(super) fn check_urls(&self) -> Result<(), ConfigError> {
        let said = |key: &str, problem: &dyn std::fmt::Display| {
            Err(ConfigError(format!("{key}: {problem}")))
        };
        let database = hilum_registry::check_database_url(&self.registry_database());
        database.or_else(|problem| said("registry.database", &problem))?;
        for (key, url) in [
            ("repository.store", &self.repository.store),
            ("recipient.store", &self.recipient.store),
            ("imaging.store", &self.imaging.store),
        ] {
            let Some(url) = url else { continue };
            let store = hilum_repository::check_store_url(url);
            store.or_else(|problem| said(key, &problem))?;
        }
        for (key, url) in [
            ("registry.url", &self.registry.url),
            ("repository.url", &self.repository.url),
            ("repository.registry", &self.repository.registry),
            ("imaging.url", &self.imaging.url),
            ("imaging.retrieve_url", &self.imaging.retrieve_url),
            ("recipient.url", &self.recipient.url),
        ] {
            check_optional(url.as_deref()).or_else(|problem| said(key, &problem))?;
        }
        check_optional(self.audit_repository_url().as_deref())
            .or_else(|problem| said("audit.url", &problem))?;
        match &self.feed.url {
            Some(url) => check_feed(url).or_else(|problem| said("feed.url", &problem)),
            None => Ok(()),
        }
    }
}

fn check_optional(url: Option<&str>) -> Result<(), &'static str> {
    url.map_or(Ok(()), |url| check(url).map(drop))
}

/// A server and a path, with nothing behind.
pub(super) fn check(url: &str) -> Result<Origin, &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("it is no URL such as https://host.example:443/path");
    };
    if rest.contains(['?', '#', '@']) {
        return Err(
            "it is scheme, host, port and path: no user or password stands in it, and no ? or #",
        );
    }
    let host = rest.split('/').next().unwrap_or_default();
    Origin::parse(&format!("{scheme}://{host}"))
}

/// `mllp://HOST:PORT` or `mllps://HOST:PORT`.
fn check_feed(url: &str) -> Result<(), &'static str> {
    let as_http = match url.split_once("://") {
        Some(("mllp", rest)) => format!("http://{rest}"),
        Some(("mllps", rest)) => format!("https://{rest}"),
        _ => return Err("messages go to mllp://HOST:PORT or mllps://HOST:PORT"),
    };
    check(&as_http).map(drop)
}

/// What is wrong with a value, as the reader of TOML says it, without the value.
pub(super) fn without_value(message: &str) -> String {
    let begins = ["unknown variant ", "invalid type: ", "invalid value: "];
    let Some(begin) = begins.iter().find(|begin| message.starts_with(**begin)) else {
        return message.to_owned();
    };
    let said = &message[begin.len()..];
    // What is expected stands behind the value, in which the same words may stand.
    let (value, expected) = said
        .rsplit_once(", expected ")
        .unwrap_or((said, "something else"));
    let kind: String = value
        .chars()
        .take_while(|sign| sign.is_ascii_lowercase() || *sign == ' ')
        .collect();
    match kind.trim() {
        "" => format!("this is not one of {expected}"),
        kind => format!("{kind} where there should be {expected}"),
    }
}
