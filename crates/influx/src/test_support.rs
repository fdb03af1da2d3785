//! Helpers shared by the tests of this crate.

use crate::event::{Event, Observer};
use crate::settings::ConnectionSettings;
use std::sync::Mutex;

/// Records events.
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

pub fn connection(url: &str) -> ConnectionSettings {
    ConnectionSettings::new(url.parse().unwrap())
}
