//! What is logged: to standard error, at the level that `HILUM_LOG` asks for.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// These log the text of every message, patients included, so nobody may turn them on.
const NEVER: [&str; 2] = ["yaserde=off", "xml=off"];

/// Starts logging.
pub(crate) fn start() {
    let wanted = std::env::var("HILUM_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() {
        "warn,hilum=info,hilum_registry=info,hilum_repository=info,hilum_audit=info,hilum_transport=warn"
    } else {
        &wanted
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(wanted))
        .with_writer(std::io::stderr)
        // That a line cannot be written would be said by a panic if nobody reads standard error any more.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber could only be there if we had started one.
    drop(subscriber.try_init());
}

/// The filter that is wanted, except what is never logged. Directives that cannot be read are
/// passed over, as they are everywhere else where such filters are used.
fn filter(wanted: &str) -> EnvFilter {
    let harmless: Vec<&str> = wanted
        .split(',')
        .filter(|directive| {
            let target = directive
                .split(['=', '['])
                .next()
                .unwrap_or_default()
                .trim();
            let crate_name = target.split("::").next().unwrap_or_default();
            !matches!(crate_name, "yaserde" | "xml")
        })
        .collect();
    NEVER.iter().fold(
        EnvFilter::builder().parse_lossy(harmless.join(",")),
        |filter, never| match never.parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn messages_are_never_logged() {
        let shown = filter("debug,yaserde=trace,xml::reader=debug,hilum=trace").to_string();
        assert!(
            shown.contains("yaserde=off") && shown.contains("xml=off"),
            "{shown}"
        );
        assert!(
            !shown.contains("yaserde=trace") && !shown.contains("xml::reader"),
            "{shown}"
        );
        assert!(shown.contains("hilum=trace"), "{shown}");
    }
}
