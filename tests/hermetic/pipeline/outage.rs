//! The receiver fails for a while: nothing is lost, and nothing is committed that is not stored.

use crate::signals::signal;
use crate::support::{BY_ID, Cluster, GROUP, Setup, Sink, record, wait_until};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};
use testkit::receiver::{Ending, Reply};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:04}")).collect()
}

/// The committed offsets of the partitions before `partition`, after a commit that could have included them: that of a rejected
/// record, which settles whatever the receiver does.
fn after_a_commit(cluster: &Cluster, partition: i32) -> Vec<Option<i64>> {
    cluster.produce("t", partition, ["rejected"]);
    let mut committed = Vec::new();
    wait_until("the rejected record is committed", || {
        committed = cluster.committed("t", partition + 1);
        committed.pop() == Some(Some(1))
    });
    committed
}

/// Fails with `reply` until it got some requests, then works.
fn outage(reply: Reply) {
    const RECORDS: usize = 1_000;
    let (cluster, sink) = (Cluster::with_topic("t", 3), Sink::down(reply));
    for partition in 0..2 {
        cluster.produce("t", partition, ids(RECORDS).iter().map(|id| record(&format!("{partition}-{id}"))));
    }
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).influx("timeout = '500ms'").start();
    wait_until("all are read", || bridge.records() == 2 * RECORDS as u64);
    wait_until("some requests failed", || sink.requests() >= 4);
    let committed = after_a_commit(&cluster, 2);
    assert_eq!(committed, [None, None], "committed before it was stored");
    assert_eq!(sink.points("main").len(), 0);
    sink.answer(None);
    sink.wait_for_points("main", 2 * RECORDS);
    bridge.stop();
    assert_eq!(cluster.committed("t", 3), [Some(1_000), Some(1_000), Some(1)]);
}

#[test]
fn nothing_is_lost_while_the_receiver_answers_503() {
    outage(Reply::status(503));
}

#[test]
fn nothing_is_lost_while_the_receiver_hangs() {
    outage(Reply::status(204).ending(Ending::Hang));
}

#[test]
fn nothing_is_lost_while_the_receiver_closes_connections() {
    outage(Reply::status(204).ending(Ending::Reset));
}

/// The lines are stored, and the answer is lost. The lines are retried and become the same points.
#[test]
fn lines_that_are_written_again_become_the_same_points() {
    let (cluster, sink) = (Cluster::with_topic("t", 2), Sink::down(Reply::status(503).storing()));
    cluster.produce("t", 0, ids(100).iter().map(|id| record(id)));
    let bridge = Setup::new(&cluster, &sink, "'t'").mapping(BY_ID).start();
    wait_until("the lines came twice", || sink.lines_stored() >= 200);
    assert_eq!(after_a_commit(&cluster, 1), [None]);
    sink.answer(None);
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(100)]);
    bridge.stop();
    assert_eq!(sink.ids("main"), ids(100));
}

/// The service as a process, because it exits with unsettled records.
pub struct Service {
    child: Child,
    pub file: PathBuf,
    log: PathBuf,
}

impl Service {
    pub fn start(setup: &Setup) -> Self {
        Self::run(setup, &[])
    }

    pub fn start_until_end(setup: &Setup) -> Self {
        Self::run(setup, &["--until-end"])
    }

    fn run(setup: &Setup, arguments: &[&str]) -> Self {
        let name = format!("bridge-{}-{:x}.toml", std::process::id(), fastrand::u64(..));
        let file = std::env::temp_dir().join(name);
        let log = file.with_extension("log");
        fs::write(&file, setup.text()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"))
            .args(["run", "--config"])
            .arg(&file)
            .args(arguments)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, file, log }
    }

    pub fn has_logged(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).unwrap().contains(words)
    }

    /// Number of log lines that contain this text.
    pub fn count_logged(&self, words: &str) -> usize {
        fs::read_to_string(&self.log).unwrap().lines().filter(|line| line.contains(words)).count()
    }

    /// The sum of the numbers after `key` in log lines that contain this text.
    pub fn sum_logged(&self, words: &str, key: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        let numbers = log.lines().filter(|line| line.contains(words)).filter_map(|line| line.split_once(key));
        let number = |(_, rest): (&str, &str)| -> Option<usize> {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        numbers.filter_map(number).sum()
    }

    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// The exit status, once the process has ended.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the service ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // For tests that failed. Otherwise the process has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if thread::panicking() {
            eprintln!("the log of the service:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _removed = [&self.file, &self.log].map(fs::remove_file);
    }
}

#[test]
fn a_stop_while_the_receiver_is_down_leaves_in_time_and_a_start_replays() {
    let (cluster, sink) = (Cluster::with_topic("t", 1), Sink::start());
    // The second start need not wait for the first session to expire.
    let setup = Setup::new(&cluster, &sink, "'t'")
        .kafka("instance_id = 'one'")
        .mapping(BY_ID)
        .top("shutdown_max = '2s'");
    let all = ids(300);
    cluster.produce("t", 0, all[..100].iter().map(|id| record(id)));
    let mut first = Service::start(&setup);
    wait_until("the first 100 are committed", || cluster.committed("t", 1) == [Some(100)]);
    sink.answer(Some(Reply::status(503).storing()));
    cluster.produce("t", 0, all[100..].iter().map(|id| record(id)));
    wait_until("writing has failed", || sink.lines_stored() > 100);
    first.terminate();
    let begin = Instant::now();
    assert_eq!(first.wait(), Some(0));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert_eq!(cluster.committed("t", 1), [Some(100)], "group {GROUP}: unsettled records were committed");
    let before = sink.points("main");
    sink.answer(None);
    let mut second = Service::start(&setup);
    wait_until("all are committed", || cluster.committed("t", 1) == [Some(300)]);
    second.terminate();
    assert_eq!(second.wait(), Some(0));
    let after = sink.points("main");
    assert_eq!(sink.ids("main"), all);
    assert!(before.iter().all(|point| after.contains(point)), "a replay gave other points");
}
