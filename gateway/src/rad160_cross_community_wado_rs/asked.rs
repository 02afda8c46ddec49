//! What a path asks for: `…/homeCommunityId/OID/RetrieveLocationUID/OID/study/UID…`.

use hilum_transport::Request;
use xds_schemas::metadata::hl7::is_oid;

use super::Refused;
use crate::communities::Own;

/// Segments behind the study's.
const SEGMENTS: usize = 12;
/// Characters of a path and its query: far more than there are in questions that mean something.
const CHARACTERS: usize = 1024;
/// The parameter that names the base of the imaging source.
const RETRIEVE_URL: &str = "retrieveurl";

/// What is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// `homeCommunityId`, with `urn:oid:`.
    pub(super) home: String,
    /// The Retrieve Location UID.
    pub(super) location: String,
    /// The Study Instance UID.
    pub(super) study: String,
    /// What follows the study, with the slash before it.
    rest: String,
    /// The query as it came, without `retrieveurl`.
    query: String,
    /// The whole query as it came.
    whole_query: String,
    /// `retrieveurl`.
    retrieve_url: Option<String>,
}

impl Asked {
    pub(super) fn read(request: &Request) -> Result<Self, Refused> {
        let segments = request.segments()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let parameters = request.parameters()?;
        let mut urls = parameters
            .iter()
            .filter(|(name, _)| name == RETRIEVE_URL)
            .map(|(_, value)| value.clone());
        let retrieve_url = urls.next();
        if urls.next().is_some() {
            return Err(Refused::new(400, "retrieveurl is given more than once"));
        }
        let whole_query = request.query().to_owned();
        let is_kept = |pair: &&str| pair.split('=').next() != Some(RETRIEVE_URL);
        let query: Vec<&str> = whole_query.split('&').filter(is_kept).collect();
        let query = query.join("&");
        let [_, behind @ ..] = segments.as_slice() else {
            return Err(nothing());
        };
        let characters: usize = segments.iter().map(|segment| segment.len() + 1).sum();
        if characters + whole_query.len() > CHARACTERS {
            let reason = format!("what is asked for has more than {CHARACTERS} characters");
            return Err(Refused::new(414, reason));
        }
        Ok(Self {
            query,
            whole_query,
            retrieve_url,
            ..Self::of_path(behind)?
        })
    }

    fn of_path(behind: &[&str]) -> Result<Self, Refused> {
        let [
            "homeCommunityId",
            home,
            "RetrieveLocationUID",
            location,
            "study" | "studies",
            study,
            rest @ ..,
        ] = behind
        else {
            return Err(nothing());
        };
        let home = home.strip_prefix("urn:oid:").unwrap_or(home);
        for (name, oid) in [
            ("homeCommunityId", home),
            ("RetrieveLocationUID", location),
            ("the Study Instance UID", study),
        ] {
            if !is_oid(oid) {
                return Err(Refused::new(400, format!("{name} is not an OID")));
            }
        }
        // UIDs, words, numbers: nothing that means something else in a URL.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_,.".contains(&byte);
        let is_good = |segment: &&str| {
            !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_plain)
        };
        if rest.len() > SEGMENTS || !rest.iter().all(is_good) {
            return Err(nothing());
        }
        Ok(Self {
            home: format!("urn:oid:{home}"),
            location: (*location).to_owned(),
            study: (*study).to_owned(),
            rest: rest.iter().map(|segment| format!("/{segment}")).collect(),
            query: String::new(),
            whole_query: String::new(),
            retrieve_url: None,
        })
    }

    /// The URL at a source of the own community: that of the UID, or the one that is named, which must
    /// be one of those that are known.
    pub(super) fn at_source(&self, own: &Own) -> Result<String, Refused> {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        let mut sources = own.wado.iter();
        let found = match &self.retrieve_url {
            Some(url) => sources.find(|(_, base)| trimmed(base) == trimmed(url)),
            None => sources.find(|(location, _)| location.as_str() == self.location),
        };
        let Some((_, base)) = found else {
            let reason = match self.retrieve_url {
                Some(_) => "retrieveurl is no imaging source of this community".to_owned(),
                None => format!("{} is no imaging source of this community", self.location),
            };
            return Err(Refused::new(404, reason));
        };
        let path = format!("{}/studies/{}{}", trimmed(base), self.study, self.rest);
        Ok(with_query(path, &self.query))
    }

    /// The URL at the gateway of another community.
    pub(super) fn at_gateway(&self, base: &str) -> String {
        let home = self.home.trim_start_matches("urn:oid:");
        let path = format!(
            "{}/homeCommunityId/{home}/RetrieveLocationUID/{}/study/{}{}",
            base.trim_end_matches('/'),
            self.location,
            self.study,
            self.rest
        );
        with_query(path, &self.whole_query)
    }
}

