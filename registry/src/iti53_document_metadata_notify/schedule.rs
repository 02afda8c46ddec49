//! When a consumer that could not be told is tried again.

use std::time::Duration;

/// Doublings after which a pause is the longest in any case.
const MOST_DOUBLINGS: u32 = 20;

/// The shortest pause, whatever is configured: nobody is called again and again without one.
const SHORTEST: Duration = Duration::from_millis(50);

/// How long to wait after so many attempts that failed: twice as long each time, up to the longest
/// pause, and by chance between half of that and all of it, so that consumers that went away
/// together are not called together. `random` is any number.
pub(super) fn pause(attempts: u32, first: Duration, longest: Duration, random: u64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(MOST_DOUBLINGS);
    let whole = first.max(SHORTEST).saturating_mul(1 << doublings);
    let whole = whole.min(longest.max(SHORTEST));
    let half = whole / 2;
    let span = u64::try_from(half.as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    half + Duration::from_millis(random % span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_never_longer_than_the_longest() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(900));
        for (attempts, whole) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (10, 512),
            (11, 900),
            (u32::MAX, 900),
        ] {
            let whole = Duration::from_secs(whole);
            for random in [0, 1, 12_345, u64::MAX] {
                let pause = pause(attempts, first, longest, random);
                assert!(
                    pause >= whole / 2 && pause <= whole,
                    "{attempts}: {pause:?}"
                );
            }
        }
        for (first, longest) in [(Duration::ZERO, longest), (first, Duration::ZERO)] {
            assert!(pause(1, first, longest, 0) >= SHORTEST / 2);
        }
    }
}
