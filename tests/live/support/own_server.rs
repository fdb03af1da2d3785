//! The test's own server process, for faults that would disturb other tests or need special settings.

use super::signals::signal;
use super::{PATIENCE, wait_for};
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// The program, arguments and log of a server process.
pub struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Environment variables.
    pub variables: Vec<(&'static str, OsString)>,
}

/// A running server. Dropping it ends the process and removes its folder.
pub struct OwnServer {
    /// Used by the next restart.
    pub launch: Launch,
    folder: PathBuf,
    child: Child,
}

impl OwnServer {
    /// Starts the process with a log in `folder`, without waiting until it answers.
    pub fn start(folder: &Path, launch: Launch) -> Self {
        fs::create_dir_all(folder).unwrap();
        let child = spawn(folder, &launch);
        Self { launch, folder: folder.to_owned(), child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process with this signal, and starts it again with its data.
    pub fn restart(&mut self, with: &str) {
        signal(self.pid(), with);
        self.child.wait().unwrap();
        self.child = spawn(&self.folder, &self.launch);
    }

    /// Waits until `answers` is true; fails at once if the process has ended.
    pub fn wait_until(&mut self, answers: impl Fn() -> bool) {
        let program = self.launch.program.display().to_string();
        let child = &mut self.child;
        wait_for(&format!("an answer of {program}"), PATIENCE, || {
            assert_eq!(child.try_wait().unwrap(), None, "{program} has ended");
            answers().then_some(())
        });
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("the last lines of the server's log, the newest first:\n{}", last.join("\n"));
        }
        let _in_use = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path, launch: &Launch) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments).envs(launch.variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", launch.program.display()))
}

/// A free port below Linux's range for outgoing connections, because one of those could take the port between two starts.
pub fn free_port() -> u16 {
    let taken = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..32_000)).find(|port| !taken(port)).unwrap()
}