fn with_query(path: String, query: &str) -> String {
    match query.is_empty() {
        true => path,
        false => format!("{path}?{query}"),
    }
}

fn nothing() -> Refused {
    Refused::new(
        404,
        "the path is homeCommunityId/OID/RetrieveLocationUID/OID/study/UID and what follows studies/UID \
         in WADO-RS",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::communities::FetchLimits;

    fn read(path: &str) -> Result<Asked, Refused> {
        let segments: Vec<&str> = path.split('/').collect();
        Asked::of_path(&segments)
    }

    fn own() -> Own {
        Own {
            home: "urn:oid:2.999.1".into(),
            registry: None,
            repositories: Vec::new(),
            imaging: Vec::new(),
            provide: None,
            wado: vec![
                ("2.999.7".into(), "https://a.example/dicom-web".to_owned()),
                ("2.999.8".into(), "https://b.example/rs/".to_owned()),
            ],
            fetch: FetchLimits {
                documents: 1,
                bytes: 1,
            },
            deadline: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_path_names_a_source() {
        let path =
            "homeCommunityId/2.999.1/RetrieveLocationUID/2.999.8/study/1.2/series/1.3/metadata";
        let mut asked = read(path).unwrap();
        assert_eq!(asked.home, "urn:oid:2.999.1");
        let at = asked.at_source(&own()).unwrap();
        assert_eq!(at, "https://b.example/rs/studies/1.2/series/1.3/metadata");
        asked.query = "accept=x".to_owned();
        asked.whole_query = "accept=x&retrieveurl=y".to_owned();
        let across = asked.at_gateway("https://c.example/gateway/");
        assert_eq!(
            across,
            format!("https://c.example/gateway/{path}?accept=x&retrieveurl=y")
        );
        asked.retrieve_url = Some("https://a.example/dicom-web/".to_owned());
        let at = asked.at_source(&own()).unwrap();
        assert!(
            at.starts_with("https://a.example/dicom-web/studies/1.2/series"),
            "{at}"
        );
        assert!(at.ends_with("?accept=x"), "{at}");
    }

    #[test]
    fn only_known_sources_are_asked() {
        let asked = |location: &str, url: Option<&str>| {
            let path = format!("homeCommunityId/2.999.1/RetrieveLocationUID/{location}/study/1.2");
            let asked = Asked {
                retrieve_url: url.map(str::to_owned),
                ..read(&path).unwrap()
            };
            asked.at_source(&own()).unwrap_err().status
        };
        assert_eq!(asked("2.999.9", None), 404);
        for url in [
            "https://a.example/dicom-web/../x",
            "https://a.example/dicom-web?x",
            "https://a.example@evil.example/dicom-web",
            "http://a.example/dicom-web",
            "http://169.254.169.254/",
            "",
        ] {
            assert_eq!(asked("2.999.7", Some(url)), 404, "{url}");
        }
    }

    #[test]
    fn other_paths_are_nothing() {
        let good = "homeCommunityId/2.999.1/RetrieveLocationUID/2.999.8/study/1.2";
        for (path, status) in [
            ("".to_owned(), 404),
            (good.replace("2.999.1", "north"), 400),
            (good.replace("2.999.8", "2.999.8#x"), 400),
            (good.replace("study/1.2", "patients/1.2"), 404),
            (format!("{good}/.."), 404),
            (format!("{good}/series/a%2Fb"), 404),
            (format!("{good}/series//x"), 404),
            (format!("{good}/series/x@y"), 404),
            (format!("{good}{}", "/1".repeat(SEGMENTS + 1)), 404),
        ] {
            assert_eq!(read(&path).unwrap_err().status, status, "{path}");
        }
    }
}
