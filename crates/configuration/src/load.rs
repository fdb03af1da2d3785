//! Finds, reads and checks a configuration file.

use super::findings::{Context, Secrets};
use super::interpolate::Surroundings;
use super::report::{ConfigErrors, Problem};
use super::section::Section;
use super::source::{Source, Span};
use super::syntax::Repeated;
use super::{
    Config, admin, batch, dead_letter, influx, kafka, keys, log, mapping, mask, other_files, reject,
    schema_registry, summary, syntax,
};
use engine::dead_letter::DeadLetterStore;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::de::DeTable;

/// The files that are tried if the command line names none.
pub const SEARCHED: [&str; 2] = ["bridge.toml", "/etc/kafka-influx-bridge/bridge.toml"];

/// A checked configuration with its warnings and summaries.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Problem>,
    /// One sentence for each mapping, and one for rejected records.
    pub summaries: Vec<String>,
}

#[derive(Debug, Error)]
#[error(
    "no configuration file: looked for {}; name one with --config FILE, or write one with `kafka-influx-bridge init` or `kafka-influx-bridge migrate`",
    shown(.looked_for)
)]
pub struct NotFound {
    pub looked_for: Vec<PathBuf>,
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

/// The named file, or the first of [`SEARCHED`] that exists.
///
/// # Errors
/// No file exists; the error has all names that were tried.
pub fn find(named: Option<&Path>) -> Result<PathBuf, NotFound> {
    let searched: Vec<PathBuf> = match named {
        Some(path) => vec![path.to_owned()],
        None => SEARCHED.iter().map(PathBuf::from).collect(),
    };
    match searched.iter().find(|path| path.exists()) {
        Some(path) => Ok(path.clone()),
        None => Err(NotFound { looked_for: searched }),
    }
}

/// The checked configuration of a file.
///
/// # Errors
/// Every error of the file.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    load_with_warnings(path).map(|loaded| loaded.config)
}

/// The checked configuration of a file, with warnings and summaries.
///
/// # Errors
/// Every error of the file.
pub fn load_with_warnings(path: &Path) -> Result<Loaded, ConfigErrors> {
    load_file(path, Secrets::Needed)
}

/// Like [`load`], for commands that need no login: missing variables and files leave their secrets empty.
///
/// # Errors
/// Every other error of the file.
pub fn load_without_secrets(path: &Path) -> Result<Config, ConfigErrors> {
    load_file(path, Secrets::Optional).map(|loaded| loaded.config)
}

fn load_file(path: &Path, secrets: Secrets) -> Result<Loaded, ConfigErrors> {
    let refuse = |message: String| ConfigErrors::of_file(path, message);
    let bytes = std::fs::read(path).map_err(|error| refuse(unreadable(path, &error)))?;
    let text = as_text(&bytes).map_err(refuse)?;
    if let Some(why) = other_files::recognized(path, text) {
        return Err(refuse(why));
    }
    // A command without secrets reads no records, or reports itself that its client cannot connect.
    let has_kafka_tls = ::kafka::HAS_TLS || secrets == Secrets::Optional;
    parse_with(path, text, &|name| std::env::var(name).ok(), secrets, has_kafka_tls)
}

/// The error for a file that can't be read, with the remedy.
fn unreadable(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::IsADirectory => {
            format!("it is a folder: name a file, such as {}", path.join("bridge.toml").display())
        }
        io::ErrorKind::PermissionDenied => {
            let user = user().map_or_else(|| "this user".to_owned(), |user| format!("the user {user}"));
            format!(
                "{user} can't read it: let this user read it with `chmod` or `chown`, or run the program as its owner"
            )
        }
        _ => format!("it can't be read: {error}"),
    }
}

/// The user of this process, as `bridge (uid 999)`.
fn user() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    });
    Some(name.map_or_else(|| format!("with uid {uid}"), |name| format!("{name} (uid {uid})")))
}

fn as_text(bytes: &[u8]) -> Result<&str, String> {
    let line_of = |at: usize| bytes.get(..at).unwrap_or_default().split(|byte| *byte == b'\n').count();
    if bytes.starts_with(&[0x1F, 0x8B]) {
        return Err("it is gzip: unpack it, such as with `gunzip`".to_owned());
    }
    // The zero bytes of UTF-16 without a byte order mark are valid UTF-8.
    if matches!(bytes, [0, _, ..] | [_, 0, ..]) {
        return Err(UTF_16.to_owned());
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0).filter(|_| !has_utf16_mark(bytes)) {
        let line = line_of(at);
        return Err(format!(
            "line {line} has a zero byte (NUL), and a configuration is text: remove the byte"
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.valid_up_to());
        if has_utf16_mark(bytes) {
            UTF_16.to_owned()
        } else {
            format!("line {line} is not UTF-8 text: save the file as UTF-8")
        }
    })
}

const UTF_16: &str = "it is UTF-16 text: save it as UTF-8";

