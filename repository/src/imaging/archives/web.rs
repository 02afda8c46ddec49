//! An archive that speaks DICOMweb: what it is asked, and what of its answers is believed.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#chapter_10>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hilum_dicom::Uid;
use hilum_dicom::json::DataSets;
use hilum_dicom::walk::DataSet;
use hilum_transport::{Client, ClientError, HttpRequest, HttpStream};

use super::{Names, Trouble};

const DICOM_JSON: &str = "application/dicom+json";
/// As it is stored, whatever that is: nothing needs to be converted.
const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
/// For archives that do not know the star.
const AS_USUAL: &str = "multipart/related; type=\"application/dicom\"";
/// Data sets in one answer to a query: far more than a page.
const MOST_FOUND: usize = 200_000;
/// Bytes of what one study says.
const METADATA_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Bytes of one answer to a query.
const FOUND_BYTES: u64 = 256 * 1024 * 1024;

/// As whom an archive is asked.
#[derive(Clone, Default)]
pub enum Credentials {
    /// As the node that shows its certificate, or as nobody.
    #[default]
    None,
    /// With a name and a password (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// With a token that somebody gave us (RFC 6750).
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

impl Credentials {
    fn header(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Basic { user, password } => {
                let both = STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {both}"))
            }
            Self::Bearer(token) => Some(format!("Bearer {token}")),
        }
    }
}

/// The archive's services.
pub(super) struct Web {
    url: String,
    authorization: Option<String>,
    client: Client,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Web").field(&self.url).finish()
    }
}

/// What a query has found.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) found: Vec<DataSet>,
    /// Whether the archive says that this is not all.
    pub(super) partial: bool,
}

impl Web {
    pub(super) fn new(url: &str, credentials: &Credentials, client: Client) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            authorization: credentials.header(),
            client,
        }
    }

    /// What stands before `/studies`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks with QIDO-RS. `path` begins with `/studies`.
    pub(super) async fn search(&self, path: &str) -> Result<Page, Trouble> {
        let mut answer = self.get(path, DICOM_JSON).await?;
        let mut page = Page {
            // Status 206 was how the first editions said it, a warning is how it is said now.
            partial: answer.status() == 206 || answer.header("warning").is_some(),
            ..Page::default()
        };
        if answer.status() == 204 {
            return Ok(page);
        }
        must_be_json(&answer)?;
        let (mut sets, mut bytes) = (DataSets::new(), 0);
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            bytes += chunk.len() as u64;
            page.found.append(&mut sets.add(&chunk).map_err(garbled)?);
            if page.found.len() > MOST_FOUND || bytes > FOUND_BYTES {
                return Err(Trouble::Failed("it finds more than can be held".to_owned()));
            }
        }
        sets.finish().map_err(garbled)?;
        Ok(page)
    }

    /// What the instances of a study say (WADO-RS). Data sets are handed on as they come; `false`
    /// means that nobody wants more.
    pub(super) async fn metadata(
        &self,
        study: &Uid,
        mut each: impl FnMut(DataSet) -> Result<(), String>,
    ) -> Result<(), Trouble> {
        let path = format!("/studies/{study}/metadata");
        let mut answer = self.get(&path, DICOM_JSON).await?;
        must_be_json(&answer)?;
        let (mut sets, mut bytes) = (DataSets::new(), 0);
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
            bytes += chunk.len() as u64;
            if bytes > METADATA_BYTES {
                let problem = format!("a study says more than {METADATA_BYTES} bytes");
                return Err(Trouble::Failed(problem));
            }
            for data in sets.add(&chunk).map_err(garbled)? {
                each(data).map_err(Trouble::Failed)?;
            }
        }
        sets.finish().map_err(garbled)
    }

    /// Has an instance begin to come (WADO-RS), as it is stored if the archive can do that.
    pub(super) async fn instance(&self, names: &Names) -> Result<HttpStream, Trouble> {
        let Names {
            study,
            series,
            instance,
        } = names;
        let path = format!("/studies/{study}/series/{series}/instances/{instance}");
        match self.ask(&path, AS_STORED).await? {
            answer if matches!(answer.status(), 400 | 406 | 415) => self.get(&path, AS_USUAL).await,
            answer => judged(answer),
        }
    }

    /// Whether it answers queries.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let path = "/studies?limit=1";
        let answer = self.ask(path, DICOM_JSON).await;
        let answer = answer.map_err(|trouble| trouble.to_string())?;
        let url = &self.url;
        match answer.status() {
            204 => return Ok(()),
            200 | 206 => {}
            401 | 403 => {
                return Err(format!(
                    "{url} does not let us in (HTTP status {}): give user and password, or a token",
                    answer.status()
                ));
            }
            404 => {
                return Err(format!(
                    "{url}/studies is not there: the URL must be what stands before /studies, such \
                     as https://pacs.example/dicom-web"
                ));
            }
            status => return Err(format!("{url} answers with HTTP status {status}")),
        }
        must_be_json(&answer).map_err(|trouble| trouble.to_string())?;
        let mut sets = DataSets::new();
        let mut answer = answer;
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
            sets.add(&chunk).map_err(|error| error.to_string())?;
        }
        sets.finish().map_err(|error| error.to_string())
    }

    async fn get(&self, path: &str, accept: &str) -> Result<HttpStream, Trouble> {
        judged(self.ask(path, accept).await?)
    }

    async fn ask(&self, path: &str, accept: &str) -> Result<HttpStream, Trouble> {
        let url = format!("{}{path}", self.url);
        let mut headers = vec![("accept", accept.to_owned())];
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization", authorization.clone()));
        }
        let request = HttpRequest {
            method: "GET",
            url: &url,
            headers: &headers,
            body: Bytes::new(),
        };
        let opened = self.client.open_http(request).await;
        opened.map_err(|error| failed(&error))
    }
}

/// Only success is an answer. What an error says is not repeated: it may name anybody.
fn judged(answer: HttpStream) -> Result<HttpStream, Trouble> {
    match answer.status() {
        200 | 204 | 206 => Ok(answer),
        404 | 410 => Err(Trouble::Gone),
        401 | 403 => Err(Trouble::Failed(format!(
            "it does not let us in (HTTP status {})",
            answer.status()
        ))),
        status => Err(Trouble::Failed(format!(
            "it answers with HTTP status {status}"
        ))),
    }
}

fn must_be_json(answer: &HttpStream) -> Result<(), Trouble> {
    let kind = answer.header("content-type").unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        DICOM_JSON | "application/json" => Ok(()),
        _ => Err(Trouble::Failed(
            "it does not answer in DICOM JSON".to_owned(),
        )),
    }
}

fn failed(error: &ClientError) -> Trouble {
    Trouble::Failed(error.to_string())
}

fn garbled(error: hilum_dicom::json::JsonError) -> Trouble {
    Trouble::Failed(format!("what it answers cannot be read: {error}"))
}
