//! What another configuration changes, and whether a process that runs can take it up.

use super::Config;
use engine::Mapping;
use engine::dead_letter::Store;
use kafka::Settings;
use std::fmt;
use thiserror::Error;

/// The sections that differ, by name. None: nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<&'static str>);

/// Keys that a process takes up only when it starts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} changed: restart the bridge to apply it; until then nothing of the new configuration is used", .keys.join(", "))]
pub struct NeedsRestart {
    pub keys: Vec<&'static str>,
}

impl Config {
    /// What `new` changes.
    ///
    /// # Errors
    /// Something that wants a restart. Then nothing of it is to be applied: half of a configuration is one that nobody wrote.
    pub fn changes_to(&self, new: &Self) -> Result<Changes, NeedsRestart> {
        let keys = self.keys_of_start(new);
        if !keys.is_empty() {
            return Err(NeedsRestart { keys });
        }
        let sections = [
            (
                "mapping",
                self.of_mappings(|m| (&m.topics, &m.rules)) != new.of_mappings(|m| (&m.topics, &m.rules)),
            ),
            ("destination", self.of_mappings(|m| &m.destination) != new.of_mappings(|m| &m.destination)),
            ("influx", self.influx != new.influx || new.reads_files_of_influx()),
            ("batch", self.batch != new.batch),
            ("reject", self.reject != new.reject),
            ("dead_letter", self.dead_letter != new.dead_letter),
            ("log", self.log != new.log),
            ("shutdown_max", self.shutdown_max != new.shutdown_max),
        ];
        Ok(Changes(sections.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()))
    }

    fn of_mappings<'a, T>(&'a self, part: impl Fn(&'a Mapping) -> T) -> Vec<T> {
        self.mappings.iter().map(part).collect()
    }

    /// What stands in files of certificates is not known here, and they are read with each new client.
    fn reads_files_of_influx(&self) -> bool {
        let tls = &self.influx.tls;
        [&tls.ca_file, &tls.cert_file, &tls.key_file].into_iter().any(Option::is_some)
    }

    fn keys_of_start(&self, new: &Self) -> Vec<&'static str> {
        let mut keys = client_keys(&self.kafka, &new.kafka);
        let others = [
            ("admin", self.admin != new.admin),
            ("log.format", self.log.format != new.log.format),
            ("dead_letter.file_bytes_max", self.file_changes_size(new)),
        ];
        keys.extend(others.into_iter().filter_map(|(key, differs)| differs.then_some(key)));
        keys
    }

    /// The file stays open, with the size it was opened for.
    fn file_changes_size(&self, new: &Self) -> bool {
        match (&self.dead_letter, &new.dead_letter) {
            (
                Some(Store::File { path, bytes_max }),
                Some(Store::File { path: new_path, bytes_max: new_bytes_max }),
            ) => path == new_path && bytes_max != new_bytes_max,
            _ => false,
        }
    }
}

/// Of the client and its membership, which go on as they are.
fn client_keys(old: &Settings, new: &Settings) -> Vec<&'static str> {
    // Patterns leave the dead-letter topic out; where all topics are named it makes no difference.
    let (mut topics, mut new_topics) = (old.topics.clone(), new.topics.clone());
    let excludes = !topics.patterns.is_empty() && !new_topics.patterns.is_empty();
    let other_excluded = excludes && topics.excluded != new_topics.excluded;
    (topics.excluded, new_topics.excluded) = (None, None);
    let is_same_login = match (&old.oauth, &new.oauth) {
        (None, None) => true,
        (Some(old), Some(new)) => old.is_same(new),
        _ => false,
    };
    let keys = [
        ("kafka.brokers", old.brokers != new.brokers),
        ("kafka.topics", topics != new_topics),
        ("dead_letter.topic (beside a regular expression in kafka.topics)", other_excluded),
        ("kafka.group_id", old.group_id != new.group_id),
        ("kafka.client_id", old.client_id != new.client_id),
        ("kafka.offset_reset", old.offset_reset != new.offset_reset),
        ("kafka.instance_id", old.instance_id != new.instance_id),
        ("kafka.consumers", old.consumers != new.consumers),
        ("kafka.record_bytes_max", old.record_bytes_max != new.record_bytes_max),
        ("kafka.tls, kafka.sasl or kafka.librdkafka", old.properties != new.properties || !is_same_login),
    ];
    keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}
impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use std::path::Path;

    const TEXT: &str = "[kafka]\nbrokers = 'b:1'\ntopics = ['t', '^x']\n[influx]\nurl = 'http://i:1'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n\
        [admin]\nlisten = '127.0.0.1:1'\n[[mapping]]\ntag_keys = ['a*']\n[dead_letter]\nfile = 'f'\n[log]\nlevel = 'info'\n";

    fn parse(text: &str) -> Config {
        crate::parse(Path::new("f"), text, &|_| None).map_err(|errors| errors.to_string()).unwrap().config
    }

    #[test]
    fn names_what_changed() {
        let f = |from: &str, to: &str, want: Result<&str, &[&str]>| {
            let text = TEXT.replacen(from, to, 1);
            assert!(text != TEXT || from == to, "{from}");
            let got = parse(TEXT).changes_to(&parse(&text));
            let got = got.map(|changes| changes.to_string()).map_err(|needs| needs.keys);
            assert_eq!(got, want.map(str::to_owned).map_err(<[_]>::to_vec), "{from} -> {to}");
        };
        f("", "", Ok(""));
        f("[kafka]", "# A remark.\n[kafka]", Ok(""));
        f("'a*'", "'a*', 'b'", Ok("mapping"));
        f("tag_keys", "tags.x = 'y'\ntag_keys", Ok("mapping"));
        f("bucket = 'b'", "bucket = 'c'", Ok("destination"));
        f("token = 't'", "token = 'u'", Ok("influx"));
        f("[admin]", "[batch]\nlines_max = 1\n[reject]\nrate_max = 0.5\n[admin]", Ok("batch, reject"));
        f("file = 'f'", "file = 'g'", Ok("dead_letter"));
        f("info", "debug", Ok("log"));
        f("[kafka]", "shutdown_max = '1s'\n[kafka]", Ok("shutdown_max"));
        f("'b:1'", "'c:1'", Err(&["kafka.brokers"]));
        f("'^x'", "'^y'", Err(&["kafka.topics"]));
        f(
            "topics =",
            "group_id = 'g'\nrecord_bytes_max = '2MB'\ntopics =",
            Err(&["kafka.group_id", "kafka.record_bytes_max"]),
        );
        f(
            "[influx]",
            "librdkafka.'fetch.min.bytes' = 2\n[influx]",
            Err(&["kafka.tls, kafka.sasl or kafka.librdkafka"]),
        );
        f("127.0.0.1:1", "127.0.0.1:2", Err(&["admin"]));
        f("level = 'info'", "format = 'json'", Err(&["log.format"]));
        f("file = 'f'", "file = 'f'\nfile_bytes_max = '5MB'", Err(&["dead_letter.file_bytes_max"]));
        f(
            "file = 'f'",
            "topic = 'd'",
            Err(&["dead_letter.topic (beside a regular expression in kafka.topics)"]),
        );
    }

    #[test]
    fn certificates_are_read_again_each_time() {
        let file =
            std::env::temp_dir().join(format!("changes-{}-{:x}", std::process::id(), fastrand::u64(..)));
        std::fs::write(&file, "").unwrap();
        let text = TEXT.replace("[admin]", &format!("tls.ca_file = '{}'\n[admin]", file.display()));
        assert_eq!(parse(&text).changes_to(&parse(&text)).unwrap().to_string(), "influx");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_secret_of_a_file_that_changed_is_a_change() {
        let file =
            std::env::temp_dir().join(format!("changes-{}-{:x}", std::process::id(), fastrand::u64(..)));
        let text = TEXT.replace("token = 't'", &format!("token = '${{file:{}}}'", file.display()));
        std::fs::write(&file, "old").unwrap();
        let before = parse(&text);
        assert!(before.changes_to(&parse(&text)).unwrap().is_empty());
        std::fs::write(&file, "new").unwrap();
        assert_eq!(before.changes_to(&parse(&text)).unwrap().to_string(), "influx");
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn another_token_source_needs_a_restart_and_a_rotated_token_file_does_not() {
        let file =
            std::env::temp_dir().join(format!("changes-{}-{:x}", std::process::id(), fastrand::u64(..)));
        let with = |token: &str| {
            let sasl = format!("[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken = '{token}'\n[influx]");
            parse(&TEXT.replace("[influx]", &sasl))
        };
        std::fs::write(&file, "old").unwrap();
        let from_file = format!("${{file:{}}}", file.display());
        let before = with(&from_file);
        std::fs::write(&file, "new").unwrap();
        assert!(before.changes_to(&with(&from_file)).unwrap().is_empty());
        for other in ["other", &format!("{from_file}'\nextensions.a = 'b")] {
            let refused = before.changes_to(&with(other)).map_err(|needs| needs.keys);
            assert_eq!(refused.err().unwrap(), ["kafka.tls, kafka.sasl or kafka.librdkafka"], "{other}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
