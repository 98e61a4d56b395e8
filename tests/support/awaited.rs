//! Waiting for what comes of itself.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_millis(300);
/// A cluster that is only just there, or half gone, may leave a question without an answer for minutes. It is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Asks until there is an answer, and tells each time that things have come further.
pub async fn awaited<T>(
    what: &str,
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
    progress: impl AsyncFn() -> String,
) -> Option<T> {
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < patience {
        let asked = Instant::now();
        match timeout(ANSWER_WITHIN, ask()).await {
            Ok(Some(found)) => {
                println!("{what}: after {:.1} s", begun.elapsed().as_secs_f64());
                return Some(found);
            }
            Ok(None) => {}
            Err(_) => println!(
                "{what}: no answer from {:.1} s on",
                (asked - begun).as_secs_f64()
            ),
        }
        let now = timeout(ANSWER_WITHIN, progress()).await;
        let now = now.unwrap_or_else(|_| "no answer".to_owned());
        if now != last {
            println!("  {:.1} s: {now}", begun.elapsed().as_secs_f64());
            last = now;
        }
        sleep(EVERY).await;
    }
    None
}
