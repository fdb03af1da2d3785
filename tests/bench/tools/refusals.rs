//! Time and requests until every line of a batch is stored or refused, with bad lines among them. The server is the test kit's InfluxDB 3,
//! which answers a request that stores lines at its next flush.

use base::{Api, Destination};
use clap::Args;
use influx::{Client, Connection, Delays, LaneWriter, Lines, LogObserver, Writer, WriterOptions};
use line_protocol::LineBuffer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::receiver::{Influx3, Options as ReceiverOptions, Product, Receiver};

#[derive(Args)]
pub struct Options {
    /// Version of the server: 3.11.2 and later take partial writes
    #[arg(long)]
    version: String,
    /// Endpoint: v1, v2 or v3
    #[arg(long)]
    api: String,
    /// Lines of the batch
    #[arg(long, default_value_t = 5_000)]
    lines: usize,
    /// Lines that the server refuses, evenly spread
    #[arg(long)]
    bad: usize,
    /// Time between two flushes
    #[arg(long, default_value_t = 1_000)]
    flush_ms: u64,
}

/// Prints one line of JSON.
pub fn refusals(options: &Options) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(options));
}

async fn measure(options: &Options) {
    let flush = Duration::from_millis(options.flush_ms);
    let server = Influx3 { version: options.version.clone(), flush, ..Influx3::default() };
    let receiver =
        Receiver::start(ReceiverOptions { product: Product::Influx3(server), ..ReceiverOptions::default() });
    let receiver = receiver.await.unwrap();
    let (api, destination) = match options.api.as_str() {
        "v1" => (Api::V1, Destination::Database { database: "d".into(), retention_policy: None }),
        "v2" => (Api::V2, Destination::Bucket { org: String::new(), bucket: "d".into() }),
        "v3" => (Api::V3, Destination::Database3 { database: "d".into() }),
        other => panic!("--api {other}"),
    };
    let connection = Connection { api, ..Connection::new(receiver.url().parse().unwrap()) };
    let writer_options = WriterOptions {
        lines_max: options.lines,
        bytes_max: 4_000_000,
        points_per_second_max: None,
        delays: Delays::default(),
        accepts_unproven: false,
    };
    let client = Client::new(&connection).unwrap();
    let writer = Writer::new(client, &connection, writer_options, Arc::new(LogObserver));
    // The writer asks for the version, and the first line fixes the type of the column.
    Arc::clone(&writer).prepare(destination.clone(), 1).await;
    let mut lane = writer.lane(1);
    deliver(&mut lane, &destination, &["m v=1 0".to_owned()], 0).await;
    let step = options.lines / options.bad;
    let is_bad = |i: usize| i % step == step / 2 && i / step < options.bad;
    let text = |i: usize| if is_bad(i) { format!("m v=\"s\" {i}") } else { format!("m v={i} {i}") };
    let lines: Vec<String> = (0..options.lines).map(text).collect();
    // A batch comes at any moment between two flushes.
    tokio::time::sleep(flush.mul_f64(fastrand::f64())).await;
    let start = Instant::now();
    let requests = deliver(&mut lane, &destination, &lines, options.bad).await;
    println!(r#"{{"requests":{requests},"seconds":{}}}"#, start.elapsed().as_secs_f64());
}

/// Returns the number of requests.
async fn deliver(lane: &mut LaneWriter, destination: &Destination, lines: &[String], bad: usize) -> u32 {
    let delivered = lane.deliver(destination, &Lines::from(LineBuffer::from_iter(lines))).await;
    assert_eq!((delivered.lines_stored, delivered.refused.len()), (lines.len() - bad, bad));
    delivered.requests.total()
}
