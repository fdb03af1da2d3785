//! The lines of one request.

use crate::lines::Lines;
use crate::request_text::RequestText;
use std::ops::Range;

/// The lines of one request: at least one, in the batch's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestLines {
    Run(Range<usize>),
    Picked(Vec<usize>),
}

impl RequestLines {
    pub fn len(&self) -> usize {
        match self {
            Self::Run(run) => run.len(),
            Self::Picked(indices) => indices.len(),
        }
    }

    /// Indices of the lines.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        let (run, picked) = match self {
            Self::Run(run) => (run.clone(), [].as_slice()),
            Self::Picked(picked) => (0..0, picked.as_slice()),
        };
        run.chain(picked.iter().copied())
    }

    pub fn bytes(&self, lines: &Lines) -> usize {
        match self {
            Self::Run(run) => lines.bytes(run),
            Self::Picked(indices) => indices.iter().map(|&index| lines.line(index).len()).sum(),
        }
    }

    /// The request's text. A run shares the batch's text; picked lines are copied.
    pub fn body(&self, lines: &Lines) -> RequestText {
        match self {
            Self::Run(run) => RequestText::of(lines, run),
            Self::Picked(indices) => {
                let mut body = Vec::with_capacity(self.bytes(lines));
                for &index in indices {
                    body.extend_from_slice(lines.line(index));
                }
                RequestText::Whole(body.into())
            }
        }
    }
}
