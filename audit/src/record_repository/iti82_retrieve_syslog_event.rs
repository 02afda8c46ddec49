//! ITI-82 Retrieve Syslog Event: a search for syslog messages by what their headers say.
//!
//! Asked by Audit Consumers; answered by the Audit Record Repository. Messages of any kind are found,
//! those too that are no audit records; what came as FHIR is not.

use hilum_transport::{PermittedRequest, Reply};
use serde_json::{Map, Value, json};
use xds_schemas::syslog_message::SyslogMessage;

use super::index::{DateTest, Found, Index, Kind, Search, Times};
use super::iti81_retrieve_atna_audit_event::{FITTING, MOST, caught_up, date, texts, wrong};
use super::log::Log;
use super::web::Refused;
use super::{Received, RecordRepository};
use crate::event::AuditLogUse;
use crate::{Event, Outcome, Parties, Recorded};
use hilum_transport::rest::Accept;

/// Messages that are given at most: there are no pages here.
const MESSAGES: usize = 10_000;
/// Bytes of them.
const BYTES: usize = 32 * 1024 * 1024;
/// Messages that are read to look for a part of their text.
const LOOKED_AT: usize = 200_000;

/// What is asked.
#[derive(Debug, Default)]
struct Question {
    times: Times,
    /// Of each field any of these parts.
    fields: Vec<(Kind, Vec<String>)>,
    /// Facility and severity are numbers.
    numbers: Vec<(Kind, Vec<String>)>,
    /// Parts of the message itself.
    messages: Vec<Vec<String>>,
    most: usize,
}

/// What is answered: messages in the order in which they were written, and whether there are more.
struct Answer {
    messages: Vec<Value>,
    cut: bool,
}

/// `GET {base}/syslogsearch?…`
pub(super) async fn search(
    repository: &RecordRepository,
    request: PermittedRequest,
) -> Result<Recorded<Reply>, Refused> {
    let request = request.request();
    let parties = Parties::answered(request.caller(), request.endpoint());
    let event = |outcome: &Outcome| {
        let how = AuditLogUse::RetrieveSyslogEvent;
        let endpoint = request.endpoint();
        Event::audit_log_used(how, &parties, endpoint, Some(request.query()), outcome)
    };
    let accept = request.header("accept").unwrap_or_default();
    let asked = request.parameters().map_err(Refused::from);
    let asked = asked.and_then(|parameters| Question::read(parameters, &accept));
    let answer = match asked {
        Ok(question) => answered(repository, question).await,
        Err(refused) => Err(refused),
    };
    match answer {
        Ok(answer) => {
            let status = if answer.cut { 206 } else { 200 };
            let json = Value::Array(answer.messages).to_string();
            let reply = Reply::plain(status, "application/json", json);
            Ok(repository
                .audit()
                .record(event(&Outcome::Success), reply)
                .await?)
        }
        Err(refused) => {
            let outcome = Outcome::MinorFailure(refused.fault().reason);
            Err(refused.recorded_as(event(&outcome)))
        }
    }
}

async fn answered(repository: &RecordRepository, question: Question) -> Result<Answer, Refused> {
    let end = repository.log().end();
    caught_up(repository, end).await;
    let here = repository.clone();
    let look = move || question.answer(here.index(), here.log(), end);
    tokio::task::spawn_blocking(look).await?
}

impl Question {
    fn read(parameters: Vec<(String, String)>, accept: &str) -> Result<Self, Refused> {
        let accepted = Accept::parse(accept);
        if !accept.trim().is_empty() && accepted.quality("application/json") == 0 {
            let reason = "this can be given as application/json only";
            return Err(Refused::new(415, "not-supported", reason));
        }
        let mut question = Self {
            most: MESSAGES,
            ..Self::default()
        };
        for (name, value) in parameters {
            question.parameter(&name, &value)?;
        }
        if question.times.0.is_empty() {
            return Err(Refused::new(
                400,
                "required",
                "date: it must be given at least once",
            ));
        }
        Ok(question)
    }

