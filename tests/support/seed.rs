//! Seeds of randomised tests. Each such test prints the command that repeats it with the same seed.

#![allow(dead_code, reason = "no test uses all of this")]

use std::thread;

/// The number in this environment variable; None if the variable is unset. A text that is not a number fails the test: ignoring it
/// would repeat another run than the requested one.
pub fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

/// The seed in `variable`, or a random one. Prints the command that repeats the run.
pub fn given_or_random(variable: &str, command: &str) -> u64 {
    let seed = given(variable).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{}", repeat(variable, seed, command));
    seed
}

/// Prints the command that repeats a run when the test fails while this value exists: for tests that try many seeds.
#[must_use]
pub struct Repeated(String);

impl Repeated {
    pub fn by(variable: &str, seed: u64, command: &str) -> Self {
        Self(repeat(variable, seed, command))
    }
}

impl Drop for Repeated {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

fn repeat(variable: &str, seed: u64, command: &str) -> String {
    format!("repeat with: {variable}={seed} {command}")
}
