//! The lines of one request.

use crate::lines::Lines;
use bytes::Bytes;
use std::ops::Range;

/// At least one line, in the batch's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Run(Range<usize>),
    Picked(Vec<usize>),
}

impl Request {
    pub fn len(&self) -> usize {
        match self {
            Self::Run(run) => run.len(),
            Self::Picked(indices) => indices.len(),
        }
    }

    pub fn bytes(&self, lines: &Lines) -> usize {
        match self {
            Self::Run(run) => lines.bytes(run),
            Self::Picked(indices) => indices.iter().map(|&index| lines.line(index).len()).sum(),
        }
    }

    /// Neighbours share the batch's text; others are copied.
    pub fn body(&self, lines: &Lines) -> Bytes {
        match self {
            Self::Run(run) => lines.slice(run),
            Self::Picked(indices) => {
                let mut body = Vec::with_capacity(self.bytes(lines));
                for &index in indices {
                    body.extend_from_slice(lines.line(index));
                }
                body.into()
            }
        }
    }
}
