//! The addresses of subscriptions and pull points, below that of the registry. Their last part
//! cannot be guessed: whoever knows it may cancel the subscription, or empty the pull point.

use uuid::Uuid;

/// What stands between the address of the registry and the name of a subscription.
const SUBSCRIPTIONS: &str = "/subscriptions/";
/// The same for pull points.
const PULL_POINTS: &str = "/pull-points/";

/// A name that nobody can guess: 122 random bits.
pub(crate) fn new_reference() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The address of a subscription of the registry that was called as `endpoint`.
pub(crate) fn of_subscription(endpoint: &str, reference: &str) -> String {
    format!("{}{SUBSCRIPTIONS}{reference}", registry_of(endpoint))
}

/// The address of a pull point.
pub(crate) fn of_pull_point(endpoint: &str, reference: &str) -> String {
    format!("{}{PULL_POINTS}{reference}", registry_of(endpoint))
}

/// The name of the subscription in a path or URL.
pub(crate) fn subscription_in(place: &str) -> Option<&str> {
    name_behind(place, SUBSCRIPTIONS)
}

/// The name of the pull point in a path or URL.
pub(crate) fn pull_point_in(place: &str) -> Option<&str> {
    name_behind(place, PULL_POINTS)
}

fn name_behind<'p>(place: &'p str, what: &str) -> Option<&'p str> {
    let (_, name) = place.split_once(what)?;
    let is_name = |name: &str| name.len() == 32 && name.bytes().all(|it| it.is_ascii_hexdigit());
    is_name(name).then_some(name)
}

/// The address of the registry: as much of a URL as its first segment.
pub(crate) fn registry_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let mut slashes = url[host..].match_indices('/').map(|(at, _)| host + at);
    slashes.next();
    slashes.next().map_or(url, |end| &url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let reference = new_reference();
        for endpoint in [
            "https://xds.example:18401/registry",
            "https://xds.example:18401/registry/pull-points/00",
        ] {
            let subscription = of_subscription(endpoint, &reference);
            assert_eq!(subscription_in(&subscription), Some(&*reference));
            assert_eq!(pull_point_in(&subscription), None);
            assert_eq!(
                registry_of(&subscription),
                "https://xds.example:18401/registry"
            );
            let pull_point = of_pull_point(endpoint, &reference);
            assert_eq!(pull_point_in(&pull_point), Some(&*reference));
        }
        for place in [
            "/registry",
            "/registry/subscriptions",
            "/registry/subscriptions/1",
            "/registry/subscriptions/../x",
        ] {
            assert_eq!(subscription_in(place), None);
        }
    }
}
