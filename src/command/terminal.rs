//! Output on terminals: colours, and the progress of long commands.

use base::text::refuses_colour;
use engine::dead_letter::Progress;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
    Grey = 90,
}

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    is_coloured: bool,
}

impl Style {
    /// For what is written to `out`: in colours if that is a terminal, unless `NO_COLOR` (no-color.org) refuses them.
    pub fn of(out: &impl IsTerminal) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { is_coloured: out.is_terminal() && !refuses_colour() && !is_dumb }
    }

    pub fn paint(self, colour: Colour, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }
}

/// Erases the line that the cursor is on.
const ERASE: &str = "\r\x1b[2K";
const BAR_CELLS: usize = 30;
const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Standard error, with the bar at its end.
#[derive(Clone, Debug)]
pub struct Bar {
    terminal: bool,
    /// Whether the bar stands on the terminal now; the log asks too.
    drawn: Arc<AtomicBool>,
    last: Instant,
}

impl Bar {
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), drawn: Arc::default(), last: Instant::now() }
    }

    /// Shows how far it is, if it was not shown just before.
    pub fn show(&mut self, progress: Progress, text: impl FnOnce() -> String) {
        let every = if self.terminal { REDRAW_EVERY } else { LINE_EVERY };
        if self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let text = format!("{} {}", share(progress), text());
        if self.terminal {
            self.erase();
            let mut out = io::stderr().lock();
            // Nobody may see it: no reason to stop.
            let _unseen = write!(out, "{} {text}", cells(progress)).and_then(|()| out.flush());
            self.drawn.store(true, Ordering::Relaxed);
        } else {
            self.say(&text);
        }
    }

    /// Shows a line.
    pub fn say(&self, line: &str) {
        self.erase();
        let _unseen = writeln!(io::stderr().lock(), "{line}");
    }

    /// Makes room for a line, of this or of the log.
    pub fn erase(&self) {
        if self.drawn.swap(false, Ordering::Relaxed) {
            let _unseen = io::stderr().lock().write_all(ERASE.as_bytes());
        }
    }
}

fn share(progress: Progress) -> String {
    let Progress { done, all } = progress;
    // Nothing to do is all done.
    format!("{}%", (done.min(all) * 100).checked_div(all).unwrap_or(100))
}

fn cells(progress: Progress) -> String {
    let Progress { done, all } = progress;
    // Nothing to do is all done.
    let full = (done.min(all) as usize * BAR_CELLS).checked_div(all as usize).unwrap_or(BAR_CELLS);
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR_CELLS.saturating_sub(full)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_how_far_it_is() {
        let f = |done: u64, all: u64, want: &str| {
            let progress = Progress { done, all };
            assert_eq!(format!("{} {}", cells(progress), share(progress)), want);
        };
        f(0, 1_000, "[..............................] 0%");
        f(999, 1_000, "[#############################.] 99%");
        f(1_000, 1_000, "[##############################] 100%");
        f(2_000, 1_000, "[##############################] 100%");
        f(0, 0, "[##############################] 100%");
    }

    #[test]
    fn paints_only_for_a_terminal() {
        assert_eq!(Style::default().paint(Colour::Red, "FAILED"), "FAILED");
        assert_eq!(Style { is_coloured: true }.paint(Colour::Red, "FAILED"), "\x1b[31mFAILED\x1b[0m");
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Style::of(&file), Style::default());
    }
}
