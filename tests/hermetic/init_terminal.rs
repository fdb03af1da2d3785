//! Tests of the warnings that `init` prints on the terminal about points that lack something, run as a process.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The folder of a test.
struct Folder(PathBuf);

impl Folder {
    /// A folder with a file of records.
    fn new(name: &str, records: &[String]) -> Self {
        let folder = std::env::temp_dir().join(format!("bridge-init-terminal-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("r.jsonl"), records.join("\n")).unwrap();
        Self(folder)
    }

    /// The exit code, and the messages.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"));
        let output = command.args(arguments).current_dir(&self.0).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_terminal_names_what_the_points_lack() {
    let f = |name: &str, record: &dyn Fn(usize) -> String, want: &[&str]| {
        let records: Vec<String> = (0..60).map(record).collect();
        let (status, said) = Folder::new(name, &records).run(&["init", "r.jsonl", "--topic", "t", "-o", "-"]);
        assert_eq!(status, Some(0), "{said}");
        for text in want {
            assert!(said.contains(&format!("\nt: {text}")), "{text}: {said}");
        }
    };
    f(
        "time",
        &|n| format!(r#"{{"ts":"2024-07-08 21:34:10 CEST","v":{n}}}"#),
        &[
            r#"Points have the Kafka timestamp of their record ("ts" has the name of a time"#,
            "No tags, because no key has strings with few values.",
        ],
    );
    f(
        "values",
        &|n| format!(r#"{{"note":"text {n} of the day","v":{}}}"#, if n % 2 == 0 { "1" } else { "\"warm\"" }),
        &[
            r#"Not stored: texts with many values: "note"."#,
            r#"Not stored: texts and booleans that are mixed with numbers: "v"."#,
        ],
    );
    f(
        "lists",
        &|n| format!(r#"{{"log":["x","y"],"rows":[{{"host":"a","v":{n}.5}},{{"host":"b","v":2}}]}}"#),
        &[r#"Not stored: what stands in other lists: "log_*"."#],
    );
}

#[test]
fn a_complete_proposal_has_no_warning() {
    let records: Vec<String> =
        (0..60).map(|n| format!(r#"{{"host":"a","ts":{},"v":{n}}}"#, 1_720_474_440 + n)).collect();
    let (status, said) =
        Folder::new("complete", &records).run(&["init", "r.jsonl", "--topic", "t", "-o", "-"]);
    assert_eq!((status, said.lines().count()), (Some(0), 2), "{said}");
}

#[test]
fn records_that_are_encoded_twice_are_refused_with_the_reason() {
    let records =
        [1, 2].map(|n| serde_json::Value::from(format!(r#"{{"a":{n},"ts":1720474474}}"#)).to_string());
    let folder = Folder::new("twice", &records);
    let (status, said) = folder.run(&["init", "r.jsonl", "-o", "-"]);
    assert_eq!(status, Some(1), "{said}");
    let want = r#"the 2 records of r.jsonl: the records are JSON strings that hold JSON, such as "{\"a\":1,\"ts\":1720474474}""#;
    assert!(said.contains(want), "{said}");
    assert!(
        said.contains("the producer encodes each record twice, so let it send the object itself"),
        "{said}"
    );
    // `map` does not advise `query`, which cannot read such a text.
    fs::write(
        folder.0.join("bridge.toml"),
        "[kafka]\nbrokers = ['b:1']\ntopics = ['t']\n[influx]\nurl = 'http://i:1'\napi = 'v1'\ndatabase = 'd'\n",
    )
    .unwrap();
    let (_, said) = folder.run(&["map", "r.jsonl"]);
    assert!(said.contains("a string is no object") && !said.contains("`query`"), "{said}");
    assert!(said.contains("a producer that encodes JSON twice should send the object itself"), "{said}");
}
