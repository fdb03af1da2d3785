//! Measures InfluxDB's maximum rate on this machine: some writers send prepared lines.

use crate::http::{Client, Head};
use crate::records::Shape;
use crate::setup;
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

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
    #[arg(long, default_value_t = 2)]
    writers: usize,
    #[arg(long)]
    records: usize,
    #[command(flatten)]
    shape: Shape,
}

/// Ends when all lines are stored.
pub fn load(options: &Options) {
    let bodies = setup::bodies(&options.config, options.shape, options.records);
    let place = format!("/api/v2/write?org={}&bucket={}", options.org, options.bucket);
    let head = Head::post(&place, &options.token, false);
    let next = AtomicUsize::new(0);
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
    println!("{{}}");
}
