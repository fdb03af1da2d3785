//! `QuestDB`, which takes writes at the endpoints of 1.x and 2.x.

use super::phrases::{Phrases, Quoting, Trace, line_cause};

pub const PHRASES: Phrases = Phrases {
    // 9.3.4
    line_causes: &[line_cause("; cast error from protocol type", "field type conflict", Trace::None)],
    // 9.3.4: error in line 2: table: cpu, column: v; cast error from protocol type
    quotings: &[Quoting { begin: "table: ", end: "; ", is_open: true }],
    ..Phrases::NONE
};
