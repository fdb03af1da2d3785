//! Type conflicts that an answer names by column and type, but not by table or line, as InfluxDB 3 does at the endpoint of 2.x.
//!
//! InfluxDB 3 names the first bad line of a request, and the type of a column is fixed for its table. So the first line with this column
//! and type is sent alone, after the lines before it: the first line of a new table fixes the types, which must be the one that comes first.
//! If it is refused, all lines of its table with this column and type are.

use super::proof::{column, named_type};
use crate::dialects::LineEvidence;
use crate::lines::Lines;
use crate::parsed_answer::{Field, ParsedAnswer, RefusalCause, line_subject};
use line_protocol::reader::read_v2_line;
use memchr::memmem::Finder;

/// Conflicts of a batch that turned out to be none. With more, pieces are halved.
const CLEARED_MAX: usize = 16;

/// Conflicts that the lines of a batch may have.
#[derive(Debug, Default)]
pub struct ColumnConflicts {
    /// The line that is sent alone, and its conflict.
    isolated: Option<(usize, RefusalCause)>,
    cleared: Vec<RefusalCause>,
}

impl ColumnConflicts {
    /// The first of these open lines that has a conflict of the answer, and the conflict.
    pub fn first(
        &self,
        lines: &Lines,
        open: impl Iterator<Item = usize>,
        parsed: &ParsedAnswer,
    ) -> Option<(usize, RefusalCause)> {
        let named = NamedColumn::read(&parsed.message).filter(|_| self.cleared.len() < CLEARED_MAX)?;
        let finder = Finder::new(named.bytes());
        let candidates = open.filter(|&index| finder.find(lines.line(index)).is_some());
        let mut conflicts = candidates.filter_map(|index| Some((index, named.conflict(lines.line(index))?)));
        conflicts.find(|(_, cause)| !self.cleared.contains(cause))
    }

    /// Records that this line is sent alone.
    pub fn isolate(&mut self, line: usize, cause: RefusalCause) {
        self.isolated = Some((line, cause));
    }

    /// Records that this line was stored alone: another table has the conflict.
    pub fn stored_alone(&mut self, line: usize) {
        if let Some((_, cause)) = self.isolated.take_if(|(isolated, _)| *isolated == line) {
            self.cleared.push(cause);
        }
    }
}

/// The conflict of a line that was refused with this message.
pub fn conflict(line: &[u8], message: &str) -> Option<RefusalCause> {
    NamedColumn::read(message)?.conflict(line)
}

/// A column and the type that it cannot have.
struct NamedColumn<'a> {
    name: &'a str,
    kind: &'static str,
}

impl<'a> NamedColumn<'a> {
    fn read(message: &'a str) -> Option<Self> {
        let (_, cause) = line_subject(message);
        let LineEvidence::ColumnType { before, types, .. } = cause?.evidence else { return None };
        // No field has the type of a tag.
        Some(Self { name: column(message)?, kind: named_type(message, before, types)? })
    }

    /// Bytes that every line with the column contains; empty if the line may escape the name.
    fn bytes(&self) -> &[u8] {
        if self.name.contains([',', '=', ' ', '"', '\\']) { b"" } else { self.name.as_bytes() }
    }

    fn conflict(&self, line: &[u8]) -> Option<RefusalCause> {
        let point = read_v2_line(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
        let is_it = |name: &str| name == self.name;
        point.fields.iter().find(|(name, value)| is_it(name) && value.type_name() == self.kind)?;
        let field = Field::new(&point.measurement, self.name);
        Some(RefusalCause::Conflict { field, kind: self.kind.to_owned() })
    }
}
