//! What of S3 is needed, as requests in memory.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/>. Requests have the bucket in their path, which
//! every server understands. Each of them may be sent again, because it does the same again.

mod answers;
mod signature;

use std::fmt;
use std::io;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use bytes::Bytes;
use hilum_transport::{Client, ClientError, HttpAnswer, HttpRequest};

use super::container::sha256;
use signature::{Signing, encoded};

/// How often a request is sent before it has failed.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of an answer: more than any part of a document, or a page of a list.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Names that one list may have.
const LISTED: usize = 1_000_000;
/// Bytes of content from which on hashing it is no work for a thread of tasks.
const MUCH: usize = 256 * 1024;

/// Who asks, and how.
#[derive(Clone)]
pub struct Access {
    /// The access key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// Trusts the object store. Its limits hold for requests to it.
    pub client: Client,
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Access")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Letters of a region.
const REGION: usize = 32;

/// Where a store is, without anything secret: errors name it. `s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    endpoint: String,
    region: String,
    bucket: String,
    /// Empty, or ends in a slash.
    prefix: String,
}

impl Address {
    pub(super) fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("s3://");
        let rest = rest.context("a bucket is given as s3://BUCKET/PREFIX")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let plain = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
            text.bytes().all(allowed) && !text.split('/').any(|part| matches!(part, "." | ".."))
        };
        if bucket.is_empty() || !plain(bucket) || !plain(prefix) || prefix.contains("//") {
            bail!("bucket and prefix have letters, digits, -, . and _ only; keys stand elsewhere");
        }
        let is_region = |text: &str| {
            let allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            text.len() <= REGION && !text.is_empty() && text.bytes().all(allowed)
        };
        let (mut endpoint, mut region) = (None, "us-east-1".to_owned());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("endpoint", value)) => {
                    endpoint = Some(value.trim_end_matches('/').to_owned())
                }
                Some(("region", value)) if is_region(value) => region = value.to_owned(),
                Some(("region", _)) => bail!("a region has small letters, digits and - only"),
                _ => {
                    bail!("only endpoint and region are options of a bucket; keys stand elsewhere")
                }
            }
        }
        let aws = || format!("https://s3.{region}.amazonaws.com");
        let endpoint = endpoint.unwrap_or_else(aws);
        match hilum_transport::Origin::parse(&endpoint) {
            Err(problem) => bail!("the endpoint of the bucket: {problem}"),
            // Documents leave this machine encrypted or not at all.
            Ok(server) if !server.is_encrypted() && !server.is_loopback() => {
                bail!("the endpoint of the bucket must be https, unless it is on this machine")
            }
            Ok(_) => {}
        }
        let prefix = prefix.trim_matches('/');
        let prefix = match prefix {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            endpoint,
            region,
            bucket: bucket.to_owned(),
            prefix,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bucket, prefix) = (&self.bucket, self.prefix.trim_end_matches('/'));
        write!(out, "s3://{bucket}/{prefix} at {}", self.endpoint)
    }
}

/// One prefix of one bucket.
#[derive(Debug)]
pub(super) struct S3 {
    address: Address,
    access: Access,
}

/// A request to be signed.
struct Asking<'a> {
    method: &'static str,
    /// `None` for the bucket itself.
    key: Option<&'a str>,
    /// Names and values, sorted by name, as they are.
    query: &'a [(&'a str, &'a str)],
    range: Option<Range<u64>>,
    body: Bytes,
}

impl<'a> Asking<'a> {
    const fn new(method: &'static str, key: &'a str) -> Self {
        Self {
            method,
            key: Some(key),
            query: &[],
            range: None,
            body: Bytes::new(),
        }
    }
}

impl S3 {
    pub(super) const fn new(address: Address, access: Access) -> Self {
        Self { address, access }
    }

    /// Writes an object.
    pub(super) async fn put(&self, key: &str, body: Bytes) -> io::Result<()> {
        let asking = Asking {
            body,
            ..Asking::new("PUT", key)
        };
        good(self.send(asking).await?).map(drop)
    }

