//! Records that could not be stored, kept with their reason and coordinates: in a Kafka topic or in a file.
//!
//! ```text
//! Letter -> DeadLetters::send -> topic (acknowledged by all replicas) | file (synced)
//! Originals: reads a record again whose line was refused long after it was released
//! ```

mod error;
mod letter;
mod originals;

pub use error::DeadLetterError;
pub use letter::{Elements, Letter, REFUSED, Stage};
pub use originals::{Original, Originals, Wanted};

use crate::config::Config;

/// Where letters go; shared by all lanes of all consumers.
#[derive(Debug)]
pub enum DeadLetters {}

impl DeadLetters {
    /// None: no dead letter is configured.
    pub fn open(_config: &Config) -> Result<Option<Self>, DeadLetterError> {
        Ok(None)
    }

    /// One attempt to write all letters and have them acknowledged. Those that are acknowledged are taken out of `letters`,
    /// so that a repeated call sends only the rest.
    #[expect(clippy::unused_async, reason = "a skeleton")]
    pub async fn send(&self, _letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        match *self {}
    }

    /// For logs and alarms: `topic metrics-dead-letter`, `file dead-letter.jsonl`.
    pub fn destination(&self) -> String {
        match *self {}
    }
}
