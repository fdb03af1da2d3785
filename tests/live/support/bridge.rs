//! The release binary as a process.

use super::{Http, PATIENCE, Page, free_port, signal, wait_for};
use crate::folder::Folder;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A bridge that runs until this is dropped. If the test fails, its log is printed.
pub struct Bridge {
    child: Child,
    started: Instant,
    folder: Folder,
    log: Arc<Mutex<Vec<(Instant, String)>>>,
    admin: Option<Http>,
}

impl Bridge {
    /// Starts the bridge with this bridge.toml and these variables. Without `[admin]` it opens no port.
    pub fn start(config: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_bytes(without_admin(config), variables)
    }

    /// Like [`Bridge::start`], for tests that read [`Bridge::metric`].
    pub fn start_watched(config: &str, variables: &[(&str, &str)]) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let config = format!("{config}\n[admin]\nlisten = '{listen}'\n");
        let mut bridge = Self::start_bytes(config, variables);
        bridge.admin = Some(Http::new(&format!("http://{listen}"), None));
        bridge
    }

    /// Starts `run --until-end`.
    pub fn start_until_end(config: &str) -> Self {
        Self::begin(without_admin(config), &[], &["--until-end"])
    }

    /// Like [`Bridge::start`], with this exact text.
    pub fn start_bytes(config: impl AsRef<[u8]>, variables: &[(&str, &str)]) -> Self {
        Self::begin(config, variables, &[])
    }

    fn begin(config: impl AsRef<[u8]>, variables: &[(&str, &str)], more: &[&str]) -> Self {
        let started = Instant::now();
        let folder = Folder::new();
        folder.write("bridge.toml", config);
        let binary = binary();
        let mut command = Command::new(&binary);
        command
            .args(["run", "--config", "bridge.toml"])
            .args(more)
            .current_dir(folder.path())
            .envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let log: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let into = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                into.lock().unwrap().push((Instant::now(), line));
            }
        });
        Self { child, started, folder, log, admin: None }
    }

    /// Writes another bridge.toml, keeps its `[admin]`, and sends SIGHUP.
    pub fn ask_for_reload(&self, config: &str) {
        let before = self.folder.read("bridge.toml");
        let admin = before.find("\n[admin]").map_or("", |at| &before[at..]);
        self.folder.write("bridge.toml", format!("{config}{admin}"));
        signal(self.pid(), "HUP");
    }

    /// Like `reload`, but waits until the configuration is in use; returns the time that took.
    pub fn reload(&self, config: &str) -> Duration {
        let reloads = || self.log_with(&["configuration reloaded"]).len();
        let before = reloads();
        self.ask_for_reload(config);
        wait_for("the configuration is reloaded", PATIENCE, || (reloads() > before).then_some(())).1
    }

    /// Waits for a log line that contains all of these texts; returns the line and its time since the start.
    pub fn wait_for_log(&self, words: &[&str], within: Duration) -> (String, Duration) {
        let found = || {
            let log = self.log.lock().unwrap();
            let line = log.iter().find(|(_, line)| words.iter().all(|word| line.contains(word)));
            line.map(|(at, line)| (line.clone(), *at - self.started))
        };
        wait_for(&format!("a line of the log with {words:?}"), within, found).0
    }

    /// Log lines that contain all of these texts.
    pub fn log_with(&self, words: &[&str]) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let lines =
            log.iter().map(|(_, line)| line).filter(|line| words.iter().all(|word| line.contains(word)));
        lines.cloned().collect()
    }

    /// Waits until partitions of this topic are assigned.
    pub fn wait_until_assigned(&self, topic: &str) -> Duration {
        self.wait_for_log(&["assigned", &format!("{topic}[")], PATIENCE).1
    }

    /// All metrics; fails if the page is malformed.
    pub fn page(&self) -> Page {
        Page::read(&self.page_text())
    }

    /// The unparsed page.
    pub fn page_text(&self) -> String {
        self.admin.as_ref().expect("start_watched").get("/metrics").unwrap()
    }

    /// A metric's samples, by its name without the common prefix.
    pub fn samples(&self, name: &str) -> Vec<f64> {
        let page = self.admin.as_ref().expect("start_watched").get("/metrics").unwrap();
        let name = format!("kafka_influx_bridge_{name}");
        let sample = |line: &str| {
            let labels = line.strip_prefix(&name).filter(|rest| rest.starts_with([' ', '{']))?;
            labels.rsplit(' ').next()?.parse().ok()
        };
        page.lines().filter_map(sample).collect()
    }

    /// The sum of the samples, of which there must be at least one.
    pub fn metric(&self, name: &str) -> u64 {
        let samples = self.samples(name);
        assert!(!samples.is_empty(), "no metric {name}");
        samples.iter().sum::<f64>() as u64
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The maximum of resident memory in kB.
    pub fn resident_max_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end of the process; returns the time that took.
    pub fn wait_for_end(&mut self, within: Duration) -> (ExitStatus, Duration) {
        wait_for("the bridge ends", within, || self.child.try_wait().unwrap())
    }

    /// Sends SIGTERM and waits for exit status 0; returns the time that took.
    pub fn stop(mut self) -> Duration {
        signal(self.pid(), "TERM");
        let (status, took) = self.wait_for_end(PATIENCE);
        assert!(status.success(), "{status}");
        took
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        if thread::panicking() {
            let log = self.log.lock().unwrap();
            let lines: Vec<&str> = log.iter().map(|(_, line)| line.as_str()).collect();
            eprintln!("the log of the bridge:\n{}", lines.join("\n"));
        }
    }
}

/// Runs another command of the binary with this bridge.toml; returns exit status, standard output and standard error.
pub fn run_command(config: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = Folder::with_config(config);
    let output = Command::new(binary()).args(arguments).current_dir(folder.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Moves the status page to a free port, because another bridge on the machine may use the default one.
fn without_admin(config: &str) -> String {
    if config.contains("[admin]") { config.to_owned() } else { format!("{config}\n[admin]\nlisten = \"\"\n") }
}

pub fn binary() -> PathBuf {
    if let Some(binary) = env::var_os("BRIDGE_LIVE_BIN") {
        return binary.into();
    }
    // The path of this test program is TARGET/PROFILE/deps/NAME.
    let test = env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap_or(Path::new("target"));
    let binary = target.join("release/kafka-influx-bridge");
    assert!(binary.exists(), "{} is missing: cargo build --release --features kafka-tls", binary.display());
    binary
}

/// A process that is stopped until this is dropped.
pub struct Paused(u32);

impl Paused {
    pub fn pause(pid: u32) -> Self {
        signal(pid, "STOP");
        Self(pid)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}
