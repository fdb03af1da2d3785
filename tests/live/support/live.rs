//! The servers that the live tests use, and the lock that runs these tests one at a time.

use super::{Http, Influx, Kafka, seed};
use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs one test at a time, because some stop a server. The lock file is shared by several runs on one machine.
static TURN: Mutex<()> = Mutex::new(());
const TURN_FILE: &str = "kafka-influx-bridge-live.lock";

/// One test's access to the servers.
pub struct Live {
    /// A part of every name that this test creates.
    unique: String,
    _turn: (File, MutexGuard<'static, ()>),
}

#[expect(clippy::unused_self, reason = "only who has the turn may use the servers")]
impl Live {
    /// Waits until no other live test of this machine runs.
    pub fn take_turn() -> Self {
        let test = thread::current().name().unwrap_or("a live test").to_owned();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let file = File::create(env::temp_dir().join(TURN_FILE)).unwrap();
        file.lock().unwrap();
        say(&format!("---- {test}"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self { unique: format!("{:x}", now.as_micros()), _turn: (file, turn) }
    }

    /// A name that no other test and no other run uses.
    pub fn name(&self, what: &str) -> String {
        format!("live_{what}_{}", self.unique)
    }

    /// A path for temporary files that no other test uses. It does not exist yet.
    pub fn path(&self, what: &str) -> PathBuf {
        env::temp_dir().join(self.name(what))
    }

    /// Kafka with one broker.
    pub fn kafka(&self) -> Kafka {
        Kafka::new(&variable("KAFKA"))
    }

    /// Kafka with three brokers.
    pub fn kafka3(&self) -> Kafka {
        Kafka::new(&variable("KAFKA3"))
    }

    pub fn influx2(&self) -> Influx {
        let token = variable("INFLUX2_TOKEN");
        Influx::new(&variable("INFLUX2_URL"), Some(format!("Token {token}")))
    }

    /// InfluxDB 1 without login.
    pub fn influx1(&self) -> Influx {
        Influx::new(&variable("INFLUX1_URL"), None)
    }

    /// The user of the 1.x API of InfluxDB 2.
    pub fn influx2_v1_login(&self) -> (String, String) {
        (variable("INFLUX2_V1_USER"), variable("INFLUX2_V1_PASSWORD"))
    }

    /// InfluxDB 1 with login: the server for its user, the database, the user's name and password.
    pub fn influx1_login(&self) -> (Influx, String, String, String) {
        let (user, password) = (variable("INFLUX1_AUTH_USER"), variable("INFLUX1_AUTH_PASSWORD"));
        let influx = Influx::login(&variable("INFLUX1_AUTH_URL"), &user, &password);
        (influx, variable("INFLUX1_AUTH_DATABASE"), user, password)
    }

    pub fn questdb(&self) -> Http {
        Http::new(&variable("QUESTDB_URL"), None)
    }

    /// The address of the schema registry's API.
    pub fn registry(&self) -> String {
        variable("REGISTRY_URL")
    }

    pub fn victoria(&self) -> Http {
        Http::new(&variable("VICTORIA_URL"), None)
    }

    /// The current VictoriaMetrics; [`Live::victoria`] is that of Debian.
    pub fn victoria2(&self) -> Http {
        Http::new(&variable("VICTORIA2_URL"), None)
    }

    /// A process of the stack that a test can pause or kill.
    pub fn server_pid(&self, name: &str) -> u32 {
        let path = Path::new(&variable("RUN_DIR")).join(format!("{name}.pid"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text.trim().parse().unwrap()
    }

    /// Starts killed processes again, with their data, and resumes paused ones.
    pub fn bring_up(&self, server: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stack/up");
        let output = Command::new(script).arg(server).env("BRIDGE_STACK_KEEP", "1").output().unwrap();
        assert!(output.status.success(), "cannot bring {server} up: {output:?}");
    }

    /// Random numbers for the current test, from the seed `BRIDGE_LIVE_SEED` or a random one. Prints the command that repeats the
    /// test.
    pub fn random(&self) -> fastrand::Rng {
        let thread = thread::current();
        let test = thread.name().unwrap_or_default();
        let command = format!("cargo test --test live {test} -- --ignored --nocapture");
        fastrand::Rng::with_seed(seed::given_or_random("BRIDGE_LIVE_SEED", &command))
    }

    /// Number of rounds of the test of kills.
    pub fn kills(&self) -> usize {
        env::var("BRIDGE_LIVE_KILLS").map_or(20, |text| text.parse().unwrap())
    }

    /// Number of records for the tests that count many.
    pub fn records(&self) -> usize {
        env::var("BRIDGE_LIVE_RECORDS").map_or(1_000_000, |text| text.parse().unwrap())
    }
}

/// The value of `BRIDGE_LIVE_...`.
pub fn variable(name: &str) -> String {
    let name = format!("BRIDGE_LIVE_{name}");
    env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/stack/env)\""))
}

/// Prints a figure, whether the test passes or not.
pub fn measured(what: &str, figure: impl Display) {
    say(&format!("     {what}: {figure}"));
}

/// Writes past the test harness, which captures the output of tests that pass.
pub(super) fn say(text: &str) {
    // A closed standard error is no reason to fail.
    let _nobody = writeln!(stderr(), "{text}");
}
