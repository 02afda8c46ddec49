//! `[subscriptions]`: who may be told of what is registered, and how hard that is tried.

use std::num::NonZeroU64;
use std::time::Duration;

use hilum_registry::SubscriptionConfig;
use serde::Deserialize;

/// `[subscriptions]`. What is not given is as the registry has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SubscriptionsSection {
    notify: Option<Vec<String>>,
    usual_lifetime_seconds: Option<NonZeroU64>,
    longest_lifetime_seconds: Option<NonZeroU64>,
    most: Option<usize>,
    answer_seconds: Option<NonZeroU64>,
    first_pause_seconds: Option<u64>,
    longest_pause_seconds: Option<u64>,
    give_up_seconds: Option<u64>,
    backlog: Option<usize>,
    pull_point_messages: Option<usize>,
    pull_point_idle_seconds: Option<NonZeroU64>,
}

impl SubscriptionsSection {
    /// What the registry is told.
    pub(crate) fn config(&self) -> SubscriptionConfig {
        let default = SubscriptionConfig::default();
        let seconds =
            |given: Option<u64>, default: Duration| given.map_or(default, Duration::from_secs);
        let positive = |given: Option<NonZeroU64>, default: Duration| {
            seconds(given.map(NonZeroU64::get), default)
        };
        SubscriptionConfig {
            notify: self.notify.clone().unwrap_or_default(),
            usual_lifetime: positive(self.usual_lifetime_seconds, default.usual_lifetime),
            longest_lifetime: positive(self.longest_lifetime_seconds, default.longest_lifetime),
            most: self.most.unwrap_or(default.most),
            answer: positive(self.answer_seconds, default.answer),
            first_pause: seconds(self.first_pause_seconds, default.first_pause),
            longest_pause: seconds(self.longest_pause_seconds, default.longest_pause),
            give_up: seconds(self.give_up_seconds, default.give_up),
            backlog: self.backlog.unwrap_or(default.backlog),
            pull_point_messages: self
                .pull_point_messages
                .unwrap_or(default.pull_point_messages),
            pull_point_idle: positive(self.pull_point_idle_seconds, default.pull_point_idle),
        }
    }
}
