//! The URL of a PostgreSQL server, in which a password may stand, wherever somebody wrote it.

use std::fmt::Display;

/// A URL that can only be read in one way.
#[derive(Debug)]
pub(crate) struct PostgresUrl {
    /// What the server or libpq might repeat, as it stands there and as it is meant.
    parts: Vec<String>,
    /// The same of what is secret.
    secrets: Vec<String>,
}

/// Options whose value is secret.
const SECRET_OPTIONS: [&str; 5] = [
    "password",
    "sslpassword",
    "scram_client_key",
    "scram_server_key",
    "oauth_client_secret",
];

/// Letters from which on a word of an option is not repeated.
const WORD: usize = 4;

/// Options whose value may be told.
const PLAIN_OPTIONS: [&str; 3] = ["host", "hostaddr", "port"];

impl PostgresUrl {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE`, all of it but the scheme
    /// optional, more strictly than libpq does: a password with signs of its own in it would be taken
    /// for a host, a port or a database, which errors name.
    ///
    /// # Errors
    /// Says what is wrong with it, and nothing of what stands in it.
    pub(crate) fn read(url: &str) -> Result<Self, &'static str> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or("it begins neither with sqlite: nor with postgres://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if rest.contains('@') || authority.matches('@').count() > 1 {
            return Err(
                "signs in a user or password that are no letters or digits must be encoded: \
                        @ is %40, / is %2F, ? is %3F",
            );
        }
        let mut read = Self {
            parts: Vec::new(),
            secrets: Vec::new(),
        };
        let hosts = match authority.split_once('@') {
            Some((user, hosts)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                if password.contains(':') {
                    return Err("a colon in a password is written %3A");
                }
                remember(&mut read.parts, user)?;
                remember(&mut read.secrets, password)?;
                hosts
            }
            None => authority,
        };
        hosts.split(',').try_for_each(check_host)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let database = path.strip_prefix('/').unwrap_or(path);
        if database.contains('/') {
            return Err("one database is named, behind the server");
        }
        // Whoever reads an error has to know which one does not exist.
        decoded(database)?;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let named = option.split_once('=');
            let (name, value) = named.ok_or("its options are written ?NAME=VALUE&NAME=VALUE")?;
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err("the name of an option has small letters only");
            }
            match name {
                _ if SECRET_OPTIONS.contains(&name) => remember(&mut read.secrets, value)?,
                _ if PLAIN_OPTIONS.contains(&name) => decoded(value).map(drop)?,
                _ => {
                    remember(&mut read.parts, value)?;
                    let meant = decoded(value)?;
                    // Options of the server are written as one value, and errors name their parts.
                    let is_word = |sign: char| sign.is_alphanumeric() || "_-.".contains(sign);
                    let words = meant.split(|sign| !is_word(sign));
                    let words = words.filter(|word| word.len() >= WORD);
                    read.parts.extend(words.map(str::to_owned));
                }
            }
        }
        Ok(read)
    }

    /// What libpq or the server says, without what stands in the URL. If a secret is in it, it is not
    /// repeated at all.
    pub(crate) fn told(&self, error: impl Display) -> String {
        let error = error.to_string();
        let mut secrets = self.secrets.iter();
        if secrets.any(|secret| error.contains(secret.as_str())) {
            return "why is not repeated, since the words of libpq have the password in them"
                .to_owned();
        }
        let told = self
            .parts
            .iter()
            .fold(error, |error, part| without(&error, part));
        one_line(&told)
    }
}

/// What libpq says in several lines, as one: its bytes may be those of something that is no PostgreSQL.
fn one_line(text: &str) -> String {
    let is_space = |sign: char| {
        sign.is_whitespace() || sign.is_control() || sign == char::REPLACEMENT_CHARACTER
    };
    let words = text.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// `text` with "…" for each `part` that stands there by itself.
fn without(text: &str, part: &str) -> String {
    let (mut told, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(part) {
        let (before, behind) = (&rest[..at], &rest[at + part.len()..]);
        let letter = |sign: Option<char>| sign.is_some_and(char::is_alphanumeric);
        let alone = !letter(before.chars().next_back()) && !letter(behind.chars().next());
        told.push_str(before);
        told.push_str(if alone { "…" } else { part });
        rest = behind;
    }
    told + rest
}

/// Remembers a part as it stands there, and as it is meant.
fn remember(parts: &mut Vec<String>, part: &str) -> Result<(), &'static str> {
    let meant = decoded(part)?;
    for part in [part.to_owned(), meant] {
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    Ok(())
}

/// One host, perhaps with its port; a folder of sockets has its slashes encoded.
fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.split_once(']').ok_or(HOST)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| HOST)?;
            ("", port)
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte);
    if !name.bytes().all(is_plain) {
        return Err(HOST);
    }
    decoded(name)?;
    let port = match port.strip_prefix(':') {
        Some(port) => port,
        None if port.is_empty() => return Ok(()),
        None => return Err(HOST),
    };
    match port.parse::<u16>() {
        Ok(number) if number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(()),
        _ => Err(
            "its port is no number from 1 to 65535; a user and password stand before an @, \
                  and signs in them are encoded: / is %2F, ? is %3F",
        ),
    }
}

const HOST: &str = "it names no host between @ and the next /";

/// What `%XX` means.
fn decoded(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "a % in it is not followed by two hexadecimal digits; % itself is %25";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = rest.next().map(char::from);
            digit.and_then(|it| it.to_digit(16)).ok_or(WRONG)
        };
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| WRONG)?);
    }
    String::from_utf8(bytes).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_read_in_one_way() {
        for url in [
            "postgres://",
            "postgres:///registry",
            "postgres://hilum:secret@db.example:5432/registry",
            "postgresql://hilum@[::1]:5432/registry?sslmode=verify-full&application_name=x",
            "postgres://hilum:a%40b@a,b:5433/registry",
            "postgres://hilum@%2Fvar%2Frun%2Fpostgresql/registry",
            "postgres://hilum:p#ss,w+rd=@h/registry?password=x",
        ] {
            assert!(PostgresUrl::read(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_wrong_place_is_refused_and_not_repeated() {
        for url in [
            "postgres:/hilum:Secret7@db/registry",
            "postgres//hilum:Secret7@db/registry",
            "postgres://hilum:Sec@Secret7@db/registry",
            "postgres://hilum:Sec/Secret7@db/registry",
            "postgres://hilum:7/Secret7@db/registry",
            "postgres://hilum:7?Secret7@db/registry",
            "postgres://hilum:Sec:Secret7@db/registry",
            "postgres://hilum:Secret7/registry",
            "postgres://hilum:Secret7",
            "postgres://hilum@db:Secret7/registry",
            "postgres://hilum@db/registry/Secret7",
            "postgres://hilum@db/registry?Secret7",
            "postgres://hilum@db/registry?Secret7=1",
            "postgres://hilum:%Secret7@db/registry",
            "postgres://hilum@[Secret7]/registry",
            "postgres://hilum@db Secret7/registry",
        ] {
            let refused = PostgresUrl::read(url).unwrap_err();
            assert!(!refused.contains("Secret7"), "{url}: {refused}");
        }
    }

    #[test]
    fn what_libpq_says_is_told_without_what_stands_in_the_url() {
        let url = PostgresUrl::read("postgres://me:a%40b@h:1/reg?passfile=/x&password=c").unwrap();
        let told = url.told("FATAL: no role \"me\", database reg,\n\tmessage\u{1}\u{fffd}of /x\n");
        assert_eq!(told, "FATAL: no role \"…\", database reg, message of …");
        for secret in ["a@b", "a%40b", "=c;"] {
            assert!(!url.told(format!("invalid {secret}")).contains(secret));
        }
    }
}
