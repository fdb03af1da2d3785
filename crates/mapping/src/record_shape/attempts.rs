//! Decides whether a shortcut is tried: one that mostly fails costs more than it saves.

/// Most failed attempts before attempts become rare; enough to learn shapes that alternate in a topic.
const CREDIT_MAX: u32 = 1_024;
/// While attempts are rare, one object of this many is tried.
const TRY_EVERY: u32 = 64;

#[derive(Debug)]
pub struct Attempts {
    /// Failed attempts left before attempts become rare.
    credit: u32,
    /// Objects skipped since the last attempt.
    untried: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { credit: CREDIT_MAX, untried: 0 }
    }
}

impl Attempts {
    /// Whether to try the shortcut for the next object.
    pub fn tries_next(&mut self) -> bool {
        if self.credit == 0 && self.untried < TRY_EVERY {
            self.untried += 1;
            return false;
        }
        self.untried = 0;
        true
    }

    /// `gain`: the number of failed attempts that this success pays for.
    pub fn succeeded(&mut self, gain: u32) {
        self.credit = (self.credit + gain).min(CREDIT_MAX);
    }

    /// `cost`: the number of attempts that failed.
    pub fn failed(&mut self, cost: u32) {
        self.credit = self.credit.saturating_sub(cost);
    }
}