    /// An object or part of it, if it is there.
    pub(super) async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> io::Result<Option<Bytes>> {
        let expected = range.as_ref().map(|range| range.end - range.start);
        let asking = Asking {
            range,
            ..Asking::new("GET", key)
        };
        let Some(answer) = found(self.send(asking).await?)? else {
            return Ok(None);
        };
        match expected {
            Some(length) if answer.body.len() as u64 != length => {
                Err(io::Error::other(format!("{key} is shorter than it was")))
            }
            _ => Ok(Some(answer.body)),
        }
    }

    /// How long an object is, if it is there.
    pub(super) async fn size(&self, key: &str) -> io::Result<Option<u64>> {
        let Some(answer) = found(self.send(Asking::new("HEAD", key)).await?)? else {
            return Ok(None);
        };
        let length = answer.header("content-length");
        Ok(length.and_then(|length| length.parse().ok()))
    }

    /// Removes an object, if it is there.
    pub(super) async fn delete(&self, key: &str) -> io::Result<()> {
        found(self.send(Asking::new("DELETE", key)).await?).map(drop)
    }

    /// The keys that begin so.
    pub(super) async fn list(&self, begin: &str) -> io::Result<Vec<String>> {
        let begin = format!("{}{begin}", self.address.prefix);
        let (mut keys, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", &*begin)];
            if let Some(after) = &after {
                query.insert(0, ("continuation-token", after));
            }
            let answer = self.ask_bucket(&query).await?;
            let page = answers::list(&answer).map_err(io::Error::other)?;
            let own = |key: String| key.strip_prefix(&self.address.prefix).map(str::to_owned);
            keys.extend(page.keys.into_iter().filter_map(own));
            after = page.next;
            if after.is_none() {
                return Ok(keys);
            }
            if keys.len() > LISTED {
                return Err(io::Error::other(format!("{begin} has too many objects")));
            }
        }
    }

    /// Objects that begin so and were begun and not completed: their keys and the names of their
    /// uploads, as many as one answer has.
    pub(super) async fn uploads(&self, begin: &str) -> io::Result<Vec<(String, String)>> {
        let begin = format!("{}{begin}", self.address.prefix);
        let query = [("prefix", &*begin), ("uploads", "")];
        let answer = self.ask_bucket(&query).await?;
        let uploads = answers::uploads(&answer).map_err(io::Error::other)?;
        let own = |(key, upload): (String, String)| {
            let key = key.strip_prefix(&self.address.prefix)?;
            Some((key.to_owned(), upload))
        };
        Ok(uploads.into_iter().filter_map(own).collect())
    }

    /// Begins an object that comes in parts. Gives the name of the upload.
    pub(super) async fn begin(&self, key: &str) -> io::Result<String> {
        let asking = Asking {
            query: &[("uploads", "")],
            ..Asking::new("POST", key)
        };
        let answer = good(self.send(asking).await?)?;
        answers::upload(&answer.body).map_err(io::Error::other)
    }

    /// Sends a part. Gives what it is called when the object is completed.
    pub(super) async fn part(
        &self,
        key: &str,
        upload: &str,
        number: usize,
        body: Bytes,
    ) -> io::Result<String> {
        let number = number.to_string();
        let asking = Asking {
            query: &[("partNumber", &number), ("uploadId", upload)],
            body,
            ..Asking::new("PUT", key)
        };
        let answer = good(self.send(asking).await?)?;
        let tag = answer.header("etag").map(str::to_owned);
        tag.ok_or_else(|| io::Error::other("a part of an upload was taken without an ETag"))
    }

