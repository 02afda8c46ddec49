//! What is thrown away of a spool: whole segments that every receiver has, when they are old enough.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::sender::cursor::Places;
use crate::sender::reader::spools;
use crate::sender::target::Road;
use crate::sender::{SenderConfig, State};
use crate::spool::{SpoolError, segment};

/// How often it is looked for what can go.
const INTERVAL: Duration = Duration::from_secs(60);

/// Looks again and again, until it is to stop.
pub(super) async fn keep(
    config: SenderConfig,
    states: Vec<Arc<State>>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    loop {
        if let Some(places) = held_by_all(&config, &states) {
            let config = config.clone();
            let removed = tokio::task::spawn_blocking(move || {
                let (spool, clients) = (&config.spool, &config.clients);
                remove(spool, clients, &places, config.keep, SystemTime::now())
            });
            match removed.await {
                Ok(Ok(0)) | Err(_) => {}
                Ok(Ok(segments)) => {
                    tracing::info!(
                        segments,
                        "audit records that every receiver has were removed"
                    );
                }
                Ok(Err(error)) => tracing::warn!(%error, "old audit records were not removed"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stop.wait_for(Option::is_some) => return,
        }
    }
}

/// Up to where every receiver has everything that is able to confirm it. Nobody knows what arrives in
/// datagrams: if there is nothing else, nothing is removed.
fn held_by_all(config: &SenderConfig, states: &[Arc<State>]) -> Option<Places> {
    let receivers = config.receivers.iter().zip(states);
    let confirming = receivers.filter(|(receiver, _)| receiver.target.road != Road::Udp);
    let mut all: Option<Places> = None;
    for (_, state) in confirming {
        let places = state.places()?;
        all = Some(match all {
            None => places,
            Some(mut all) => {
                all.retain(|spool, _| places.contains_key(spool));
                for (spool, place) in &mut all {
                    *place = (*place).min(places[spool]);
                }
                all
            }
        });
    }
    all
}

/// Removes segments before these places that have not been written to for so long, except the last of
/// each spool, which goes on.
fn remove(
    own: &Path,
    clients: &Path,
    places: &Places,
    keep: Duration,
    now: SystemTime,
) -> Result<usize, SpoolError> {
    let mut removed = 0;
    for (name, folder) in spools(own, clients)? {
        let Some(place) = places.get(&name) else {
            continue;
        };
        let numbers = segment::numbers(&folder)?;
        let last = numbers.last().copied().unwrap_or_default();
        let had = |number: &u64| *number < place.segment && *number < last;
        for number in numbers.iter().copied().filter(had) {
            let path = segment::path(&folder, number);
            let old = is_old(&path, keep, now).and_then(|old| match old {
                true => fs::remove_file(&path).map(|()| true),
                false => Ok(false),
            });
            if old.map_err(SpoolError::at(&path))? {
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn is_old(path: &Path, keep: Duration, now: SystemTime) -> io::Result<bool> {
    let written = fs::metadata(path)?.modified()?;
    Ok(now.duration_since(written).unwrap_or_default() >= keep)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use hilum_transport::Limits;

    use super::*;
    use crate::sender::Receiver;
    use crate::spool::Position;

    fn places(own: u64, client: u64) -> Places {
        let at = |segment| Position { segment, offset: 5 };
        Places::from([
            (".".to_owned(), at(own)),
            ("clients/1".to_owned(), at(client)),
        ])
    }

    #[test]
    fn only_what_everybody_has_and_is_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let (own, clients) = (folder.path(), folder.path().join("clients"));
        let client = clients.join("1");
        fs::create_dir_all(&client).unwrap();
        for number in 1..=4 {
            fs::write(segment::path(own, number), "x").unwrap();
            fs::write(segment::path(&client, number), "x").unwrap();
        }
        let day = Duration::from_secs(24 * 60 * 60);
        let now = SystemTime::now();
        let places = places(3, 9);
        let young = remove(own, &clients, &places, day, now).unwrap();
        assert_eq!(young, 0);
        let removed = remove(own, &clients, &places, day, now + 2 * day).unwrap();
        assert_eq!(removed, 5);
        assert_eq!(segment::numbers(own).unwrap(), [3, 4]);
        // The last one of a spool stays, whoever has it.
        assert_eq!(segment::numbers(&client).unwrap(), [4]);
    }

    #[test]
    fn the_slowest_decides_and_datagrams_do_not() {
        let receiver = |target: &str| Receiver {
            target: target.parse().unwrap(),
            tls: None,
            records_per_second: NonZeroU32::MIN,
        };
        let config = |receivers: &[&str]| SenderConfig {
            spool: "spool".into(),
            clients: "clients".into(),
            receivers: receivers.iter().map(|target| receiver(target)).collect(),
            keep: Duration::ZERO,
            limits: Limits::default(),
        };
        let states = |config: &SenderConfig, places: &[Option<Places>]| -> Vec<Arc<State>> {
            let state = |(receiver, places): (&Receiver, &Option<Places>)| {
                let state = State::new(receiver.target.clone());
                places
                    .clone()
                    .into_iter()
                    .for_each(|it| state.set_places(it));
                Arc::new(state)
            };
            config.receivers.iter().zip(places).map(state).collect()
        };
        let held = |receivers: &[&str], places: &[Option<Places>]| {
            let config = config(receivers);
            held_by_all(&config, &states(&config, places))
        };
        let (one, two, udp) = ("syslog+tls://a", "syslog+tls://b", "syslog+udp://c");
        assert_eq!(held(&[udp], &[Some(places(7, 7))]), None);
        assert_eq!(held(&[one], &[None]), None);
        assert_eq!(held(&[one, two], &[Some(places(7, 7)), None]), None);
        let both = [Some(places(7, 2)), Some(places(3, 9))];
        assert_eq!(held(&[one, two], &both), Some(places(3, 2)));
        let with_udp = [Some(places(7, 2)), Some(places(1, 1))];
        assert_eq!(held(&[one, udp], &with_udp), Some(places(7, 2)));
        let unheard = [Some(places(7, 2)), Some(Places::new())];
        assert_eq!(held(&[one, two], &unheard), Some(Places::new()));
    }
}
