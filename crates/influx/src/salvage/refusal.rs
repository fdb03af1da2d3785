//! One refusal of a request.

use crate::answer::Answer;
use crate::parsed_answer::ParsedAnswer;

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
    /// Whether unknown words of this address prove nothing, see [`AddressHistory::contradicts_itself`].
    pub is_contradicted: bool,
}

impl RefusedAt {
    /// Whether the address that refuses again has stored another request that was sent after this refusal.
    pub fn has_control_before(self, again: Self) -> bool {
        self.moment < again.control
    }
}

/// Facts about the addresses of one destination, from the requests of all lanes.
pub trait AddressHistory {
    /// Moment at which the latest request that this address stored was sent; 0 if it stored none.
    fn latest_control(&self, address: usize) -> u64;

    /// Whether the address refused lines with unknown words, and the same lines were stored before or afterwards. Servers behind this
    /// address answer differently, so its unknown words prove nothing.
    fn contradicts_itself(&self, address: usize) -> bool;
}
