//! Documents are true: paths, commands, configurations, messages and tests that they name exist.

use crate::folder::Folder;
use crate::pages::{self, Block};
use line_protocol::reader::{LineError, Reason as LineReason};
use mapping::decode::{Syntax, SyntaxError};
use mapping::{Beginning, Format, Reason, Rejection};
use std::path::{Path, PathBuf};

/// Pages whose records, configurations and points `tests/hermetic/shapes.rs` compares.
const COMPARED: [&str; 3] = ["docs/cookbook.md", "docs/shapes.md", "docs/time-formats.md"];
/// Pages whose commands `tests/live/guide.rs` runs on real servers.
const RUN_WITH_SERVERS: &str = "tests/live/guide.rs";
/// Pages whose commands repeat their measurements on real servers.
const MEASUREMENTS: [&str; 2] = ["docs/benchmarks.md", "docs/faults.md"];
/// Pages whose commands need no server.
const RUN_WITHOUT_SERVERS: [&str; 4] =
    ["docs/dead-letters.md", "docs/lab.md", "docs/lab.ko.md", "docs/logstash.md"];

/// The pages of the site, which `docs/SUMMARY.md` lists.
fn pages() -> Vec<String> {
    let files = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let documents = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<String> =
        documents.map(|path| format!("docs/{}", path.file_name().unwrap().display())).collect();
    pages.sort();
    assert!(pages.len() > 30, "{pages:?}");
    pages
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The contents of fenced blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The anchors that browsers and GitHub give to the headings of a document.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|rest| rest.trim_start_matches('#').trim());
    titles.map(|title| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// The Rust files of a folder, with their text.
fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    fn add(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    let mut files = Vec::new();
    add(&root().join(folder), &mut files);
    files
}

/// All source text, with continued strings joined.
fn sources() -> String {
    let all: String = ["src", "crates"].into_iter().flat_map(rust_files).map(|(_, text)| text).collect();
    let mut joined = String::new();
    for part in all.split("\\\n") {
        joined.push_str(if joined.is_empty() { part } else { part.trim_start() });
    }
    joined
}

#[test]
fn messages_in_troubleshooting_exist_in_the_program() {
    let sources = sources();
    let text = read("docs/troubleshooting.md");
    let messages: Vec<&str> = message_headings(&text).filter_map(|line| line.split('"').nth(1)).collect();
    assert!(messages.len() >= 8 && messages.contains(&"topic blocked"), "{messages:?}");
    for message in messages {
        for part in message.split('…') {
            assert!(sources.contains(part), "the bridge does not say {part:?}");
        }
    }
    // Messages of rejections are composed of several texts.
    let texts = sources.replace("\\\"", "\"") + &composed_rejections().join("\n");
    let formats = read("docs/formats.md");
    let rejections = messages_of_tables(&formats);
    assert!(rejections.len() >= 35, "{rejections:#?}");
    for message in rejections {
        let is_variable = |c: char| c == '…' || c.is_ascii_digit();
        let parts = message.split(is_variable).map(str::trim).filter(|part| part.len() > 3);
        // A placeholder, or what stands in its place, is between the parts.
        let parts: Vec<String> = parts.map(regex::escape).collect();
        let said = regex::Regex::new(&format!("(?s){}", parts.join(".{0,200}?"))).unwrap();
        assert!(
            !parts.is_empty() && said.is_match(&texts),
            "docs/formats.md: the bridge does not say {message:?}"
        );
    }
}

/// Texts of rejections that have another text in their middle.
fn composed_rejections() -> Vec<String> {
    let looks = Beginning::Other;
    let why = "the value is cut off";
    let of_line = |reason| Rejection::BadLine { line: 3, error: LineError { column: 1, reason } };
    let rejections = [
        Rejection::Row { line: 3, cells: 2, columns: 3 },
        Rejection::Unreadable { format: Format::Cbor.title(), why, at: 0, context: None },
        Rejection::Unfit { schema: None, why, at: 0, looks },
        Rejection::Unfit { schema: Some(7), why, at: 0, looks },
        Rejection::FieldType { schema: None, number: 3, written: "a varint", declared: "a double", at: 0 },
        Rejection::MessageIndex { schema: None, index: 2 },
        of_line(LineReason::MissingFields),
        of_line(LineReason::InvalidField),
        Rejection::StringTooLong { key: "value".to_owned(), bytes: 2 << 20 },
        SyntaxError { at: 5, why: Syntax::Value }.into(),
    ];
    rejections.iter().map(ToString::to_string).collect()
}

/// The messages in tables whose first column is called `message`. A cell may have several, and quotes inside of two backticks.
fn messages_of_tables(text: &str) -> Vec<String> {
    let tables = text.split("| message | meaning and remedy |\n").skip(1);
    let rows = tables.flat_map(|table| table.lines().skip(1).take_while(|line| line.starts_with('|')));
    let cells = rows.filter_map(|row| row.split(" | ").next()?.strip_prefix("| "));
    cells
        .flat_map(|cell| match cell.strip_prefix("``") {
            Some(quoted) => vec![quoted.trim_end_matches('`').trim().to_owned()],
            None => cell.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        })
        .collect()
}

fn message_headings(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("### \""))
}

