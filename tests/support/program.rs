//! The program, run as a process.

use crate::folder::Folder;
use crate::signals::signal;
use crate::support::wait_until;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

/// The program with these arguments in a folder, and the secrets of the examples in its environment.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"));
    command.args(arguments).current_dir(folder);
    command.env("INFLUX_TOKEN", "a-token").env("INFLUX_PASSWORD", "a-password");
    command
}

/// Runs the program in a folder to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Finished {
    command(folder, arguments).output().unwrap().into()
}

impl Folder {
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.path(), arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> Finished {
        run(self.path(), arguments)
    }

    /// Runs the program; fails unless its exit status is this one.
    #[track_caller]
    pub fn run_to(&self, status: i32, arguments: &[&str]) -> Finished {
        let done = self.run(arguments);
        assert_eq!(done.status, Some(status), "{arguments:?}: {done}");
        done
    }
}

/// The end of a process. Displays everything that it has printed.
pub struct Finished {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Finished {
    fn from(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { status: status.code(), out: text(stdout), err: text(stderr) }
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {:?}\n{}{}", self.status, self.out, self.err)
    }
}

/// Fails unless the text has each of these parts.
#[track_caller]
pub fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// A process of `run` in its own folder, with its log in the file `log`; killed on drop.
pub struct Running {
    child: Child,
    pub folder: Folder,
}

impl Running {
    /// Starts `run` with this bridge.toml.
    pub fn start(config: &str) -> Self {
        Self::start_with(config, &[])
    }

    /// Starts `run` with further arguments.
    pub fn start_with(config: &str, arguments: &[&str]) -> Self {
        let folder = Folder::with_config(config);
        let log = File::create(folder.file("log")).unwrap();
        let mut command = folder.command(&[&["run"], arguments].concat());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, folder }
    }

    pub fn log(&self) -> String {
        self.folder.read("log")
    }

    pub fn has_logged(&self, text: &str) -> bool {
        self.log().contains(text)
    }

    /// Number of log lines that contain this text.
    pub fn count_logged(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// The sum of the numbers after `key` in log lines that contain this text.
    pub fn sum_logged(&self, text: &str, key: &str) -> usize {
        let log = self.log();
        let numbers = log.lines().filter(|line| line.contains(text)).filter_map(|line| line.split_once(key));
        let number = |(_, rest): (&str, &str)| -> Option<usize> {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        numbers.filter_map(number).sum()
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The exit status, once the process has ended.
    pub fn wait(&mut self) -> Option<i32> {
        wait_until("the process ends", || self.has_ended());
        self.child.wait().unwrap().code()
    }

    /// Sends SIGTERM; returns the exit status.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }

    /// Sends SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended.
        let _ended = (self.child.kill(), self.child.wait());
        if thread::panicking() {
            eprintln!("the log of the process:\n{}", self.log());
        }
    }
}
