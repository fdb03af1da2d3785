//! Output of the demo: lines, and a running line that a terminal redraws in place.

use crate::terminal::{Colour, Style};
use base::text::printable;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Erases the line that the cursor is on.
const ERASE: &str = "\r\x1b[2K";
/// Longer records and lines are cut.
const SHOWN_MAX: usize = 400;

/// Standard output.
#[derive(Clone, Debug)]
pub struct Screen {
    terminal: bool,
    style: Style,
    /// Whether the running line is drawn now. Clones share it, so that the log can erase the line.
    running: Arc<AtomicBool>,
}

impl Screen {
    pub fn new() -> Self {
        let out = io::stdout();
        Self { terminal: out.is_terminal(), style: Style::of(&out), running: Arc::default() }
    }

    /// Shows a line.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.erase()?;
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Shows external text after a coloured label.
    pub fn labelled(&self, colour: Colour, label: &str, text: &str) -> io::Result<()> {
        self.line(&format!("{} {}", self.painted(colour, label), printable(text, SHOWN_MAX)))
    }

    /// Redraws the running line.
    pub fn running(&self, text: &str) -> io::Result<()> {
        if !self.terminal {
            return self.line(text);
        }
        self.erase()?;
        let mut out = io::stdout().lock();
        write!(out, "{text}")?;
        self.running.store(true, Ordering::Relaxed);
        out.flush()
    }

    /// Erases the running line, so that a line can be printed.
    pub fn erase(&self) -> io::Result<()> {
        if !self.running.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(ERASE.as_bytes())?;
        out.flush()
    }

    pub fn painted(&self, colour: Colour, text: &str) -> String {
        self.style.paint(colour, text)
    }
}
