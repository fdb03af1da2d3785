//! A real Telegraf, compiled on first use.

use std::path::Path;
use std::process::Command;

/// Runs Telegraf once with the file `telegraf.conf` of this folder, and asserts that it reports no error.
pub fn run_telegraf_once(folder: &Path) {
    let program = telegraf_binary();
    let run = Command::new(program)
        .args(["--once", "--config"])
        .arg(folder.join("telegraf.conf"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && !log.contains("E!"), "{log}");
}

/// The path of the program.
pub fn telegraf_binary() -> String {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/telegraf/build");
    let output = Command::new(build).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
