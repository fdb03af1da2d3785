//! A headless chromium, driven through a pair of pipes (`--remote-debugging-pipe`): messages are JSON, each ends in a zero byte.
//! <https://chromedevtools.github.io/devtools-protocol/>

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A loaded machine may take a good part of it.
const LONGEST: Duration = Duration::from_mins(1);

pub struct Browser {
    child: Child,
    pipe: RefCell<ChildStdin>,
    messages: Receiver<Value>,
    /// What came besides answers.
    events: RefCell<Vec<Value>>,
    last_id: Cell<u64>,
    profile: PathBuf,
}

impl Browser {
    pub fn start() -> Self {
        let program = std::env::var("BRIDGE_BROWSER_BIN").unwrap_or_else(|_| "chromium".to_owned());
        let profile =
            std::env::temp_dir().join(format!("browser-{}-{:x}", std::process::id(), fastrand::u64(..)));
        // It reads from descriptor 3 and writes to 4. Its own log is of no use here.
        let mut child = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, "sh", &program])
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-first-run",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            // Containers: no user namespaces for its sandbox, and little shared memory.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = RefCell::new(child.stdin.take().unwrap());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        Self { child, pipe, messages, events: RefCell::default(), last_id: Cell::new(0), profile }
    }

    pub fn open(&self, url: &str) -> Tab<'_> {
        let target = self.call(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            self.call(None, "Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().to_owned();
        let tab = Tab { browser: self, session, url: url.to_owned() };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab.call("Page.navigate", &json!({ "url": url }));
        tab
    }

    fn call(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.last_id.set(self.last_id.get() + 1);
        let mut message = json!({ "id": self.last_id.get(), "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut pipe = self.pipe.borrow_mut();
        pipe.write_all(format!("{message}\0").as_bytes()).unwrap();
        pipe.flush().unwrap();
        loop {
            let message = self.messages.recv_timeout(LONGEST);
            let message =
                message.unwrap_or_else(|error| panic!("{method}: the browser does not answer: {error}"));
            if message["id"] == self.last_id.get() {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.borrow_mut().push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.profile);
    }
}

pub struct Tab<'b> {
    browser: &'b Browser,
    session: String,
    url: String,
}

impl Tab<'_> {
    fn call(&self, method: &str, params: &Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    /// The value of an expression, which is evaluated as if a person had clicked: only then may a page write to the clipboard.
    pub fn value(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// What a person reads there.
    pub fn text(&self, selector: &str) -> String {
        let found = self.value(&format!("document.querySelector({selector:?})?.innerText ?? ''"));
        found.as_str().unwrap().to_owned()
    }

    pub fn title(&self) -> String {
        self.value("document.title").as_str().unwrap().to_owned()
    }

    /// One in the background is not drawn.
    pub fn bring_to_front(&self) {
        self.call("Page.bringToFront", &json!({}));
        self.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
    }

    pub fn emulate(&self, (width, height): (u32, u32), is_phone: bool, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": is_phone });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// The page as a PNG, down to `height_max`.
    pub fn screenshot(&self, file: &Path, height_max: f64) {
        let size = &self.call("Page.getLayoutMetrics", &json!({}))["cssContentSize"];
        let height = size["height"].as_f64().unwrap().min(height_max);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let params = json!({ "captureBeyondViewport": true, "clip": clip });
        let answer = self.call("Page.captureScreenshot", &params);
        let png = BASE64.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }

    /// Exceptions, complaints on the console, and requests to anybody else, since the start.
    pub fn complaints(&self) -> Vec<String> {
        // Events that came before this answer are there.
        self.value("0");
        let events = self.browser.events.borrow();
        let own = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        own.filter(|event| self.is_complaint(event)).map(ToString::to_string).collect()
    }

    fn is_complaint(&self, event: &Value) -> bool {
        let params = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => params["type"] != "log",
            Some("Log.entryAdded") => {
                params["entry"]["level"] != "info" && params["entry"]["level"] != "verbose"
            }
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap();
                !url.starts_with(&self.url) && !url.starts_with("data:")
            }
            _ => false,
        }
    }
}
