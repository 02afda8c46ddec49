//! What this process has in memory stays there: keys, passwords, and what patients are about.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// The variable of the environment with which somebody who looks for a defect allows core dumps.
const ALLOW: &str = "HILUM_CORE_DUMPS";

/// Forbids core dumps, and other processes of the same user to read our memory. The limit of size
/// alone would not do: systems that hand dumps to a program pass it over.
pub(crate) fn forbid() {
    if std::env::var_os(ALLOW).is_some_and(|value| value == "allow") {
        tracing::warn!("{ALLOW}=allow: a core dump would hold keys and what patients are about");
        return;
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let forbidden = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = forbidden {
        tracing::warn!(%error, "core dumps cannot be forbidden here");
    }
}
