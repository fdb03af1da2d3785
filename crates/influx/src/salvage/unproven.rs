//! A line that was refused alone without proof, and the count of refusals and controls that would prove it.

use super::refusal::{AddressHistory, RefusedAt};
use std::sync::Arc;

/// Refusals of a line alone, and stored controls between them, that prove an unknown message. If the answers do not depend on the line,
/// as behind a load balancer with a broken server, they match the random order of attempts and controls once in at least
/// 3,000 cases: `[attempt; 6]` and `[control; 8]` have 3,003 orders. An answer that does not match shows that the address contradicts
/// itself.
const REFUSALS_MIN: u32 = 8;
const CONTROLS_MIN: u32 = 8;

/// Refusals that prove an unknown message if other lanes stored the controls. Their connections may lead to servers that work while each
/// connection of this lane leads to a broken one: of three servers, two of which are broken, 23 random connections do so once in 11,000
/// cases.
const REFUSALS_MIN_BESIDE_OTHERS: u32 = 24;

/// A line that was refused alone without proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub line: usize,
    pub why: Arc<str>,
    /// The latest refusal of the line.
    pub at: RefusedAt,
    pub kind: UnprovenKind,
    /// Refusals of the line alone by this address. Those before the first control count as one.
    refusals: u32,
    /// Other requests that this address stored since its first refusal of the line.
    controls: u32,
    /// Whether other lanes stored some of the controls.
    has_controls_of_others: bool,
}

impl Unproven {
    pub fn new(line: usize, why: Arc<str>, at: RefusedAt, kind: UnprovenKind) -> Self {
        Self { line, why, at, kind, refusals: 1, controls: 0, has_controls_of_others: false }
    }

    /// Whether the address that refused the line has stored another request since.
    pub fn has_control(&self, history: &dyn AddressHistory) -> bool {
        self.at.moment < history.latest_control(self.at.address)
    }

    /// Whether further refusals can prove that the line is to blame.
    pub fn can_be_confirmed(&self, history: &dyn AddressHistory) -> bool {
        self.kind.can_be_confirmed() && !history.contradicts_itself(self.at.address)
    }

    /// Draws whether the next request is a control. All orders of the requests that the proof lacks are equally likely, except that the
    /// line itself is last.
    pub fn wants_control(&self, rng: &mut fastrand::Rng) -> bool {
        let attempts = REFUSALS_MIN.saturating_sub(self.refusals).saturating_sub(1);
        let controls = CONTROLS_MIN.saturating_sub(self.controls);
        controls > 0 && rng.u32(..attempts + controls) < controls
    }

    /// Whether the next attempt opens a connection: a load balancer may assign each connection to one server. `is_drawn`: the batch sends
    /// its own controls, which use the lane's open connection.
    pub fn wants_new_connection(&self, is_drawn: bool) -> bool {
        !is_drawn || self.refusals % 2 == 1
    }

    /// Whether other lanes stored some of the controls since the first refusal.
    pub fn has_controls_of_others(&self) -> bool {
        self.has_controls_of_others
    }

    /// Records that an address stored another request.
    pub fn add_control(&mut self, address: usize) {
        // What an address stores proves nothing about another address, which may be behind a broken proxy.
        if address == self.at.address {
            self.controls = self.controls.saturating_add(1);
        } else {
            (self.refusals, self.controls) = (1, 0);
        }
    }

    /// Records that the address stored a request of another lane.
    pub fn add_control_of_others(&mut self) {
        self.has_controls_of_others = true;
        self.controls = self.controls.saturating_add(1);
    }

    /// Records that the line was refused alone again.
    pub fn refused_again(&mut self, why: Arc<str>, kind: UnprovenKind, at: RefusedAt) {
        // What an address stores proves nothing about another one, and nothing about servers behind it that answer differently.
        let is_other_address = at.address != self.at.address || at.is_contradicted;
        // A failure of the server is no refusal of the line, so it is no part of a proof.
        if is_other_address || !self.kind.can_be_confirmed() || !kind.can_be_confirmed() {
            self.controls = 0;
        }
        self.refusals = if self.controls == 0 { 1 } else { self.refusals.saturating_add(1) };
        (self.why, self.kind, self.at) = (why, kind, at);
    }

    /// Whether the refusals prove that the line is to blame.
    pub fn is_proven(&self) -> bool {
        let refusals_min =
            if self.has_controls_of_others { REFUSALS_MIN_BESIDE_OTHERS } else { REFUSALS_MIN };
        self.kind.can_be_confirmed() && self.refusals >= refusals_min && self.controls >= CONTROLS_MIN
    }
}

/// Why a refusal is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnprovenKind {
    /// 400 or 422 with an unknown message.
    Words,
    /// 413 for a line that is larger than some servers take.
    TooLarge,
    /// 413 for a line that every server takes.
    SmallTooLarge,
    /// 500 with a message that does not fit the line.
    Failure,
}

impl UnprovenKind {
    /// Whether further refusals of the line are a proof if the server stores other lines meanwhile.
    pub fn can_be_confirmed(self) -> bool {
        matches!(self, Self::Words | Self::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: u64) -> RefusedAt {
        RefusedAt { address: 0, moment, control: 0, is_contradicted: false }
    }

    /// Whether this many refusals of each kind, with a control after each, prove the line.
    fn is_proven_by(refusals: &[(UnprovenKind, u32)]) -> bool {
        let why: Arc<str> = "no".into();
        let mut kinds = refusals.iter().flat_map(|&(kind, count)| (0..count).map(move |_| kind));
        let mut line = Unproven::new(0, Arc::clone(&why), at(1), kinds.next().unwrap());
        for (moment, kind) in (2..).zip(kinds) {
            line.add_control(0);
            line.refused_again(Arc::clone(&why), kind, at(moment));
        }
        line.is_proven()
    }

    /// A 500, or a 413 for a small line, is no refusal of the line, so it is no part of a proof.
    #[test]
    fn refusals_that_prove_nothing_do_not_count_for_later_ones() {
        use UnprovenKind::{Failure, SmallTooLarge, TooLarge, Words};
        let enough = REFUSALS_MIN.max(CONTROLS_MIN) + 1;
        assert!(is_proven_by(&[(Words, enough)]) && is_proven_by(&[(TooLarge, enough)]));
        for kind in [Failure, SmallTooLarge] {
            assert!(!is_proven_by(&[(kind, enough)]), "{kind:?}");
            assert!(!is_proven_by(&[(kind, enough), (Words, 1)]), "{kind:?}");
            assert!(!is_proven_by(&[(Words, enough - 2), (kind, 1), (Words, 1)]), "{kind:?}");
            assert!(is_proven_by(&[(kind, enough), (Words, enough)]), "{kind:?}");
        }
    }
}
