//! What the tests of this folder share.

use super::{Connection, Event, Observer};
use std::sync::Mutex;

/// Keeps events for a test to look at.
#[derive(Debug, Default)]
pub struct Events(Mutex<Vec<Event>>);

impl Events {
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Events {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

pub fn connection(url: &str) -> Connection {
    Connection::new(url.parse().unwrap())
}
