//! `check`: lists all errors of the configuration, or describes what each mapping does.

use super::connect::{Tally, connect};
use super::exit::{CONNECTION_FAILED, WRONG};
use crate::terminal::{Colour, MayBeUnseen, Style};
use base::Api;
use base::text::counted;
use configuration::{Config, ConfigErrors, Loaded, Problem};
use engine::dead_letter::DeadLetterStore;
use influx::Client;
use kafka::{ClientKind, properties, why_no_client};
use rdkafka::consumer::BaseConsumer;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Prints errors and warnings to standard error. The description of the mappings, and the checks of `connects`, go to standard output.
#[must_use]
pub fn check(named: Option<&Path>, connects: bool) -> ExitCode {
    let (mut out, mut err) = (MayBeUnseen(io::stdout().lock()), MayBeUnseen(io::stderr().lock()));
    let style = connects.then(|| Style::of(&io::stdout()));
    ExitCode::from(check_to(named, style, &mut out, &mut err).unwrap_or(WRONG))
}

fn check_to(
    named: Option<&Path>,
    connects: Option<Style>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<u8> {
    let path = match configuration::find(named) {
        Ok(path) => path,
        Err(not_found) => {
            writeln!(err, "{not_found}")?;
            return Ok(WRONG);
        }
    };
    match configuration::load_with_warnings(&path) {
        Ok(loaded) => {
            // `connect` writes a trial file, and goes on with the servers.
            let folder_error = || folder_error(&loaded.config).filter(|_| connects.is_none());
            if let Some(why) = client_error(&loaded.config).or_else(folder_error) {
                show(&loaded.warnings, err)?;
                writeln!(err, "{}: {why}", path.display())?;
                return Ok(WRONG);
            }
            show_content(&loaded, out, err)?;
            let warnings = loaded.warnings.len();
            let Some(style) = connects else {
                writeln!(out, "{}: no errors{}", path.display(), with_warnings(warnings))?;
                out.flush()?;
                return Ok(0);
            };
            let tally = connect(&loaded.config, out, style)?;
            show_result(&path, tally, warnings, style, out)
        }
        Err(errors) => show_errors(&errors, err),
    }
}

/// The error of a file of dead letters whose folder is missing, which `run` would report at each rejected record only.
fn folder_error(config: &Config) -> Option<String> {
    let Some(DeadLetterStore::File { path, .. }) = &config.dead_letter else { return None };
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    (!folder.is_dir()).then(|| {
        format!(
            "`dead_letter.file` = \"{}\": the folder {} does not exist, and rejected records could not be kept: create the folder, or \
             correct the name, which begins in the working directory",
            path.display(),
            folder.display()
        )
    })
}

/// Validates the files of `[kafka.tls]`, `[schema_registry]` and `[influx.tls]` by creating clients, which do not connect.
fn client_error(config: &Config) -> Option<String> {
    let has_tls = config.kafka.properties.iter().any(|(name, _)| name.starts_with("ssl."));
    let kafka = has_tls.then(|| properties(&config.kafka, ClientKind::Unconnected).create::<BaseConsumer>());
    if let Some(Err(error)) = kafka {
        return Some(why_no_client(&error));
    }
    let registry =
        config.schema_registry.as_ref().and_then(|settings| schema_registry::Client::new(settings).err());
    let influx = || Client::new(&config.influx).err().map(|error| error.to_string());
    registry.map(|error| error.to_string()).or_else(influx)
}

fn show_content(loaded: &Loaded, out: &mut impl Write, err: &mut impl Write) -> io::Result<()> {
    show(&loaded.warnings, err)?;
    err.flush()?;
    let (kafka, influx) = (&loaded.config.kafka, &loaded.config.influx);
    let topics =
        kafka.topics.names.iter().cloned().chain(kafka.topics.patterns.iter().map(ToString::to_string));
    let topics: Vec<String> = topics.collect();
    let urls: Vec<&str> = influx.urls.iter().map(|url| url.as_str().trim_end_matches('/')).collect();
    writeln!(
        out,
        "from Kafka at {}: {} as group {}",
        kafka.brokers.join(", "),
        topics.join(", "),
        kafka.group_id
    )?;
    let api = match influx.api {
        Api::V1 => "v1",
        Api::V2 => "v2",
        Api::V3 => "v3",
    };
    writeln!(out, "to InfluxDB at {} (`api` {})", urls.join(", "), api)?;
    for summary in &loaded.summaries {
        writeln!(out, "{summary}")?;
    }
    out.flush()
}

fn with_warnings(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", {}", counted(count, "warning")) }
}

/// Prints the last line of `check --connect`: the result for file and servers.
fn show_result(
    path: &Path,
    tally: Tally,
    warnings: usize,
    style: Style,
    out: &mut impl Write,
) -> io::Result<u8> {
    let Tally { passed, warned, failed } = tally;
    let all = passed + warned + failed;
    let warnings = with_warnings(warnings + warned);
    let (word, colour, rest, status) = match failed {
        0 => ("PASSED", Colour::Green, counted(all, "check"), 0),
        _ => ("FAILED", Colour::Red, format!("{failed} of {}", counted(all, "check")), CONNECTION_FAILED),
    };
    writeln!(out, "{}: {}: {rest}{warnings}", path.display(), style.paint(colour, word))?;
    out.flush()?;
    Ok(status)
}

fn show_errors(errors: &ConfigErrors, err: &mut impl Write) -> io::Result<u8> {
    show(&errors.warnings, err)?;
    show(&errors.errors, err)?;
    writeln!(err, "{}: {}", errors.file, counted(errors.errors.len(), "error"))?;
    Ok(WRONG)
}

