//! Logins and TLS at both ends, with certificates, users and tokens made for the run. Valid settings store records. Each mistake is reported
//! with the key to change. No message shows a secret.

mod influx_tls;
mod kafka_errors;
mod kafka_logins;

use crate::support::{
    Bridge, KEY_PASSWORD, PATIENCE, PLAIN_PASSWORD, SCRAM_PASSWORD, SecureKafka, USER, run_command,
};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const WRONG_PASSWORD: &str = "wrong-pass-word";
const CLIENT_SECRET: &str = "client-secret-word";
const PROXY_PASSWORD: &str = "proxy-pass-word";

/// A bridge.toml with these security settings for a topic and a group of the same name.
fn config(brokers: &str, topic: &str, security: &str, influx: &str) -> String {
    format!(
        "[kafka]\nbrokers = ['{brokers}']\ntopics = ['{topic}']\ngroup_id = '{topic}'\n{security}\n\
         [[mapping]]\nmeasurement = 'm'\n[influx]\n{influx}\n[log]\nlevel = 'debug'\n"
    )
}

fn tls(secure: &SecureKafka) -> String {
    format!("[kafka.tls]\nca_file = '{}'\n", secure.certificates.pem("ca"))
}

fn login(mechanism: &str, username: &str, password: &str) -> String {
    format!("[kafka.sasl]\nmechanism = '{mechanism}'\nusername = '{username}'\npassword = '{password}'\n")
}

fn scram(secure: &SecureKafka) -> String {
    tls(secure) + &login("SCRAM-SHA-512", USER, SCRAM_PASSWORD)
}

fn client_certificate(secure: &SecureKafka, name: &str, key: &str) -> String {
    let certificates = &secure.certificates;
    format!("cert_file = '{}'\nkey_file = '{}'\n", certificates.pem(name), certificates.key(key))
}

fn assert_no_secrets(text: &str, more: &[&str]) {
    let known = [PLAIN_PASSWORD, SCRAM_PASSWORD, KEY_PASSWORD, WRONG_PASSWORD, CLIENT_SECRET, PROXY_PASSWORD];
    for secret in known.iter().chain(more) {
        assert!(!text.contains(secret), "{secret} is shown:\n{text}");
    }
}

fn log(bridge: &Bridge) -> String {
    bridge.log_with(&[]).join("\n")
}

/// Asserts that `check --connect` fails with this text, within the time that all its requests may take.
fn assert_check_fails(name: &str, config: &str) {
    let (status, out, err) = run_command(config, &["check", "--connect"]);
    let all = out + &err;
    assert_eq!(status, Some(1), "{name}: {all}");
    assert!(all.contains("FAILED"), "{name}: {all}");
    assert_no_secrets(&all, &[]);
}

/// A token endpoint that accepts this client secret.
struct TokenEndpoint {
    url: String,
    given: Arc<AtomicUsize>,
}

impl TokenEndpoint {
    fn start(secure: &'static SecureKafka, good_for: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let given = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&given);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = String::new();
                let mut buffer = [0; 4096];
                while !request.contains("grant_type=client_credentials&scope=a+b") {
                    match stream.read(&mut buffer) {
                        Ok(read @ 1..) => request.push_str(&String::from_utf8_lossy(&buffer[..read])),
                        _ => break,
                    }
                }
                // bridge:client-secret-word
                let knows = request.contains("Basic YnJpZGdlOmNsaWVudC1zZWNyZXQtd29yZA==");
                let (status, body) = if knows {
                    count.fetch_add(1, Ordering::Relaxed);
                    let token = secure.token(good_for);
                    ("200 OK", format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#))
                } else {
                    ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned())
                };
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close", body.len());
                let _gone = write!(stream, "{head}\r\n\r\n{body}");
            }
        });
        Self { url, given }
    }

    fn sasl(&self, secret: &str) -> String {
        format!(
            "[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken_endpoint = '{}'\nclient_id = 'bridge'\nclient_secret = '{secret}'\nscope = 'a b'\n",
            self.url
        )
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }
}

/// Waits for a line with this text, then searches the whole log for secrets.
fn assert_logged(name: &str, bridge: &Bridge, words: &[&str]) {
    let (line, took) = bridge.wait_for_log(words, PATIENCE);
    crate::support::measured(name, format!("{took:.1?}: {line}"));
    assert_no_secrets(&log(bridge), &[]);
}
