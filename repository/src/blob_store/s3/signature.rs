//! AWS Signature Version 4: who asks, proven by a secret that both sides know.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::fmt::Write as _;
use std::time::SystemTime;

use hilum_audit::moment::Moment;
use sha2::{Digest, Sha256};

use super::Access;
use crate::blob_store::container::{hexadecimal, sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A request, as far as it is signed.
pub(super) struct Signing<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Of characters that are not encoded.
    pub(super) path: &'a str,
    /// Encoded and sorted.
    pub(super) query: &'a str,
    /// SHA-256 of the content.
    pub(super) digest: &'a str,
    pub(super) region: &'a str,
}

impl Signing<'_> {
    /// The headers `x-amz-date` and `authorization`.
    pub(super) fn sign(&self, access: &Access, now: SystemTime) -> (String, String) {
        let moment = Moment::of(now).to_string();
        let digits: String = moment.chars().filter(char::is_ascii_digit).collect();
        let (day, date) = (
            &digits[..8],
            format!("{}T{}Z", &digits[..8], &digits[8..14]),
        );
        let Self {
            method,
            host,
            path,
            query,
            digest,
            region,
        } = self;
        let request = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{digest}\n\
             x-amz-date:{date}\n\nhost;x-amz-content-sha256;x-amz-date\n{digest}"
        );
        let scope = format!("{day}/{region}/s3/aws4_request");
        let signed = sha256(request.as_bytes());
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{signed}");
        let key = signing_key(&access.secret, day, region);
        let signature = hexadecimal(&hmac(&key, text.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}",
            access.key
        );
        (date, authorization)
    }
}

fn signing_key(secret: &str, day: &str, region: &str) -> [u8; 32] {
    let first = hmac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
    let rest = [region.as_bytes(), b"s3", b"aws4_request"];
    rest.into_iter().fold(first, |key, part| hmac(&key, part))
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    match key.len() > BLOCK {
        true => block[..32].copy_from_slice(&Sha256::digest(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    let with = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(with(0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(with(0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

/// A query as it is sent and signed.
pub(super) fn encoded(query: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in query {
        if !out.is_empty() {
            out.push('&');
        }
        encode(&mut out, name);
        out.push('=');
        encode(&mut out, value);
    }
    out
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use hilum_transport::{Client, Limits};

    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hmac_is_that_of_the_rfc() {
        let hex = |key: &[u8], text: &[u8]| hexadecimal(&hmac(key, text));
        assert_eq!(
            hex(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// The example "GET Bucket (List Objects)" of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let access = Access {
            key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            client: Client::new(None, Limits::default()),
        };
        let query = encoded(&[("max-keys", "2"), ("prefix", "J")]);
        let signing = Signing {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: &query,
            digest: &sha256(b""),
            region: "us-east-1",
        };
        // 2013-05-24T00:00:00Z
        let now = UNIX_EPOCH + Duration::from_secs(1_369_353_600);
        let (date, authorization) = signing.sign(&access, now);
        assert_eq!(date, "20130524T000000Z");
        let signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
        assert!(authorization.ends_with(signature), "{authorization}");
        assert_eq!(encoded(&[("a b", "/+~")]), "a%20b=%2F%2B~");
    }
}
