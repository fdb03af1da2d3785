//! A schema registry with scripted responses, for the tests of its client and of the whole pipeline.

#![allow(dead_code, reason = "no test uses all of this")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// Path of no request: its presence means that the registry is down.
const DOWN: &str = "down";

/// A server with responses by path, which a test changes while it runs.
pub struct SchemaServer {
    pub address: String,
    responses: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    /// The requests, each with its headers.
    pub requests: Receiver<String>,
}

impl SchemaServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let responses = Arc::<Mutex<BTreeMap<String, (u16, String)>>>::default();
        let (shared, (seen, requests)) = (Arc::clone(&responses), channel());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(size) => request.extend_from_slice(&buffer[..size]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                // A registry that is down closes connections without an answer.
                if shared.lock().unwrap().contains_key(DOWN) {
                    continue;
                }
                let unknown = (404, r#"{"error_code":40403,"message":"no such schema"}"#.to_owned());
                let (status, body) = shared.lock().unwrap().get(&path).cloned().unwrap_or(unknown);
                let _ended = seen.send(request);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                // The client may be gone.
                let _gone = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { address, responses, requests }
    }

    /// Closes connections without an answer from now on, or answers again.
    pub fn is_down(&self, is_down: bool) {
        let mut responses = self.responses.lock().unwrap();
        if is_down {
            responses.insert(DOWN.to_owned(), (0, String::new()));
        } else {
            responses.remove(DOWN);
        }
    }

    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.responses.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    pub fn schema(&self, path: &str, schema: &str, references: &str) {
        let schema = serde_json::Value::from(schema);
        self.answer(path, 200, &format!(r#"{{"schema":{schema},"references":{references}}}"#));
    }
}
