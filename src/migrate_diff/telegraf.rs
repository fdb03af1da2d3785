//! Runs Telegraf between an embedded Kafka and an embedded InfluxDB, with its own consumer and output.

use super::DiffError;
use crate::terminal::report;
use line_protocol::reader::split_lines;
use migrate::telegraf::MARK;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use testkit::receiver::{Observer, Options, Receiver, WriteRequest};
use testkit::{EmbeddedKafka, NewRecord};
use tokio::runtime::{Builder, Runtime};

/// Time limit for the first point; joining a group takes seconds.
const BEGIN_MAX: Duration = Duration::from_secs(30);
/// Time limit after a point, while points that the bridge makes are missing.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// Time after the last expected point, for points that only Telegraf makes.
const REST_MAX: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// The lines of Telegraf.
pub struct TelegrafLines {
    /// Lines of each record.
    pub lines: Vec<Vec<String>>,
    /// Lines whose record is unknown, because a plugin took the mark out of them.
    pub unlinked: Vec<String>,
}

/// Telegraf's lines. `conf`: its configuration without addresses. `wanted`: expected number of lines per record.
pub fn run(
    program: &Path,
    conf: &str,
    topic: &str,
    records: &[&[u8]],
    wanted: &[usize],
) -> Result<TelegrafLines, DiffError> {
    let kafka = EmbeddedKafka::start()?;
    kafka.create_topic(topic, 1)?;
    for (number, record) in records.iter().enumerate() {
        let new = NewRecord { topic, partition: Some(0), value: Some(record), time_ms: None };
        kafka.send_with_header(new, MARK, &number.to_string())?;
    }
    kafka.flush(BEGIN_MAX)?;
    let (receiver, _runtime, arrived) = receiver()?;
    let text = conf.replace("{brokers}", &kafka.address()).replace("{url}", &receiver.url());
    let telegraf = Telegraf::start(program, &text)?;
    let theirs = TelegrafLines { lines: vec![Vec::new(); records.len()], unlinked: Vec::new() };
    Collector { theirs, wanted }.collect(&arrived, telegraf)
}

/// Starts a receiver that accepts all lines, including ones that InfluxDB would refuse, and sends them to the channel.
fn receiver() -> Result<(Receiver, Runtime, mpsc::Receiver<String>), DiffError> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (sender, arrived) = mpsc::channel();
    let take = move |request: &WriteRequest| {
        for line in split_lines(&request.text).filter(|line| !line.is_empty()) {
            let _nobody_listens_at_the_end = sender.send(String::from_utf8_lossy(line).into_owned());
        }
    };
    let observer: Observer = Box::new(take);
    let options = Options { keep_points: false, observer: Some(observer), ..Options::default() };
    let receiver = runtime.block_on(Receiver::start(options))?;
    Ok((receiver, runtime, arrived))
}

/// The process and its folder; both are removed on drop.
struct Telegraf {
    child: Child,
    folder: PathBuf,
}

impl Telegraf {
    fn start(program: &Path, config: &str) -> Result<Self, DiffError> {
        let folder =
            std::env::temp_dir().join(format!("bridge-diff-{}-{:x}", std::process::id(), fastrand::u64(..)));
        // The configuration may have secrets.
        DirBuilder::new().mode(0o700).create(&folder)?;
        let file = folder.join("telegraf.conf");
        std::fs::write(&file, config)?;
        let log = File::create(folder.join("log"))?;
        let child = Command::new(program)
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        match child {
            Ok(child) => Ok(Self { child, folder }),
            Err(source) => {
                let _left_behind = std::fs::remove_dir_all(&folder);
                Err(DiffError::Telegraf { program: program.display().to_string(), source })
            }
        }
    }

    /// Errors in Telegraf's log.
    fn complaints(&self) -> String {
        // Without a log there are no errors to show; missing lines are reported anyway.
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        let errors: Vec<&str> = text.lines().filter(|line| line.contains(" E! ")).take(10).collect();
        errors.join("\n")
    }
}

impl Drop for Telegraf {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
        let _left_behind = std::fs::remove_dir_all(&self.folder);
    }
}

struct Collector<'a> {
    theirs: TelegrafLines,
    wanted: &'a [usize],
}

impl Collector<'_> {
    fn collect(
        mut self,
        arrived: &mpsc::Receiver<String>,
        mut telegraf: Telegraf,
    ) -> Result<TelegrafLines, DiffError> {
        let start = Instant::now();
        let mut last = None;
        loop {
            while let Ok(line) = arrived.try_recv() {
                self.add(&line);
                last = Some(Instant::now());
            }
            let is_over = match last {
                None => start.elapsed() > BEGIN_MAX,
                Some(last) => last.elapsed() > if self.is_complete() { REST_MAX } else { QUIET_MAX },
            };
            if is_over {
                break;
            }
            if telegraf.child.try_wait()?.is_some() {
                return Err(DiffError::Ended(telegraf.complaints()));
            }
            std::thread::sleep(PAUSE);
        }
        if last.is_none() && self.wanted.iter().any(|count| *count > 0) {
            report!("Telegraf stored no point in {} s:\n{}", BEGIN_MAX.as_secs(), telegraf.complaints());
        }
        Ok(self.theirs)
    }

    fn is_complete(&self) -> bool {
        self.theirs.lines.iter().zip(self.wanted).all(|(lines, wanted)| lines.len() >= *wanted)
    }

    /// Adds a line to its record, which the mark in the line identifies, and removes the mark.
    fn add(&mut self, line: &str) {
        match unmarked(line).and_then(|(number, rest)| Some((self.theirs.lines.get_mut(number)?, rest))) {
            Some((lines, rest)) => lines.push(rest),
            None => self.theirs.unlinked.push(line.to_owned()),
        }
    }
}

/// The number of a line's record, and the line without its mark.
fn unmarked(line: &str) -> Option<(usize, String)> {
    let (before, after) = line.split_once(&format!(",{MARK}="))?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (number, rest) = after.split_at_checked(digits)?;
    Some((number.parse().ok()?, format!("{before}{rest}")))
}
