//! Time and requests until every line of a batch is stored or refused, with bad lines among them. The server is the test kit's InfluxDB 3,
//! which answers a request that stores lines at its next flush.

use base::Destination;
use clap::Args;
use influx::{
    BatchLines, Client, ConnectionSettings, Delays, LaneWriter, LogObserver, Writer, WriterOptions,
};
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
    pub api: String,
    /// Lines of a batch
    #[arg(long, default_value_t = 5_000)]
    pub lines: usize,
    /// Lines of a batch that the server refuses, evenly spread
    #[arg(long)]
    pub bad: usize,
    /// Time between two flushes
    #[arg(long, default_value_t = 1_000)]
    flush_ms: u64,
}

impl Options {
    pub fn flush(&self) -> Duration {
        Duration::from_millis(self.flush_ms)
    }

    pub fn product(&self) -> Product {
        Product::Influx3(Influx3 { version: self.version.clone(), flush: self.flush(), ..Influx3::default() })
    }

    /// The database as a destination of the endpoint.
    pub fn destination(&self, database: &str) -> Destination {
        let database = database.to_owned();
        match self.api.as_str() {
            "v1" => Destination::Database { database, retention_policy: None },
            "v2" => Destination::Bucket { org: "o".to_owned(), bucket: database },
            "v3" => Destination::Database3 { database },
            other => panic!("--api {other}"),
        }
    }

    /// Whether the line with this number, counted over all batches, is refused.
    pub fn is_bad(&self, number: usize) -> bool {
        let (place, step) = (number % self.lines, self.lines / self.bad.max(1));
        place % step == step / 2 && place / step < self.bad
    }
}

/// Prints one line of JSON.
pub fn refusals(options: &Options) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(options));
}

async fn measure(options: &Options) {
    let receiver = ReceiverOptions { product: options.product(), ..ReceiverOptions::default() };
    let receiver = Receiver::start(receiver).await.unwrap();
    let destination = options.destination("d");
    let connection = ConnectionSettings {
        api: destination.api(),
        ..ConnectionSettings::new(receiver.url().parse().unwrap())
    };
    let writer_options = WriterOptions {
        lines_max: options.lines,
        bytes_max: Some(4_000_000),
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
    let text = |i: usize| if options.is_bad(i) { format!("m v=\"s\" {i}") } else { format!("m v={i} {i}") };
    let lines: Vec<String> = (0..options.lines).map(text).collect();
    // A batch comes at any moment between two flushes.
    tokio::time::sleep(options.flush().mul_f64(fastrand::f64())).await;
    let start = Instant::now();
    let requests = deliver(&mut lane, &destination, &lines, options.bad).await;
    println!(r#"{{"requests":{requests},"seconds":{}}}"#, start.elapsed().as_secs_f64());
}

/// Returns the number of requests.
async fn deliver(lane: &mut LaneWriter, destination: &Destination, lines: &[String], bad: usize) -> u32 {
    let delivered = lane.deliver(destination, &BatchLines::from(LineBuffer::from_iter(lines))).await;
    assert_eq!((delivered.lines_stored, delivered.refused.len()), (lines.len() - bad, bad));
    delivered.requests.total()
}