    /// What is not known is passed over.
    fn parameter(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        let kind = match name {
            "date" => {
                let dates: Option<Vec<DateTest>> = texts(value).iter().map(|it| date(it)).collect();
                let dates = dates.filter(|dates| !dates.is_empty());
                let dates = dates.ok_or_else(|| wrong(name, "a date is expected"))?;
                self.times.0.push(dates);
                return Ok(());
            }
            "_count" => {
                let most = value.parse().map_err(|_| wrong(name, "it is no number"))?;
                self.most = MESSAGES.min(most);
                return Ok(());
            }
            "msg" => {
                merge(&mut self.messages, value);
                return Ok(());
            }
            "pri" => Kind::Priority,
            "version" => Kind::Version,
            "hostname" => Kind::HostName,
            "app-name" | "appname" => Kind::AppName,
            "procid" => Kind::ProcessId,
            "msg-id" | "msgid" => Kind::MessageId,
            "facility" | "severity" => {
                let kind = if name == "facility" {
                    Kind::Facility
                } else {
                    Kind::Severity
                };
                add(&mut self.numbers, kind, value);
                return Ok(());
            }
            _ => return Ok(()),
        };
        add(&mut self.fields, kind, value);
        Ok(())
    }

    fn answer(&self, index: &Index, log: &Log, end: u64) -> Result<Answer, Refused> {
        let mut search = self.search(index, log, end)?;
        let mut answer = Answer {
            messages: Vec::new(),
            cut: false,
        };
        let (mut bytes, mut looked_at) = (0, 0);
        loop {
            let found: Found = index.search(&search).map_err(anyhow::Error::new)?;
            for hit in &found.hits {
                if answer.messages.len() >= self.most || bytes > BYTES || looked_at >= LOOKED_AT {
                    answer.cut = true;
                    return Ok(answer);
                }
                looked_at += 1;
                let record = log.read(hit.id.number).map_err(anyhow::Error::new)?;
                // Its time may be over since it was found.
                if let Some(record) = record.filter(|record| self.is_said_in(record)) {
                    bytes += record.bytes.len();
                    answer.messages.push(message(&record));
                }
            }
            match found.hits.last() {
                Some(last) if found.more => search.after = Some(*last),
                _ => return Ok(answer),
            }
        }
    }

    fn search(&self, index: &Index, log: &Log, end: u64) -> Result<Search, Refused> {
        let words = index.words().map_err(anyhow::Error::new)?;
        let mut all = vec![vec![words.plain(Kind::Syslog, "")]];
        for (kind, parts) in &self.fields {
            let fits = |text: &str| {
                let text = text.to_lowercase();
                parts.iter().any(|part| text.contains(&part.to_lowercase()))
            };
            let found = index
                .fitting(*kind, FITTING, fits)
                .map_err(anyhow::Error::new)?;
            let costly = || Refused::new(400, "too-costly", "too many different values fit");
            all.push(found.ok_or_else(costly)?);
        }
        for (kind, numbers) in &self.numbers {
            all.push(
                numbers
                    .iter()
                    .map(|number| words.plain(*kind, number))
                    .collect(),
            );
        }
        Ok(Search {
            all,
            times: self.times.clone(),
            limit: MOST,
            before: Some(end),
            since: log.begin(),
            ..Search::default()
        })
    }

    fn is_said_in(&self, received: &Received) -> bool {
        if self.messages.is_empty() {
            return true;
        }
        let message = SyslogMessage::read(&received.bytes);
        let text = String::from_utf8_lossy(message.message).to_lowercase();
        let any = |parts: &Vec<String>| parts.iter().any(|it| text.contains(&it.to_lowercase()));
        self.messages.iter().all(any)
    }
}

/// A field that is named again may be this as well.
fn add(fields: &mut Vec<(Kind, Vec<String>)>, kind: Kind, value: &str) {
    match fields.iter_mut().find(|(it, _)| *it == kind) {
        Some((_, parts)) => parts.push(value.to_owned()),
        None => fields.push((kind, vec![value.to_owned()])),
    }
}

fn merge(parts: &mut Vec<Vec<String>>, value: &str) {
    match parts.first_mut() {
        Some(parts) => parts.push(value.to_owned()),
        None => parts.push(vec![value.to_owned()]),
    }
}

/// A message in the framework's words. What it does not have is left out.
fn message(received: &Received) -> Value {
    let message = SyslogMessage::read(&received.bytes);
    let text = String::from_utf8_lossy(message.message).into_owned();
    let number = |number: Option<u16>| number.map(|it| it.to_string());
    let fields = [
        ("Pri", number(message.priority)),
        ("Version", number(message.version)),
        ("Timestamp", message.timestamp.map(Into::into)),
        ("Hostname", message.host_name.map(Into::into)),
        ("App-name", message.app_name.map(Into::into)),
        ("Procid", message.process_id.map(Into::into)),
        ("Msg-id", message.message_id.map(Into::into)),
        ("Structured_data", message.structured_data.map(Into::into)),
        ("Msg", Some(text).filter(|text| !text.is_empty())),
    ];
    let said = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(said.collect::<Map<_, _>>())
}
