//! `check --connect`: checks that Kafka, the schema registry and InfluxDB match the configuration. The checks change nothing on the servers.
//!
//! ```text
//! brokers (reach) -> topics -> group and offsets -> sampled records (keys, times, clock) -> registry -> influx (clock)
//!                                                              each line: report
//! ```

mod brokers;
mod clock;
mod group;
mod influx;
mod influx3;
mod kafka;
mod offsets;
mod reach;
mod registry;
mod report;
mod sampled;
mod topics;

use crate::terminal::Style;
use configuration::Config;
use engine::dead_letter::DeadLetterStore;
use engine::dead_letter::check_writable;
pub use report::Tally;
use report::{Line, Report};
use sampled::Sampled;
use std::io::{self, Write};
use std::time::Duration;

/// Time limit for each request.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// Prints one line per check: `ok`, or `warn` or `FAILED` with a remedy. Returns the number of each.
pub fn connect(config: &Config, out: &mut impl Write, style: Style) -> io::Result<Tally> {
    let mut report = Report::new(out, style);
    let mut sampled = Sampled::new(config);
    kafka::check(config, &mut sampled, &mut report)?;
    match &config.dead_letter {
        Some(DeadLetterStore::File { path, .. }) => report.add(&match check_writable(path) {
            Ok(()) => Line::passed(format!("dead-letter file {}: may be written", path.display())),
            Err(error) => Line::failed("dead-letter file", error.to_string()),
        })?,
        // `kafka::check` checks a topic.
        Some(DeadLetterStore::Topic(_)) | None => {}
    }
    registry::check(config, &sampled, &mut report)?;
    influx::check(config, &sampled, &mut report)?;
    Ok(report.tally())
}
