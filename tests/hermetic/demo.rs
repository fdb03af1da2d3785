//! The demo, run as a process: it starts, shows records and their lines, and exits with status 0.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by each demo: two that start together may both find the port of the status page free.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running demo.
struct Demo {
    child: Child,
    /// None if closed.
    out: Option<BufReader<ChildStdout>>,
    _turn: MutexGuard<'static, ()>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(turn(), arguments)
    }

    fn start_in(turn: MutexGuard<'static, ()>, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"))
            .arg("demo")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out, _turn: turn }
    }

    /// Reads the output up to a line with this text.
    fn read_until(&mut self, text: &str) -> String {
        let mut shown = String::new();
        loop {
            let line_start = shown.len();
            assert!(
                self.out.as_mut().unwrap().read_line(&mut shown).unwrap() > 0,
                "the output ended without {text:?}:\n{shown}"
            );
            if shown[line_start..].contains(text) {
                return shown;
            }
        }
    }

    /// Waits for exit status 0; returns the rest of the output.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.out.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{rest}");
        rest
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a failed test the process is still running.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The numbers of produced, stored and rejected records in the last line.
fn totals(output: &str) -> [u64; 3] {
    let last = output.lines().last().unwrap().replace(',', "");
    let numbers: Vec<u64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{last:?} are no totals"))
}

fn assert_ends_on(signal: &str) {
    let mut demo = Demo::start(&[]);
    let mut shown = demo.read_until("points/s stored");
    crate::signals::signal(demo.child.id(), signal);
    shown += &demo.end();
    for topic in ["ec2", "brokers", "sensors"] {
        let (into, out) = (format!("\nin  {topic}: {{"), format!("\nout {topic}: "));
        let pair = shown.find(&into).zip(shown.find(&out));
        assert!(pair.is_some_and(|(into, out)| into < out), "no pair of {topic}:\n{shown}");
    }
    assert!(shown.contains("\nrejected: it is not JSON"), "{shown}");
    assert!(shown.contains("Status page of the bridge, while the demo runs: http://127.0.0.1:"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours without a terminal:\n{shown}");
    let [produced, stored, rejected] = totals(&shown);
    assert_eq!(produced, stored + rejected, "{shown}");
    assert!(rejected >= 1 && stored > 1_000, "{shown}");
}

#[test]
fn ctrl_c_ends_the_demo_with_complete_totals() {
    assert_ends_on("INT");
}

#[test]
fn sigterm_ends_the_demo_with_complete_totals() {
    assert_ends_on("TERM");
}

#[test]
fn ends_after_the_given_time() {
    let mut demo = Demo::start(&["--seconds", "2"]);
    let mut shown = demo.read_until("Every second");
    shown += &demo.end();
    let [produced, stored, rejected] = totals(&shown);
    assert_eq!(produced, stored + rejected, "{shown}");
}

/// For example `demo | head`.
#[test]
fn a_closed_output_ends_the_demo() {
    let mut demo = Demo::start(&[]);
    demo.read_until("out sensors");
    demo.out = None;
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_status_page_takes_another_port_where_its_own_is_taken() {
    use std::net::TcpListener;
    let turn = turn();
    // Where another process has the port, that process may end in the middle of the test.
    let Ok(_taken) = TcpListener::bind("127.0.0.1:9644") else { return };
    let mut demo = Demo::start_in(turn, &["--seconds", "1"]);
    let shown = demo.read_until("Status page");
    assert!(!shown.contains("127.0.0.1:9644"), "{shown}");
    demo.end();
}
