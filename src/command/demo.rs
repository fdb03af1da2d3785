//! `demo`: the whole thing, with nothing installed.

use super::FAILED;
use crate::demo::{self, DemoError};
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Duration;

/// Runs until a signal, or for `seconds`.
pub fn demo(seconds: Option<u64>) -> ExitCode {
    match demo::run(seconds.map(Duration::from_secs)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(DemoError::Screen(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(FAILED)
        }
    }
}
