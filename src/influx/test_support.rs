//! What the tests of this folder share.

use super::{Api, Compression, Connection, Credential, Event, Observer, Tls};
use std::sync::Mutex;
use std::time::Duration;

pub fn connection(url: &str) -> Connection {
    Connection {
        urls: vec![url.parse().unwrap()],
        api: Api::V2,
        credential: Credential::None,
        create_database: false,
        compression: Compression::Auto,
        timeout: Duration::from_secs(10),
        tls: Tls { ca_file: None, cert_file: None, key_file: None, verify: true },
    }
}

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
