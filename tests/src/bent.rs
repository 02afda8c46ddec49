//! Lines to a gateway that change what goes over them, so that it looks like one of somebody else.

use crate::partner::{Asked, Partner, Said};
use crate::{raw, words};

/// What a gateway behind such a line is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bend {
    /// It knows no WS-Addressing and no MTOM, and passes no header on: the action stands in the headers of HTTP.
    /// Of what it finds it does not say whose it is, and it takes one document in a request.
    Old,
    /// It refuses `action` in the Content-Type and `mustUnderstand`, and wants a timestamp.
    Strict,
}

/// A line to the gateway at this port of this machine.
pub fn bent(bend: Bend, port: u16) -> Partner {
    Partner::open(move |asked| match bend {
        Bend::Old => old(asked, port),
        Bend::Strict => strict(asked, port),
    })
}

fn old(asked: &Asked, port: u16) -> Said {
    let kind = asked.header("content-type").unwrap_or_default();
    let action = between(kind, "action=\"", "\"");
    let body = between(&asked.body, "<env:Body>", "</env:Body>");
    let (Some(action), Some(body)) = (action, body) else {
        return Said::status(415);
    };
    if asked.documents().len() > 1 {
        return Said::fault("one document at a time");
    }
    let kind = "application/soap+xml; charset=UTF-8";
    let mut said = forwarded(port, kind, words::envelope(action, body).as_bytes());
    let mut text = String::from_utf8_lossy(&said.body).into_owned();
    if let Some(header) = between(&text, "<env:Header>", "</env:Header>") {
        text = text.replacen(header, "", 1);
    }
    while let Some(home) = between(&text, " home=\"", "\"") {
        text = text.replace(&format!(" home=\"{home}\""), "");
    }
    said.body = text.into_bytes();
    said
}

fn strict(asked: &Asked, port: u16) -> Said {
    let kind = asked.header("content-type").unwrap_or_default();
    if kind.contains("action=") {
        return Said::status(415);
    }
    if asked.body.contains("mustUnderstand") {
        return Said::fault("a header block is not understood");
    }
    if !asked.body.contains("Created>") {
        return Said::fault("the message has no timestamp");
    }
    forwarded(port, kind, asked.body.as_bytes())
}

/// What the gateway says, as it is.
fn forwarded(port: u16, kind: &str, body: &[u8]) -> Said {
    // So that the answer comes in one piece.
    let head = format!(
        "POST /responding HTTP/1.0\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw::exchange(port, &[head.as_bytes(), body].concat());
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(':'));
    let kind = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    Said {
        status: answer.status,
        content_type: kind.map_or_else(String::new, |(_, value)| value.trim().to_owned()),
        body: answer.body,
        ..Said::envelope("")
    }
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}
