//! Measures InfluxDB's maximum rate on this machine: some writers send prepared lines.

use crate::http::{Client, Head};
use crate::records::Shape;
use crate::variants::Variant;
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

#[derive(Args)]
pub struct Options {
    /// The bridge's configuration, for its mapping
    #[arg(long)]
    config: PathBuf,
    /// Host and port
    #[arg(long)]
    influx: String,
    #[arg(long)]
    org: String,
    #[arg(long)]
    bucket: String,
    #[arg(long)]
    token: String,
    /// Connections, each with one request in flight
    #[arg(long, default_value_t = 2)]
    writers: usize,
    #[arg(long)]
    records: usize,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    variant: Variant,
}

/// Ends when all lines are stored. Prints the time that this took, and the bytes of all requests.
pub fn load(options: &Options) {
    let bodies = options.variant.bodies(&options.config, options.shape, options.records);
    let (org, bucket, precision) = (&options.org, &options.bucket, options.variant.precision());
    let place = format!("/api/v2/write?org={org}&bucket={bucket}&precision={precision}");
    let head = Head::post(&place, &options.token, options.variant.gzip);
    let (next, begin) = (AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..options.writers {
            scope.spawn(|| {
                let mut influx = Client::new(&options.influx).unwrap();
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    influx.store(&head, body);
                }
            });
        }
    });
    let (seconds, bytes) = (begin.elapsed().as_secs_f64(), bodies.iter().map(Vec::len).sum::<usize>());
    println!(r#"{{"seconds":{seconds},"bytes":{bytes}}}"#);
}
