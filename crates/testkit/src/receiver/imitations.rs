//! State of the servers that only tests imitate, and the errors that a test makes them answer with.

use super::cloud::Partitions;
use super::influx3::Schema;
use super::questdb::Tables;
use super::store::now_nanos;
use super::{Options, Receiver, Shared};
use base::Destination;
use base::locks::lock;
use line_protocol::reader::Point;
use std::sync::Mutex;

pub(super) struct ImitationState {
    /// The schema of InfluxDB 3.
    pub schema: Mutex<Schema>,
    /// The error of InfluxDB 3's write-ahead log, while it has one.
    pub write_error: Mutex<Option<String>>,
    /// The types of InfluxDB Cloud's columns.
    pub partitions: Mutex<Partitions>,
    /// The tables of `QuestDB`.
    pub tables: Mutex<Tables>,
    /// The answer to statements; the receiver then executes none.
    pub statement_error: Mutex<Option<String>>,
}

impl ImitationState {
    pub fn new(options: &Options) -> Self {
        let databases = options.destinations.iter().flatten().filter_map(|destination| match destination {
            Destination::Database3 { database } => Some(database.clone()),
            Destination::Bucket { .. } | Destination::Database { .. } => None,
        });
        Self {
            schema: Mutex::new(Schema::new(databases)),
            write_error: Mutex::default(),
            partitions: Mutex::default(),
            tables: Mutex::default(),
            statement_error: Mutex::default(),
        }
    }
}

impl Receiver {
    /// Answers statements such as `CREATE DATABASE` with this error from now on, or does them again.
    pub fn fail_statements(&self, error: Option<&str>) {
        *lock(&self.shared.imitations.statement_error) = error.map(str::to_owned);
    }

    /// Answers every write to InfluxDB 3 with this error of its write-ahead log from now on, or stores again.
    pub fn fail_writes(&self, error: Option<&str>) {
        *lock(&self.shared.imitations.write_error) = error.map(str::to_owned);
    }
}

impl Shared {
    /// Keeps points whose types were checked.
    pub fn keep(&self, destination: &Destination, points: Vec<Point>) {
        let now = now_nanos();
        let timed = |point: Point| {
            let time = point.time.unwrap_or(now);
            (point, time)
        };
        lock(&self.store).keep(destination, points.into_iter().map(timed).collect());
    }
}
