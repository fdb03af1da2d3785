//! One refusal of a request.

use crate::answer::Answer;
use crate::reading::ParsedAnswer;

/// A refusal of a request.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    pub answer: &'a Answer,
    pub parsed: &'a ParsedAnswer,
    /// The server's message, printable.
    pub why: &'a str,
    pub at: RefusedAt,
}

/// Where and when a request was refused. A moment is a number that the writer gives to a request when it is sent and to an answer when
/// it arrives; a greater number is later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedAt {
    /// Index of the address that refused.
    pub address: usize,
    pub moment: u64,
    /// Moment at which the latest request that this address stored for the destination was sent, by any lane; 0 if it stored none.
    pub control: u64,
}

impl RefusedAt {
    /// Whether the address stored another request that was sent after this refusal, and has now refused again. What an address stores
    /// proves nothing about another address, which may be behind a broken proxy.
    pub fn is_confirmed_by(self, again: Self) -> bool {
        self.address == again.address && self.moment < again.control
    }
}

/// Returns, for an address, the moment at which the latest request that it stored for the destination was sent.
pub type Controls<'a> = &'a dyn Fn(usize) -> u64;
