//! Colours, where somebody looks at a terminal.

use base::text::refuses_colour;
use std::env;
use std::io::IsTerminal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Green,
    Yellow,
    Red,
}

/// Whether words are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    is_coloured: bool,
}

impl Style {
    /// For what goes to a file or another program.
    pub const PLAIN: Self = Self { is_coloured: false };

    /// For what is written to `out`: in colours if that is a terminal, unless `NO_COLOR` (no-color.org) refuses them.
    pub fn of(out: &impl IsTerminal) -> Self {
        let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { is_coloured: out.is_terminal() && !refuses_colour() && !is_dumb }
    }

    pub fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Red => 31,
        };
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_for_a_terminal() {
        assert_eq!(Style::PLAIN.paint(Colour::Red, "FAILED"), "FAILED");
        assert_eq!(Style { is_coloured: true }.paint(Colour::Red, "FAILED"), "\x1b[31mFAILED\x1b[0m");
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Style::of(&file), Style::PLAIN);
    }
}
