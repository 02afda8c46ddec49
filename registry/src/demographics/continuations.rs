//! Answers that are not at their end: who fits a question is remembered for a while, so that the next
//! records can be asked for (ITI TF-2 3.47.4.3.3). Of patients, only numbers are held.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hilum_security::Caller;
use xds_schemas::hl7v3::InstanceId;
use xds_schemas::hl7v3::find_candidates::QueryByParameter;

use super::finding::Match;

/// Answers that are remembered. Of more, that which was not asked for the longest is forgotten.
const MOST: usize = 100;
/// How long an answer is remembered that nobody continues.
const LIFETIME: Duration = Duration::from_secs(600);

/// Answers that can be continued.
#[derive(Debug, Default)]
pub(crate) struct Continuations(Mutex<HashMap<Asked, Answer>>);

/// Who asked what: nobody continues what another one asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    who: String,
    query: (String, Option<String>),
}

/// What remains of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) query: QueryByParameter,
    /// Everybody who fits, also those who were told.
    pub(crate) all: Vec<Match>,
    /// How many were told.
    pub(crate) told: usize,
    /// How many are told at once.
    pub(crate) quantity: usize,
    until: Instant,
}

impl Answer {
    /// The beginning of an answer, of which nobody was told anything.
    pub(crate) fn new(query: QueryByParameter, all: Vec<Match>, quantity: usize) -> Self {
        Self {
            query,
            all,
            told: 0,
            quantity,
            until: Instant::now() + LIFETIME,
        }
    }

    /// The next ones, from this one on (counted from 0) if it is given.
    pub(crate) fn next(&mut self, from: Option<usize>) -> Vec<Match> {
        let begin = from.unwrap_or(self.told).min(self.all.len());
        let end = begin.saturating_add(self.quantity).min(self.all.len());
        self.told = end;
        self.all.get(begin..end).unwrap_or_default().to_vec()
    }

    /// How many were not told yet.
    pub(crate) fn remaining(&self) -> usize {
        self.all.len() - self.told
    }
}

impl Continuations {
    /// Remembers an answer that is not at its end; forgets one that is.
    pub(crate) fn keep(&self, caller: &Caller, mut answer: Answer) {
        let key = Asked::of(caller, &answer.query.id);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.retain(|_, answer| answer.until > now);
        if answer.remaining() == 0 {
            kept.remove(&key);
            return;
        }
        if kept.len() >= MOST && !kept.contains_key(&key) {
            let oldest = kept.iter().min_by_key(|(_, answer)| answer.until);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                kept.remove(&oldest);
            }
        }
        answer.until = now + LIFETIME;
        kept.insert(key, answer);
    }

    /// Takes what remains of the answer to a question that this caller asked.
    pub(crate) fn take(&self, caller: &Caller, query: &InstanceId) -> Option<Answer> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = kept.remove(&Asked::of(caller, query))?;
        (answer.until > Instant::now()).then_some(answer)
    }
}

impl Asked {
    fn of(caller: &Caller, query: &InstanceId) -> Self {
        let node = caller.node.as_ref().map_or_else(
            || caller.address.ip().to_string(),
            |node| format!("{} {}", node.subject, node.fingerprint),
        );
        let user = caller.user.as_deref();
        let user = user.map(|user| format!("{} {}", user.issuer, user.name));
        Self {
            who: format!("{node}\n{}", user.unwrap_or_default()),
            query: (query.root.clone(), query.extension.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(address: &str) -> Caller {
        Caller::unknown(address.parse().unwrap())
    }

    fn answer(id: &str, of: i64) -> Answer {
        let all = (0..of).map(|patient| Match { patient, degree: 1 });
        let query = QueryByParameter {
            id: InstanceId::new(id),
            ..QueryByParameter::default()
        };
        Answer::new(query, all.collect(), 2)
    }

    #[test]
    fn an_answer_is_continued_by_who_asked() {
        let kept = Continuations::default();
        let (one, other) = (caller("192.0.2.1:5"), caller("192.0.2.2:5"));
        let mut first = answer("1.2", 5);
        assert_eq!(first.next(None).len(), 2);
        kept.keep(&one, first);
        let id = InstanceId::new("1.2");
        assert!(kept.take(&other, &id).is_none());
        let mut next = kept.take(&caller("192.0.2.1:6"), &id).unwrap();
        assert_eq!(
            next.next(Some(4))
                .iter()
                .map(|it| it.patient)
                .collect::<Vec<_>>(),
            [4]
        );
        assert_eq!(next.remaining(), 0);
        kept.keep(&one, next);
        assert!(kept.take(&one, &id).is_none());
        assert!(answer("1.2", 1).next(Some(usize::MAX)).is_empty());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let kept = Continuations::default();
        let one = caller("192.0.2.1:5");
        for at in 0..=MOST {
            kept.keep(&one, answer(&format!("1.{at}"), 5));
        }
        assert!(kept.take(&one, &InstanceId::new("1.0")).is_none());
        assert!(kept.take(&one, &InstanceId::new("1.1")).is_some());
    }
}
