//! The demo as a newcomer runs it: it starts, shows what goes in and what comes out, and ends well.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A demo whose output is read.
struct Demo {
    child: Child,
    /// None: closed.
    out: Option<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"))
            .arg("demo")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().map(BufReader::new);
        Self { child, out }
    }

    /// What is shown until a line has this text. The demo itself ends when nothing comes.
    fn read_until(&mut self, text: &str) -> String {
        let mut shown = String::new();
        loop {
            let line_start = shown.len();
            assert!(
                self.out.as_mut().unwrap().read_line(&mut shown).unwrap() > 0,
                "it ended without {text:?}:\n{shown}"
            );
            if shown[line_start..].contains(text) {
                return shown;
            }
        }
    }

    /// The rest of its output, after a good end.
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
        // Of a test that failed; otherwise it has ended.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Produced, stored and rejected, from the last line.
fn totals(output: &str) -> [u64; 3] {
    let last = output.lines().last().unwrap().replace(',', "");
    let numbers: Vec<u64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{last:?} are no totals"))
}

fn ends_well_on(signal: &str) {
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
    assert!(shown.contains("status page, while this runs: http://127.0.0.1:"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours without a terminal:\n{shown}");
    let [produced, stored, rejected] = totals(&shown);
    assert_eq!(produced, stored + rejected, "{shown}");
    assert!(rejected >= 1 && stored > 1_000, "{shown}");
}

#[test]
fn ctrl_c_ends_it_with_totals_that_add_up() {
    ends_well_on("INT");
}

#[test]
fn sigterm_ends_it_with_totals_that_add_up() {
    ends_well_on("TERM");
}

#[test]
fn ends_by_itself_when_asked_to() {
    let mut demo = Demo::start(&["--seconds", "2"]);
    let mut shown = demo.read_until("Every second");
    shown += &demo.end();
    let [produced, stored, rejected] = totals(&shown);
    assert_eq!(produced, stored + rejected, "{shown}");
}

/// As `demo | head` does.
#[test]
fn a_closed_output_ends_it() {
    let mut demo = Demo::start(&[]);
    demo.read_until("out sensors");
    demo.out = None;
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}
