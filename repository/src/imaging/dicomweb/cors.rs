//! Cross-origin requests: viewers in browsers, which were loaded from elsewhere, may ask if the
//! operator allows their origin.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>

use hilum_transport::{Reply, Request};

/// Seconds for which a browser need not ask again what it may send.
const REMEMBERED: &str = "600";
/// What a script may send.
const SENT: &str = "Accept, Authorization, Content-Type, If-None-Match, Range";
/// What a script may read.
const SHOWN: &str = "Content-Location, Content-Range, ETag, Warning";

/// What a browser is told.
pub(super) struct Cors {
    /// The origin of the script, if it may ask.
    origin: Option<String>,
    /// Whether the answer depends on the origin.
    varies: bool,
    preflight: bool,
}

impl Cors {
    /// `allowed` are origins such as `https://viewer.example`.
    pub(super) fn of(allowed: &[String], request: &Request) -> Self {
        let origin = request.header("origin");
        Self {
            origin: origin.filter(|origin| allowed.contains(origin)),
            varies: !allowed.is_empty(),
            preflight: request.header("access-control-request-method").is_some()
                && request.method() == "OPTIONS",
        }
    }

    /// Lets the browser hand the reply to the script.
    pub(super) fn allow(&self, mut reply: Reply) -> Reply {
        if self.varies {
            reply = reply.and_header("vary", "Origin");
        }
        let Some(origin) = &self.origin else {
            return reply;
        };
        reply = reply
            .and_header("access-control-allow-origin", origin)
            // Nodes are known by certificates, which browsers count as credentials.
            .and_header("access-control-allow-credentials", "true");
        if self.preflight {
            return reply
                .and_header("access-control-allow-methods", "GET, HEAD, POST")
                .and_header("access-control-allow-headers", SENT)
                .and_header("access-control-max-age", REMEMBERED);
        }
        reply.and_header("access-control-expose-headers", SHOWN)
    }
}