    /// Makes an object of its parts.
    pub(super) async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[String],
    ) -> io::Result<()> {
        let asking = Asking {
            query: &[("uploadId", upload)],
            body: answers::parts(parts).into(),
            ..Asking::new("POST", key)
        };
        let answer = self.send(asking).await?;
        // Status 200 is sent before it is known how this ends.
        if answer.status == 200 && answers::is_completed(&answer.body) {
            return Ok(());
        }
        // It was completed, and the answer to that was lost.
        if answer.status == 404 && self.size(key).await?.is_some() {
            return Ok(());
        }
        Err(refused(&answer))
    }

    /// Gives up an object that was not completed.
    pub(super) async fn abort(&self, key: &str, upload: &str) -> io::Result<()> {
        let asking = Asking {
            query: &[("uploadId", upload)],
            ..Asking::new("DELETE", key)
        };
        found(self.send(asking).await?).map(drop)
    }

    async fn ask_bucket(&self, query: &[(&str, &str)]) -> io::Result<Bytes> {
        let asking = Asking {
            method: "GET",
            key: None,
            query,
            range: None,
            body: Bytes::new(),
        };
        Ok(good(self.send(asking).await?)?.body)
    }

    /// Sends a request, and again if there was no answer or one that says to come later.
    async fn send(&self, asking: Asking<'_>) -> io::Result<HttpAnswer> {
        let digest = digest(asking.body.clone()).await?;
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let sent = self.send_once(&asking, &digest, SystemTime::now()).await;
            let again = match &sent {
                Ok(answer) => matches!(answer.status, 429 | 500 | 502 | 503 | 504),
                Err(ClientError::Unreachable { .. }) => true,
                Err(_) => false,
            };
            if !again || attempt >= ATTEMPTS {
                return sent.map_err(io::Error::other);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn send_once(
        &self,
        asking: &Asking<'_>,
        digest: &str,
        now: SystemTime,
    ) -> Result<HttpAnswer, ClientError> {
        let address = &self.address;
        let path = match asking.key {
            Some(key) => format!("/{}/{}{key}", address.bucket, address.prefix),
            None => format!("/{}", address.bucket),
        };
        let query = encoded(asking.query);
        let (_, host) = address.endpoint.split_once("://").unwrap_or_default();
        let signing = Signing {
            method: asking.method,
            host,
            path: &path,
            query: &query,
            digest,
            region: &address.region,
        };
        let (date, authorization) = signing.sign(&self.access, now);
        let mut headers = vec![
            ("authorization", authorization),
            ("x-amz-content-sha256", digest.to_owned()),
            ("x-amz-date", date),
        ];
        if let Some(range) = &asking.range {
            let last = range.end.saturating_sub(1);
            headers.push(("range", format!("bytes={}-{last}", range.start)));
        }
        let question = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{path}{question}{query}", address.endpoint);
        let request = HttpRequest {
            method: asking.method,
            url: &url,
            headers: &headers,
            body: asking.body.clone(),
        };
        self.access
            .client
            .exchange_http(request, ANSWER_BYTES)
            .await
    }
}

/// SHA-256 of what is sent.
async fn digest(body: Bytes) -> io::Result<String> {
    if body.len() < MUCH {
        return Ok(sha256(&body));
    }
    let digest = tokio::task::spawn_blocking(move || sha256(&body)).await;
    digest.map_err(io::Error::other)
}

/// An answer that is not a refusal.
fn good(answer: HttpAnswer) -> io::Result<HttpAnswer> {
    match answer.status {
        200..=299 => Ok(answer),
        _ => Err(refused(&answer)),
    }
}

/// The same of something that may be missing.
fn found(answer: HttpAnswer) -> io::Result<Option<HttpAnswer>> {
    match answer.status {
        // The bucket itself must be there.
        404 if answers::code(&answer.body).as_deref() != Some("NoSuchBucket") => Ok(None),
        _ => good(answer).map(Some),
    }
}

fn refused(answer: &HttpAnswer) -> io::Error {
    let code = answers::code(&answer.body);
    let code = code.as_deref().unwrap_or("without a reason");
    let status = answer.status;
    io::Error::other(format!("the object store refused: {status} {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly() {
        let all = "s3://docs.example/a/b/?endpoint=https://s3.example:9000/&region=eu-central-1";
        let address = Address::parse(all).unwrap();
        assert_eq!(address.endpoint, "https://s3.example:9000");
        assert_eq!(address.region, "eu-central-1");
        assert_eq!(
            (&*address.bucket, &*address.prefix),
            ("docs.example", "a/b/")
        );
        let aws = Address::parse("s3://docs").unwrap();
        assert_eq!(aws.endpoint, "https://s3.us-east-1.amazonaws.com");
        assert_eq!(aws.prefix, "");
        for wrong in [
            "s3:docs",
            "s3://",
            "s3:///prefix",
            "s3://docs/../other",
            "s3://docs/a//b",
            "s3://do cs",
            "s3://docs?endpoint=s3.example",
            "s3://docs?endpoint=https://key:secret@s3.example",
            "s3://docs?endpoint=https://s3.example/path",
            "s3://docs?endpoint=http://s3.example",
            "s3://docs?secret=x",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