fn show(problems: &[Problem], err: &mut impl Write) -> io::Result<()> {
    problems.iter().try_for_each(|problem| writeln!(err, "{problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    /// Status, standard output and standard error for a file with this text.
    fn run(text: &str) -> (u8, String, String) {
        let folder = Folder::with_config(text);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status = check_to(Some(&folder.file("bridge.toml")), None, &mut out, &mut err).unwrap();
        let shown = format!("{}/", folder.path().display());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&shown, "");
        (status, text(out), text(err))
    }

    const VALID: &str = "[kafka]\nbrokers = 'a:1'\ntopics = 'metrics'\n\
        [influx]\nurl = 'http://h'\napi = 'v1'\ndatabase = 'd'\n";

    #[test]
    fn describes_the_mappings_of_a_valid_file() {
        let (status, out, err) = run(VALID);
        let summary = "from Kafka at a:1: metrics as group kafka-influx-bridge\n\
            to InfluxDB at http://h (`api` v1)\n\
            metrics -> database \"d\": measurement is the topic's name; no tags; time of the Kafka record, made distinct";
        let rest = "rejected and refused records are counted, logged and skipped: there is no [dead_letter]\n\
            [batch]: 5,000 lines a write, with a backlog up to 100,000 (no `lines_max`); \
            4MB a write, with a backlog up to 24MB, or 9.5MB at InfluxDB 3 and QuestDB (no `bytes_max`); 26MB for all batches (no `memory_max`)\n\
            changed since earlier builds: `memory_max` is 26MB by default (16MB before); \
            json: NaN and Infinity leave out their field, and a schema registry's frame is skipped (both rejected before); \
            json: compressed values are unpacked without `value_compression` (rejected before); \
            distinct_times: digits differ between topics (a replay across the update makes second points)";
        assert_eq!(
            (status, out, err.as_str()),
            (0, format!("{summary}\n{rest}\nbridge.toml: no errors\n"), "")
        );
    }

    #[test]
    fn names_with_dots_are_explained() {
        let mapping = "[[mapping]]\ntag_keys = ['meta.host', 'os.*', 'plain']\ntime_key = '$.a.b'\ntime_format = 'unix'\n";
        let (status, out, err) = run(&format!("{VALID}{mapping}"));
        let want = "\n\"meta.host\" is a key with dots in its name; the value in nested objects is \"meta_host\" or \"$.meta.host\"\n\
                    \"os.*\" is a key with dots in its name; the value in nested objects is \"os_*\"\nrejected and";
        assert!(status == 0 && out.contains(want), "{out}{err}");
        assert!(!run(VALID).1.contains("dots"));
    }

    #[test]
    fn warnings_are_not_errors() {
        let (status, out, err) = run(&format!("{VALID}[[mapping]]\ntimezone = 'UTC'\n"));
        assert_eq!(status, 0);
        assert!(out.ends_with("bridge.toml: no errors, 1 warning\n"), "{out}");
        assert!(err.starts_with("bridge.toml:9:12: warning: without `time_key`"), "{err}");
    }

    #[test]
    fn a_missing_folder_of_dead_letters_is_an_error() {
        let (status, out, err) = run(&format!("{VALID}[dead_letter]\nfile = '/nowhere/letters.jsonl'\n"));
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains("bridge.toml: `dead_letter.file` = \"/nowhere/letters.jsonl\": the folder /nowhere does not exist"), "{err}");
        assert_eq!(run(&format!("{VALID}[dead_letter]\nfile = 'letters.jsonl'\n")).0, 0);
        assert_eq!(run(&format!("{VALID}[dead_letter]\nfile = '/tmp/letters.jsonl'\n")).0, 0);
    }

    #[test]
    fn lists_all_errors_and_their_number() {
        let (status, out, err) = run(&VALID.replace("brokers", "borkers").replace("'v1'", "'v9'"));
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(
            err.starts_with(
                "bridge.toml:2:1: unknown key \"borkers\" in [kafka]; did you mean \"brokers\"?\n  |\n"
            ),
            "{err}"
        );
        assert!(err.ends_with("\nbridge.toml: 2 errors\n"), "{err}");
        assert!(run(&VALID.replace("brokers", "borkers")).2.ends_with("\nbridge.toml: 1 error\n"));
    }

    #[test]
    fn ends_with_one_verdict() {
        let f = |passed: usize, warned: usize, failed: usize, want: (u8, &str)| {
            let mut out = Vec::new();
            let tally = Tally { passed, warned, failed };
            let status = show_result(Path::new("b.toml"), tally, 1, Style::default(), &mut out).unwrap();
            assert_eq!((status, String::from_utf8(out).unwrap().as_str()), want);
        };
        f(7, 0, 0, (0, "b.toml: PASSED: 7 checks, 1 warning\n"));
        f(7, 2, 0, (0, "b.toml: PASSED: 9 checks, 3 warnings\n"));
        f(7, 2, 1, (1, "b.toml: FAILED: 1 of 10 checks, 3 warnings\n"));
    }

    #[test]
    fn names_the_missing_file() {
        let mut err = Vec::new();
        let status = check_to(Some(Path::new("/nowhere/b.toml")), None, &mut io::sink(), &mut err).unwrap();
        assert_eq!(status, 2);
        assert!(
            err.starts_with(
                b"no configuration file: looked for /nowhere/b.toml; name one with --config FILE"
            )
        );
    }
}
