//! Logs on stderr.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` says what is logged; without it the number of `-v` does.
pub(crate) fn start(verbose: u8, json: bool, color: bool) {
    let default = match (verbose, json) {
        // What a client library logs of a failure comes back as the error itself.
        (0, false) => "warn,kube_client=off",
        (0, true) => "info,kube_client=off",
        (1, _) => "lattice=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(color)
        .with_writer(std::io::stderr);
    // A second start in one process, as tests do, keeps the first.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).try_init()
    };
}
