//! Output on terminals: colours, and the progress of long commands.

use engine::dead_letter::Progress;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt};

/// Prints a line on standard error. Unlike `eprintln!`, it does not end the program if nobody reads standard error.
macro_rules! report {
    ($($text:tt)*) => {
        $crate::terminal::print_line(&mut std::io::stderr().lock(), format_args!($($text)*))
    };
}
pub(crate) use report;

/// Prints a line; a reader that has gone misses it.
pub fn print_line(out: &mut impl Write, line: fmt::Arguments<'_>) {
    let _unseen = writeln!(out, "{line}");
}

/// Output that may lose its reader: writing to it always succeeds. For commands whose exit status is their result.
pub struct MayBeUnseen<W>(pub W);

impl<W: Write> Write for MayBeUnseen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _unseen = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _unseen = self.0.flush();
        Ok(())
    }
}

/// Colours with their ANSI codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
    Grey = 90,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    is_coloured: bool,
}

impl Style {
    /// The style for `out`: coloured on a terminal that is not a dumb one, unless `NO_COLOR` (<https://no-color.org>) is set.
    pub fn of(out: &impl IsTerminal) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { is_coloured: out.is_terminal() && !refuses_colour() && !is_dumb }
    }

    pub fn is_coloured(self) -> bool {
        self.is_coloured
    }

    pub fn paint(self, colour: Colour, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }
}

fn refuses_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Erases the line that the cursor is on.
const ERASE: &str = "\r\x1b[2K";
const BAR_CELLS: usize = 30;
const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress on standard error: a bar that is redrawn in place on a terminal, otherwise a line every 10 s.
#[derive(Clone, Debug)]
pub struct ProgressBar {
    terminal: bool,
    /// Whether the bar is drawn now. Clones share it, so that the log can erase the bar.
    drawn: Arc<AtomicBool>,
    last: Instant,
}

impl ProgressBar {
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), drawn: Arc::default(), last: Instant::now() }
    }

    /// Shows the progress, unless it was shown just before.
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
            // A closed terminal must not stop the command.
            let _unseen = write!(out, "{} {text}", cells(progress)).and_then(|()| out.flush());
            self.drawn.store(true, Ordering::Relaxed);
        } else {
            self.print(&text);
        }
    }

    /// Prints a line.
    pub fn print(&self, line: &str) {
        self.erase();
        report!("{line}");
    }

    /// Erases the bar, so that a line can be printed.
    pub fn erase(&self) {
        if self.drawn.swap(false, Ordering::Relaxed) {
            let _unseen = io::stderr().lock().write_all(ERASE.as_bytes());
        }
    }
}

fn share(progress: Progress) -> String {
    let Progress { done, all } = progress;
    // Without work, all of it is done.
    format!("{}%", (done.min(all) * 100).checked_div(all).unwrap_or(100))
}

fn cells(progress: Progress) -> String {
    let Progress { done, all } = progress;
    // Without work, all of it is done.
    let full = (done.min(all) as usize * BAR_CELLS).checked_div(all as usize).unwrap_or(BAR_CELLS);
    format!("[{}{}]", "#".repeat(full), ".".repeat(BAR_CELLS.saturating_sub(full)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_progress() {
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
    fn colours_only_terminals() {
        assert_eq!(Style::default().paint(Colour::Red, "FAILED"), "FAILED");
        assert_eq!(Style { is_coloured: true }.paint(Colour::Red, "FAILED"), "\x1b[31mFAILED\x1b[0m");
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Style::of(&file), Style::default());
    }
}