fn has_utf16_mark(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

/// Checks the text of a configuration file. `env` returns the value of a variable. The text may want TLS towards Kafka also where
/// this build has none.
///
/// # Errors
/// Every error of the text.
pub fn parse(file: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigErrors> {
    parse_with(file, text, env, Secrets::Needed, true)
}

/// Like [`load_without_secrets`], for a text that is not in a file yet.
///
/// # Errors
/// Every other error of the text.
pub fn parse_without_secrets(file: &Path, text: &str) -> Result<Loaded, ConfigErrors> {
    parse_with(file, text, &|name| std::env::var(name).ok(), Secrets::Optional, true)
}

/// `has_kafka_tls`: whether the file may use TLS, SCRAM and OAUTHBEARER towards Kafka.
pub(super) fn parse_with(
    file: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    secrets: Secrets,
    has_kafka_tls: bool,
) -> Result<Loaded, ConfigErrors> {
    let mut source = Source::new(text);
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let table = table.get_ref();
    source.mask(mask::secret_values(source.text(), table));
    if !errors.is_empty() {
        source.mask(mask::secret_lines(source.text()));
    }
    let syntax = syntax::explain(&source, table, &errors);
    // A name without a folder is in the current one.
    let folder = file.parent().unwrap_or(Path::new(""));
    let context = Context::new(Surroundings { env, folder }, secrets, has_kafka_tls);
    let read = if syntax.misplaced {
        None
    } else if syntax.repeated.is_empty() {
        read_content(&context, table)
    } else {
        read_repeated(&context, source.text(), &syntax.repeated);
        None
    };
    let mut findings = context.findings(file, &source, &syntax);
    let problem = |(span, message): &(_, String)| Problem::at(file, &source, span, message.as_str());
    findings.errors.extend(syntax.errors.iter().map(problem));
    findings.errors.sort_by_key(|problem| problem.place);
    match read {
        Some((config, summaries)) if findings.errors.is_empty() => {
            Ok(Loaded { config, warnings: findings.warnings, summaries })
        }
        _ => Err(ConfigErrors {
            file: file.display().to_string(),
            errors: findings.errors,
            warnings: findings.warnings,
        }),
    }
}

/// Reports the errors of a file in which tables are repeated: first those of the file without the repeated tables, then those of each
/// repeated table instead of its first occurrence.
fn read_repeated(context: &Context<'_>, text: &str, repeated: &[Repeated]) {
    let all: Vec<&Span> = repeated.iter().map(|table| &table.span).collect();
    read_without(context, text, &all);
    for table in repeated.iter().take(REPEATED_MAX) {
        let alone = Context::new(context.around, context.secrets, context.has_kafka_tls);
        let others = all.iter().copied().chain(&table.others).filter(|other| **other != table.span);
        read_without(&alone, text, &others.collect::<Vec<_>>());
        context.add_within(&alone, &table.span);
    }
}

/// Repeated tables that are read. A file with more needs another look anyway.
const REPEATED_MAX: usize = 20;

/// Reads the text with these parts blanked, so that all places stay the same.
fn read_without(context: &Context<'_>, text: &str, parts: &[&Span]) {
    let is_in_part = |at: usize| parts.iter().any(|part| part.contains(&at));
    let mut blanked = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c == '\n' || !is_in_part(at) {
            blanked.push(c);
        } else {
            blanked.extend(std::iter::repeat_n(' ', c.len_utf8()));
        }
    }
    // Syntax errors are reported for the whole text.
    let (table, _) = DeTable::parse_recoverable(&blanked);
    let _without_values = read_content(context, table.get_ref());
}

/// Reads every table before the first error ends it, so that all errors are found.
fn read_content(context: &Context<'_>, table: &DeTable<'_>) -> Option<(Config, Vec<String>)> {
    let top = Section::top(context, &keys::TOP, table);
    let mut kafka = kafka::read(top);
    let influx = influx::read(top);
    let schema_registry = schema_registry::read(top);
    let mappings = mapping::read_all(top, influx.as_ref(), kafka.as_ref());
    let api = influx.as_ref().and_then(|influx| influx.defaults.api);
    let (batch, batch_summary, has_memory_max) = batch::read(top, api);
    let reject = reject::read(top);
    let dead_letter = dead_letter::read(top, kafka.as_ref());
    if let (Some(read), Some(DeadLetterStore::Topic(topic))) = (&mut kafka, &dead_letter) {
        read.kafka.topics.excluded = Some(topic.clone());
    }
    let admin = admin::read(top);
    let log = log::read(top);
    let shutdown_max = top.duration_or_default("shutdown_max");
    let (mappings, mut summaries) = mappings?;
    summaries.extend(summary::of_dots(&mappings));
    summaries.push(summary::of_dead_letter(dead_letter.as_ref()));
    summaries.extend(batch_summary);
    summaries.extend(summary::of_changes(&mappings, has_memory_max));
    let influx = influx?;
    let config = Config {
        kafka: kafka?.kafka,
        mappings,
        schema_registry,
        influx: influx.connection?,
        destinations_max: influx.destinations_max,
        batch,
        reject,
        dead_letter,
        admin,
        log,
        shutdown_max,
    };
    Some((config, summaries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_file_has_a_remedy() {
        let f = |kind: io::ErrorKind| unreadable(Path::new("/tmp"), &kind.into());
        assert_eq!(f(io::ErrorKind::IsADirectory), "it is a folder: name a file, such as /tmp/bridge.toml");
        let denied = f(io::ErrorKind::PermissionDenied);
        assert!(
            denied.starts_with("the user ") && denied.contains("can't read it: let this user read it"),
            "{denied}"
        );
        assert!(denied.contains("uid "), "{denied}");
        assert!(f(io::ErrorKind::NotFound).starts_with("it can't be read: "));
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let f = |bytes: &[u8], want: &str| assert_eq!(as_text(bytes).unwrap_err(), want);
        f(b"\x1f\x8b\x08\0", "it is gzip: unpack it, such as with `gunzip`");
        f(b"\xff\xfe[\0", UTF_16);
        f(b"[\0k\0]\0", UTF_16);
        f(b"\0[\0k\0]", UTF_16);
        f(
            b"[kafka]\nbrokers\0 = 'a'",
            "line 2 has a zero byte (NUL), and a configuration is text: remove the byte",
        );
        f(b"a\n\xe9", "line 2 is not UTF-8 text: save the file as UTF-8");
    }
}
