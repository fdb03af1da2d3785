//! The unit of the Debian package, and the program's notifications to systemd.

use super::{read, root};
use crate::folder::Folder;
use crate::signals::signal;
use crate::support::wait_until;
use clap::Parser as _;
use kafka_influx_bridge::command::{Arguments, WRONG};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// An address without Kafka and InfluxDB.
const CONFIG: &str = "shutdown_max = '3s'\n[kafka]\nbrokers = '127.0.0.1:1'\ntopics = 't'\n[[mapping]]\n\
    [influx]\nurl = 'http://127.0.0.1:1'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n[admin]\nlisten = ''\n";

fn service(folder: &Folder) -> Command {
    let mut command = folder.command(&["run"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// systemd's end of the notification socket.
fn listener(folder: &Folder) -> (UnixDatagram, PathBuf) {
    let path = folder.file("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    (socket, path)
}

fn notified(socket: &UnixDatagram) -> String {
    let mut state = [0; 1_000];
    let length = socket.recv(&mut state).unwrap();
    String::from_utf8(state[..length].to_vec()).unwrap()
}

#[test]
fn the_unit_starts_this_program() {
    let unit = read(&root().join("docker/debian/kafka-influx-bridge.service"));
    let value = |key: &str| {
        let found = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("the unit has no {key}"))
    };
    let start: Vec<&str> = value("ExecStart").split(' ').collect();
    assert!(Arguments::try_parse_from(&start).is_ok());
    assert_eq!(value("Type"), "notify");
    assert_eq!(value("RestartPreventExitStatus"), WRONG.to_string());
    assert_eq!(value("WorkingDirectory"), format!("/var/lib/{}", value("StateDirectory")));
    let config =
        configuration::parse(Path::new(""), CONFIG.split_once('\n').unwrap().1, &|_| None).unwrap().config;
    assert!(config.shutdown_max.as_secs() < value("TimeoutStopSec").parse().unwrap());

    let build = read(&root().join("docker/debian/build")).replace("$name", "kafka-influx-bridge");
    let files = [start[0], start[3], value("EnvironmentFile").trim_start_matches('-')];
    for file in files {
        assert!(build.lines().any(|line| line.starts_with("put ") && line.ends_with(file)), "{file}");
    }
}

#[test]
fn systemd_is_notified_of_readiness_and_stop() {
    let folder = Folder::with_config(CONFIG);
    let (socket, path) = listener(&folder);
    let mut child = service(&folder).env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(notified(&socket), "READY=1");
    // From now on SIGHUP does not end the process, and SIGTERM ends it with status 0.
    signal(child.id(), "HUP");
    signal(child.id(), "TERM");
    assert_eq!(notified(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000");
    assert_eq!(child.wait().unwrap().code(), Some(0));

    folder.write("bridge.toml", format!("{CONFIG}nonsense = 1\n"));
    let output = service(&folder).env("NOTIFY_SOCKET", &path).output().unwrap();
    assert_eq!(output.status.code(), Some(WRONG.into()));
    socket.set_nonblocking(true).unwrap();
    assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "it was not ready");
}

#[test]
fn lines_in_the_journal_have_their_priority() {
    let folder = Folder::new();
    let (socket, path) = listener(&folder);
    // JOURNAL_STREAM names standard error or another file; prefix of a text line and of a JSON line for each.
    for (format, is_journal) in [("text", true), ("json", true), ("text", false)] {
        let text = format!("{CONFIG}[log]\nformat = '{format}'\n");
        folder.write("bridge.toml", &text);
        let errors = File::create(folder.file("log")).unwrap();
        let is = errors.metadata().unwrap();
        let stream = format!("{}:{}", is.dev(), is.ino() + u64::from(!is_journal));
        let mut command = service(&folder);
        command.env("NOTIFY_SOCKET", &path).env("JOURNAL_STREAM", stream).stderr(errors);
        let mut child = command.spawn().unwrap();
        assert_eq!(notified(&socket), "READY=1");
        // An error of several lines.
        folder.write("bridge.toml", format!("{text}nonsense = 1\n"));
        signal(child.id(), "HUP");
        wait_until("the error is logged", || folder.read("log").contains("is not reloaded"));
        signal(child.id(), "TERM");
        assert!(notified(&socket).starts_with("STOPPING=1"));
        assert!(child.wait().unwrap().success());

        let shown = folder.read("log");
        let has = |text: &str| shown.lines().any(|line| line.starts_with(text));
        match (format, is_journal) {
            ("text", true) => {
                for begin in [
                    "<4>WARN [dead_letter] is not set",
                    "<6>INFO kafka-influx-bridge starts",
                    "<3>ERROR the conf",
                ] {
                    assert!(has(begin), "{begin}: {shown}");
                }
                assert!(shown.lines().all(|line| line.starts_with('<')), "{shown}");
                assert!(has("<3>") && shown.contains("\n<3>   |"), "{shown}");
            }
            ("json", _) => {
                assert!(has("<4>{\"timestamp\"") && has("<3>{\"timestamp\""), "{shown}");
                assert!(shown.lines().all(|line| line.starts_with('<')), "{shown}");
            }
            _ => assert!(has("20") && !has("<"), "{shown}"),
        }
    }
}
