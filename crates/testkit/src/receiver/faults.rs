//! Failures by a script: late, broken and endless answers.

use super::ending::Ending;
use super::reply::Reply;
use super::request::WriteRequest;
use std::time::Duration;

/// A script of faults: what it answers instead of the receiver, for each request that it wants to answer.
pub type Faults = Box<dyn Fn(&WriteRequest) -> Option<Reply> + Send + Sync>;

impl Reply {
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    #[must_use]
    pub fn storing(mut self) -> Self {
        self.stores = true;
        self
    }
}