#[test]
fn the_korean_page_has_a_heading_for_each_message() {
    let [english, korean] = ["docs/troubleshooting.md", "docs/troubleshooting.ko.md"].map(read);
    let headings = |text: &str| message_headings(text).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(headings(&korean), headings(&english));
}

#[test]
fn the_summary_lists_each_page_once() {
    let summary = read("docs/SUMMARY.md");
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut listed: Vec<String> = links.map(|page| format!("docs/{page}")).collect();
    listed.push("docs/SUMMARY.md".to_owned());
    listed.sort();
    assert_eq!(listed, pages());
}

/// Tables that a page leaves out are added, so that a fragment is checked like a whole file. Files of schemas do not exist here, and
/// those of certificates are empty.
#[test]
fn configurations_in_documents_are_valid() {
    let mut count = 0;
    let folder = Folder::new();
    for page in pages().into_iter().filter(|page| !COMPARED.contains(&page.as_str())) {
        let blocks = pages::blocks(&read(&page)).into_iter();
        let is_checked = |block: &Block| {
            block.language == "toml"
                && block.name.as_deref().is_none_or(|name| name == "bridge.toml")
                && !block.text.lines().any(|line| line.starts_with("schema = "))
        };
        for Block { text, .. } in blocks.filter(is_checked) {
            let given: toml::Table = text.parse().unwrap_or_else(|error| panic!("{page}: {error}\n{text}"));
            let mut whole = text.clone();
            for (table, keys) in [
                ("kafka", "brokers = ['b:1']\ntopics = ['^.+']"),
                ("influx", "url = 'http://h'\norg = 'o'\nbucket = 'b'\ntoken = 't'"),
            ] {
                if !given.contains_key(table) {
                    whole.push_str(&format!("\n[{table}]\n{keys}\n"));
                }
            }
            for line in whole.lines().filter(|line| line.split(' ').next().unwrap().ends_with("_file")) {
                folder.write(line.split('"').nth(1).unwrap(), "");
            }
            let loaded =
                configuration::parse(&folder.file("bridge.toml"), &whole, &|_| Some("text".to_owned()));
            assert!(loaded.is_ok(), "{page}: {}\n{text}", loaded.err().unwrap());
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} configurations were found");
}

#[test]
fn commands_of_each_page_are_executed_by_a_test() {
    let guide = read(RUN_WITH_SERVERS);
    for page in pages() {
        let has_commands = pages::blocks(&read(&page)).iter().any(|block| block.language == "sh");
        let name = page.strip_prefix("docs/").unwrap();
        let is_run = guide.contains(&format!("\"{name}\"")) || RUN_WITHOUT_SERVERS.contains(&page.as_str());
        let measures = MEASUREMENTS.contains(&page.as_str());
        assert!(!has_commands || is_run || measures, "no test runs the commands of {page}");
    }
}

/// A block marked `text` after commands is their output.
#[test]
fn commands_without_servers_have_the_documented_output() {
    for page in RUN_WITHOUT_SERVERS {
        let folder = Folder::new();
        let mut output = None;
        let program = Path::new(env!("CARGO_BIN_EXE_kafka-influx-bridge")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        for Block { name, language, text } in pages::blocks(&read(page)) {
            match (name, language.as_str()) {
                (Some(name), _) => drop(folder.write(&name, text)),
                (None, "sh") => {
                    let mut command = std::process::Command::new("bash");
                    command
                        .args(["-euo", "pipefail", "-c", &text])
                        .current_dir(folder.path())
                        .env("PATH", &path);
                    let run = command.output().unwrap();
                    assert!(run.status.success(), "{page}: {text}{}", String::from_utf8_lossy(&run.stderr));
                    output = Some(String::from_utf8(run.stdout).unwrap());
                }
                (None, "text") => {
                    if let Some(output) = output.take() {
                        assert_eq!(output, text, "{page}");
                    }
                }
                _ => {}
            }
        }
    }
}

/// The names of all causes of alarms, read from the functions and constants that define them.
fn alarm_causes() -> Vec<String> {
    let strings =
        |text: &str| -> Vec<String> { text.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    let of_function = |file: &str, head: &str| {
        let text = read(file);
        let body = text.split(head).nth(1).and_then(|rest| rest.split("\n    }\n").next());
        strings(body.unwrap_or_else(|| panic!("{file} has no {head}")))
    };
    let mut causes = of_function("crates/influx/src/cause.rs", "pub fn name(self)");
    causes.extend(of_function("crates/kafka/src/diagnosis/faults.rs", "pub fn name(self)"));
    causes.extend(of_function("crates/engine/src/dead_letter/error.rs", "pub fn cause_name(&self)"));
    // Literals, as in `cause: "stuck"`.
    for (_, text) in rust_files("crates").into_iter().filter(|(path, _)| !path.ends_with("alarm.rs")) {
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let literals = product.split("cause: \"").skip(1);
        causes.extend(literals.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    causes.extend([base::alarm::TOPIC_DENIED, "reject_rate", "no_destination"].map(str::to_owned));
    causes
}

#[test]
fn every_cause_of_an_alarm_is_documented_with_meaning_and_remedy() {
    let causes = alarm_causes();
    assert!(causes.len() > 35 && causes.iter().any(|cause| cause == "stuck"), "{causes:?}");
    for page in ["docs/troubleshooting.md", "docs/troubleshooting.ko.md"] {
        let text = read(page);
        let missing: Vec<&String> = causes.iter().filter(|cause| row_of(&text, cause, 3).is_none()).collect();
        assert!(missing.is_empty(), "{page} has no row for the causes {missing:?}");
    }
}

/// The cells of the row whose first cell has this word, all of them filled. A word such as `dead_letter_…` stands for all that begin so.
fn row_of<'t>(text: &'t str, word: &str, cells: usize) -> Option<Vec<&'t str>> {
    let is_named = |cell: &str| {
        cell.split('`').skip(1).step_by(2).any(|quoted| match quoted.strip_suffix('…') {
            Some(beginning) => word.starts_with(beginning),
            None => quoted == word,
        })
    };
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let mut rows = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    rows.find(|row| row.len() == cells && row.iter().all(|cell| !cell.is_empty()) && is_named(row[0]))
}

#[test]
fn every_reason_of_a_rejection_is_documented_with_a_remedy() {
    for page in ["docs/troubleshooting.md", "docs/troubleshooting.ko.md"] {
        let text = read(page);
        let names = Reason::ALL.map(Reason::name);
        let missing: Vec<&str> = names.into_iter().filter(|name| row_of(&text, name, 2).is_none()).collect();
        assert!(missing.is_empty(), "{page} has no row for the reasons {missing:?}");
    }
}

#[test]
fn paths_in_documents_exist() {
    let mut checked = 0;
    let pages = pages();
    for document in ["README.md", "ARCHITECTURE.md"].into_iter().chain(pages.iter().map(String::as_str)) {
        let text = read(document);
        let quoted = text.split('`').skip(1).step_by(2);
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let of_project = |path: &&str| {
            ["src/", "crates/", "tests/", "docker/", "examples/"].iter().any(|top| path.starts_with(top))
        };
        // Links are relative to the document.
        let folder = root().join(document).parent().unwrap().to_owned();
        let links = linked.filter(|link| !link.contains("://")).map(|link| {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = if path.is_empty() { root().join(document) } else { folder.join(path) };
            let has = |text: &str| headings(text).any(|found| found == heading);
            assert!(
                heading.is_empty() || has(&std::fs::read_to_string(&path).unwrap()),
                "{document}: {link}"
            );
            path
        });
        let paths: Vec<PathBuf> = quoted
            .filter(of_project)
            .map(|path| root().join(path.split(' ').next().unwrap()))
            .chain(links)
            .collect();
        checked += paths.len();
        for path in paths {
            assert!(path.exists(), "{document} names {}", path.display());
        }
    }
    assert!(checked > 300, "only {checked} paths were found");
}

/// Asserts that each test that a document names exists: `FILE NAME` is a test in that file, `tests/loss/run NAME` a scenario.
/// Returns the number of names.
fn assert_named_tests_exist(document: &str) -> usize {
    let text = read(document);
    let named = text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once(' '));
    let named: Vec<_> = named
        .filter(|(file, _)| ["tests/", "src/", "crates/"].iter().any(|top| file.starts_with(top)))
        .collect();
    for (file, name) in &named {
        let (file, head) =
            if *file == "tests/loss/run" { ("tests/loss/scenarios.py", "def") } else { (*file, "fn") };
        assert!(read(file).contains(&format!("{head} {name}(")), "{document} names {file} {name}");
    }
    named.len()
}

#[test]
fn tests_in_the_table_of_faults_exist() {
    assert!(assert_named_tests_exist("docs/faults.md") > 20);
}

#[test]
fn tests_of_the_bugs_found_exist() {
    assert!(assert_named_tests_exist("docs/bugs-found.md") > 40);
    let rows = read("docs/bugs-found.md");
    let rows = rows.lines().filter(|line| line.starts_with("| ") && line.contains(". | "));
    for row in rows {
        assert!(row.ends_with("` |") && row.contains(".rs "), "no test guards: {row}");
    }
}

/// Only `tests/support/seed.rs` reads a test's seed, because it prints the command that repeats the run.
#[test]
fn each_seed_is_printed_with_the_command_that_repeats_it() {
    let mut files = 0;
    for (path, text) in ["src", "crates", "tests"].into_iter().flat_map(rust_files) {
        if ["tests/hermetic/documents.rs", "tests/support/seed.rs"].iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let reads_seed = text.contains("SEED\"");
        let prints = ["seed::given_or_random(", "seed::Repeated::by("].iter().any(|call| text.contains(call));
        assert!(!reads_seed || prints, "{}: call tests/support/seed.rs for the seed", path.display());
        assert!(
            !text.contains("with_seed(fastrand::u64(..))"),
            "{}: the seed is not printed",
            path.display()
        );
        files += usize::from(reads_seed);
    }
    assert!(files >= 8, "only {files} files with seeds were found");
}

/// Each cause and reason in the tables exists in the program.
#[test]
fn causes_in_troubleshooting_exist_in_the_program() {
    let sources = sources();
    let text = read("docs/troubleshooting.md");
    let by_message = text.split("## By message").nth(1).unwrap();
    let cells = by_message.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let words: Vec<&str> =
        cells.flat_map(|cell| cell.split('`')).map(|word| word.trim_matches([' ', ','])).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    assert!(words.len() > 20, "{words:?}");
    for word in words {
        assert!(sources.contains(&format!("\"{word}\"")), "docs/troubleshooting.md names {word}");
    }
}

#[test]
fn the_first_configuration_is_valid() {
    let text = read("README.md");
    let [configuration] = &blocks(&text, "toml")[..] else { panic!("one configuration") };
    let env = |name: &str| (name == "INFLUX_TOKEN").then(|| "token".to_owned());
    let loaded = configuration::parse(Path::new("bridge.toml"), configuration, &env);
    assert!(loaded.is_ok(), "{:?}", loaded.err());
    let lines = configuration.lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 12, "a first configuration in ten lines, or about: {lines}");
}

#[test]
fn readme_gives_the_two_commands() {
    let commands = blocks(&read("README.md"), "sh").concat();
    for command in ["cargo run --profile try -- demo\n", "cargo test\n"] {
        assert!(commands.contains(command), "{command}");
    }
}

#[test]
fn architecture_is_read_in_one_sitting() {
    assert!(read("ARCHITECTURE.md").lines().count() <= 200);
}

/// A mutation must match the sources, and it must have been run, which writes its row.
#[test]
fn each_mutation_matches_the_sources_and_has_a_row() {
    let mutations: toml::Table = read("tests/mutations/mutations.toml").parse().unwrap();
    let mutations = mutations.get("mutation").and_then(toml::Value::as_array).unwrap();
    assert!(mutations.len() >= 25, "{} deliberate faults", mutations.len());
    let faults = read("docs/faults.md");
    for mutation in mutations {
        let text = |key: &str| mutation.get(key).and_then(toml::Value::as_str).unwrap();
        let (name, file) = (text("name"), text("file"));
        let times = read(file).matches(text("find")).count();
        assert_eq!(times, 1, "{name}: its text occurs {times} times in {file}");
        let row = format!("| {} | `{file}` |", text("breaks"));
        assert!(
            faults.contains(&row),
            "{name}: docs/faults.md has no row; write it with tests/mutations/run --write"
        );
    }
}

/// A test that was renamed would leave its old name in the table until the next run of all mutations.
#[test]
fn tests_that_catch_deliberate_faults_exist() {
    let faults = read("docs/faults.md");
    let (_, table) = faults.split_once("<!-- mutations").unwrap();
    let (table, _) = table.split_once("<!-- end of mutations -->").unwrap();
    let caught_by = table.lines().filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let tests: Vec<&str> = caught_by
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter_map(|path| path.rsplit("::").next())
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    assert!(tests.len() > 40, "only {} tests were found", tests.len());
    let sources: String =
        ["src", "crates", "tests"].into_iter().flat_map(rust_files).map(|(_, text)| text).collect();
    let missing: Vec<&&str> = tests.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/faults.md names tests that do not exist: {missing:#?}");
}
