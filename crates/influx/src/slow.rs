//! Logs writes that take long: `influx.timeout` may be long, a batch with many refused lines needs many requests, and until they end no
//! other message shows that the bridge waits.

use crate::address::Address;
use base::Destination;
use std::time::{Duration, Instant};
use tracing::warn;

/// A healthy InfluxDB answers within a second. A write that takes longer than this is logged while it lasts.
pub const SLOW_AFTER: Duration = Duration::from_secs(5);

/// Logs a write that takes long.
#[derive(Clone, Copy, Debug)]
pub struct SlowWriteLog<'a> {
    pub address: &'a Address,
    pub destination: &'a Destination,
    pub lines: usize,
}

impl SlowWriteLog<'_> {
    /// Waits for the request, and logs once if it has no answer after `after`.
    pub async fn log_if_slow<T>(self, after: Duration, request: impl Future<Output = T>) -> T {
        let mut request = std::pin::pin!(request);
        if let Ok(done) = tokio::time::timeout(after, &mut request).await {
            return done;
        }
        let Self { address, destination, lines } = self;
        warn!(
            address = address.as_str(),
            %destination,
            waited_s = after.as_secs_f64(),
            lines,
            "InfluxDB has not answered a write yet: its lines stay in memory and their records are not committed; they are sent again \
             after `influx.timeout`. Is InfluxDB overloaded, or does a proxy delay the request?"
        );
        request.await
    }
}

/// Time between two messages about one batch.
const SEARCHES_FOR: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];

/// The search for the refused lines of a batch, for the log.
#[derive(Debug, Default)]
pub struct SlowSearchLog {
    due: Option<Instant>,
}

/// The results of a search so far.
#[derive(Clone, Copy, Debug)]
pub struct SearchProgress {
    pub lines: usize,
    pub stored: usize,
    pub refused: usize,
}

impl SlowSearchLog {
    /// Logs a refused request if the search has lasted long since the first one or since the last message.
    pub fn refused(&mut self, now: Instant, destination: &Destination, progress: SearchProgress, why: &str) {
        let [first, later] = SEARCHES_FOR;
        let due = *self.due.get_or_insert(now + first);
        if now < due {
            return;
        }
        self.due = Some(now + later);
        let SearchProgress { lines, stored, refused } = progress;
        warn!(
            %destination,
            lines,
            stored,
            refused,
            why,
            "InfluxDB refuses requests, and the bridge searches for the refused lines with smaller ones: the records of this batch are \
             not committed until it ends"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::test_support::connection;
    use testkit::CapturedLog;

    #[test]
    fn a_long_search_is_logged_after_10_s_and_then_each_minute() {
        let log = CapturedLog::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        let _logged = tracing::subscriber::set_default(subscriber);
        let destination = Destination::Bucket { org: "o".into(), bucket: "b".into() };
        let (mut watch, begin) = (SlowSearchLog::default(), Instant::now());
        for second in 0..80 {
            let now = begin + Duration::from_secs(second);
            watch.refused(now, &destination, SearchProgress { lines: 9, stored: 2, refused: 1 }, "400: no");
        }
        assert_eq!(log.text().lines().count(), 2, "{}", log.text());
        assert!(log.text().contains("lines=9 stored=2 refused=1"), "{}", log.text());
    }

    #[tokio::test]
    async fn a_write_that_hangs_is_logged_once_while_it_lasts() {
        let log = CapturedLog::default();
        let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        let _logged = tracing::subscriber::set_default(subscriber);
        let client = Client::new(&connection("http://127.0.0.1:8086")).unwrap();
        let destination = Destination::Bucket { org: "o".into(), bucket: "b".into() };
        let slow =
            SlowWriteLog { address: client.addresses().current(), destination: &destination, lines: 7 };
        assert_eq!(slow.log_if_slow(SLOW_AFTER, async { 1 }).await, 1);
        assert_eq!(log.text(), "");
        let (answer, hangs) = tokio::sync::oneshot::channel();
        let watching = slow.log_if_slow(Duration::from_millis(1), async { hangs.await.unwrap() });
        let answered = async {
            while log.text().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            answer.send(2).unwrap();
        };
        assert_eq!(tokio::join!(watching, answered).0, 2);
        let text = log.text();
        assert_eq!(text.matches("has not answered").count(), 1, "{text}");
        assert!(text.contains("127.0.0.1:8086") && text.contains("lines=7"), "{text}");
    }
}
