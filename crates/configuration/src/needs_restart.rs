//! The differences between two configurations, and whether a running process can apply them.

use super::Config;
use super::keys::TABLES;
use std::fmt;
use thiserror::Error;

/// Names of the changed parts of a configuration, all of which a running process can apply. Empty if nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveChanges(Vec<&'static str>);

/// Keys that a process reads only when it starts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} changed: restart the bridge to apply it; until then nothing of the new configuration is used", .keys.join(", "))]
pub struct NeedsRestart {
    pub keys: Vec<String>,
}

impl Config {
    /// The differences between this configuration and `new`.
    ///
    /// # Errors
    /// A difference that needs a restart. Nothing of `new` may be applied then: half of a configuration is one that nobody wrote.
    pub fn changes_to(&self, new: &Self) -> Result<LiveChanges, NeedsRestart> {
        let mut changes = Vec::new();
        let mut restarts = Vec::new();
        for table in TABLES {
            for key in table.keys {
                if key.restart.is_some_and(|differs| differs(self, new)) {
                    restarts.push(format!("{}.{}", table.name, key.name));
                }
            }
            for part in table.reload.iter().filter(|part| (part.differs)(self, new)) {
                if part.needs_restart {
                    restarts.push(part.name.to_owned());
                } else {
                    changes.push(part.name);
                }
            }
        }
        if restarts.is_empty() { Ok(LiveChanges(changes)) } else { Err(NeedsRestart { keys: restarts }) }
    }
}

impl LiveChanges {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for LiveChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;
    use crate::folder::Folder;
    use std::path::Path;

    const TEXT: &str = "[kafka]\nbrokers = 'b:1'\ntopics = ['t', '^x']\n[influx]\nurl = 'http://i:1'\norg = 'o'\nbucket = 'b'\ntoken = 't'\n\
        [admin]\nlisten = '127.0.0.1:1'\n[[mapping]]\ntag_keys = ['a*']\n[dead_letter]\nfile = 'f'\n[log]\nlevel = 'info'\n";

    fn parse(text: &str) -> Config {
        crate::parse(Path::new("f"), text, &|_| None).map_err(|errors| errors.to_string()).unwrap().config
    }

    #[test]
    fn differences_are_named_by_part_or_by_key() {
        let f = |from: &str, to: &str, want: Result<&str, &[&str]>| {
            let text = TEXT.replacen(from, to, 1);
            assert!(text != TEXT || from == to, "{from}");
            let got = parse(TEXT).changes_to(&parse(&text));
            let got = got.map(|changes| changes.to_string()).map_err(|needs| needs.keys);
            let want = want
                .map(str::to_owned)
                .map_err(|keys| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
            assert_eq!(got, want, "{from} -> {to}");
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
        f("127.0.0.1:1", "127.0.0.1:2", Err(&["admin.listen"]));
        f("level = 'info'", "format = 'json'", Err(&["log.format"]));
        f("file = 'f'", "file = 'f'\nfile_bytes_max = '5MB'", Err(&["dead_letter.file_bytes_max"]));
        f(
            "file = 'f'",
            "topic = 'd'",
            Err(&["dead_letter.topic (beside a regular expression in kafka.topics)"]),
        );
    }

    #[test]
    fn certificate_files_count_as_a_difference() {
        let folder = Folder::new();
        let file = folder.write("ca.pem", "");
        let text = TEXT.replace("[admin]", &format!("tls.ca_file = '{}'\n[admin]", file.display()));
        assert_eq!(parse(&text).changes_to(&parse(&text)).unwrap().to_string(), "influx");
    }

    #[test]
    fn new_content_of_a_secret_file_is_a_difference() {
        let folder = Folder::new();
        let file = folder.write("token", "old");
        let text = TEXT.replace("token = 't'", &format!("token = '${{file:{}}}'", file.display()));
        let before = parse(&text);
        assert!(before.changes_to(&parse(&text)).unwrap().is_empty());
        folder.write("token", "new");
        assert_eq!(before.changes_to(&parse(&text)).unwrap().to_string(), "influx");
    }

    #[test]
    fn another_token_endpoint_needs_a_restart() {
        let text = |scope: &str, file: &str| {
            let sasl = format!(
                "sasl = {{ mechanism = 'OAUTHBEARER', token_endpoint = 'https://i/t', client_id = 'c', client_secret = '{file}', scope = '{scope}' }}\n[influx]"
            );
            TEXT.replace("[influx]", &sasl)
        };
        let needs = Err(vec!["kafka.tls, kafka.sasl or kafka.librdkafka".to_owned()]);
        let f = |old: &Config, new: &Config| {
            old.changes_to(new).map(|changes| changes.to_string()).map_err(|needs| needs.keys)
        };
        assert_eq!(f(&parse(&text("a", "s")), &parse(&text("b", "s"))), needs);
        assert_eq!(f(&parse(&text("a", "s")), &parse(&text("a", "t"))), needs);
        assert_eq!(f(&parse(&text("a", "s")), &parse(&text("a", "s"))), Ok(String::new()));
        let folder = Folder::new();
        let file = folder.write("secret", "old");
        let text = text("a", &format!("${{file:{}}}", file.display()));
        let before = parse(&text);
        folder.write("secret", "new");
        assert_eq!(f(&before, &parse(&text)), Ok(String::new()), "the client reads the file again");
    }
}
