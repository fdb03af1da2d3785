//! The least work of any bridge: consumes with the bridge's own settings, checks each record for UTF-8, and writes compressed bodies of
//! as many prepared lines.

use crate::http::{Client, Head};
use crate::records::Shape;
use crate::setup::{self, BODY_LINES};
use clap::Args;
use influx::LogObserver;
use kafka::{Delivery, FetchedRecords, GroupContext, GroupEvent, Member, Queue, Queues};
use kafka_influx_bridge::pipeline;
use libdeflater::{CompressionLvl, Compressor};
use rdkafka::consumer::Consumer as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of records fetched at once, as in the bridge.
const RECORDS_PER_TURN: usize = 256;
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// Remaining records are written after this time.
const LEFT_OVER_AFTER: Duration = Duration::from_millis(200);
/// Different bodies, so that the compressor does not always get the same one.
const BODIES: usize = 4;
const WRITERS: usize = 2;

#[derive(Args)]
pub struct Options {
    /// The bridge's configuration
    #[arg(long)]
    config: PathBuf,
    /// Host and port
    #[arg(long)]
    receiver: String,
    #[arg(long)]
    gzip: bool,
    #[command(flatten)]
    shape: Shape,
}

/// A body, and the number of its lines to send.
type Piece = (usize, usize);

/// Runs until it is killed.
pub fn limit(options: &Options) {
    let config = setup::read(&options.config);
    let bodies = Arc::new(setup::bodies(&options.config, options.shape, BODIES * BODY_LINES));
    let (pieces, to_write) = sync_channel::<Piece>(WRITERS);
    let to_write = Arc::new(Mutex::new(to_write));
    for _ in 0..WRITERS {
        let (bodies, to_write) = (Arc::clone(&bodies), Arc::clone(&to_write));
        let (receiver, gzip) = (options.receiver.clone(), options.gzip);
        thread::spawn(move || write(&bodies, &to_write, &receiver, gzip));
    }
    let lanes = config.routing().lanes_per_consumer();
    let writer = pipeline::writer(&config, Arc::new(LogObserver)).unwrap();
    let alarms = Arc::clone(writer.alarm_registry());
    let (mut member, events) = Member::new(&config.kafka, 0, lanes, None, alarms).unwrap();
    let consumer = Arc::clone(member.consumer());
    let (of_data, data) = sync_channel(1);
    thread::spawn(move || {
        let queue = || Arc::new(Queue::new(Arc::clone(&consumer), thread::current()));
        let queues = (0..lanes).map(|_| FetchedRecords::new(queue())).collect();
        of_data.send(thread::current()).unwrap();
        consume(queues, &events, &pieces);
    });
    member.consumer().context().set_data_thread(data.recv().unwrap());
    member.subscribe().unwrap();
    loop {
        member.poll().unwrap();
    }
}

fn consume(
    mut lanes: Vec<FetchedRecords<GroupContext>>,
    events: &Receiver<GroupEvent>,
    pieces: &SyncSender<Piece>,
) {
    let (mut records, mut body, mut last) = (0, 0, Instant::now());
    loop {
        for event in events.try_iter() {
            match event {
                GroupEvent::Assigned { partitions, reply } => {
                    let queue = |n: usize| Arc::clone(lanes[n % lanes.len()].queue());
                    let queues = (0..partitions.len()).map(queue).collect();
                    reply.send(Queues { queues, acknowledge: channel().0 }).unwrap();
                }
                GroupEvent::Revoked { reply, .. } => reply.send(Vec::new()).unwrap(),
                // The benchmark recreates no topic.
                GroupEvent::Recreated { .. } => {}
            }
        }
        let mut busy = false;
        for taken in &mut lanes {
            busy |= taken.fill(RECORDS_PER_TURN);
            while let Some(is_text) = taken.next(false, |delivery| is_text(&delivery)) {
                assert!(is_text, "a record is not UTF-8");
                records += 1;
                if records == BODY_LINES {
                    pieces.send((body, records)).unwrap();
                    (records, body) = (0, (body + 1) % BODIES);
                }
            }
        }
        if busy {
            last = Instant::now();
            continue;
        }
        if records > 0 && last.elapsed() > LEFT_OVER_AFTER {
            pieces.send((body, records)).unwrap();
            records = 0;
        }
        thread::park_timeout(SLEEP_MAX);
    }
}

fn is_text(delivery: &Delivery<'_>) -> bool {
    match delivery {
        Delivery::Record { record, .. } => {
            record.value.is_some_and(|value| std::str::from_utf8(value).is_ok())
        }
        Delivery::Error { .. } => false,
    }
}

fn write(bodies: &[Vec<u8>], pieces: &Mutex<Receiver<Piece>>, receiver: &str, gzip: bool) {
    let mut receiver = Client::new(receiver).unwrap();
    let request = Head::post("/api/v2/write?org=o&bucket=b", "t", gzip);
    // The fastest library at its fastest compressing level.
    let (mut compressor, mut packed) = (Compressor::new(CompressionLvl::new(1).unwrap()), Vec::new());
    loop {
        let Ok((body, lines)) = pieces.lock().unwrap().recv() else { return };
        let text = head(&bodies[body], lines);
        if !gzip {
            receiver.store(&request, text);
            continue;
        }
        packed.resize(compressor.gzip_compress_bound(text.len()), 0);
        let length = compressor.gzip_compress(text, &mut packed).unwrap();
        receiver.store(&request, &packed[..length]);
    }
}

/// The first lines of the body, of this number.
fn head(text: &[u8], lines: usize) -> &[u8] {
    if lines == BODY_LINES {
        return text;
    }
    let end = memchr::memchr_iter(b'\n', text).nth(lines - 1).map_or(text.len(), |end| end + 1);
    &text[..end]
}
