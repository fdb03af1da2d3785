//! `migrate`: converts another tool's configuration to a bridge.toml.

use super::config_file::config_option;
use super::exit::{REJECTED, WRONG};
use crate::migrate_diff;
use crate::terminal::report;
use base::text::printable;
use migrate::{Bridge, Input, Machine, MigrateError, Migration, Note};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thiserror::Error;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub struct MigrateOptions {
    /// Files, and folders such as telegraf.d or conf.d with *.conf files; "-" is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File to write, or folder for bridge.toml; further files are written beside it; "-" is standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
    /// Write nothing, and show the points of the records in a file beside those of Telegraf, if Telegraf is installed (or
    /// named by the variable TELEGRAF); exit status 1 if points differ
    #[arg(long, value_name = "RECORDS", conflicts_with = "output")]
    diff: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum CommandError {
    #[error("{path} can't be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("{0} is UTF-16 text: save it as UTF-8")]
    Utf16(String),
    #[error("{0} is gzip: unpack it, such as with `gunzip`")]
    Gzip(String),
    #[error("the folder {0} does not exist: create it, or name another file with -o")]
    NoFolder(String),
    #[error("{0} has no file that ends in .conf: name a folder of configurations, or a file")]
    EmptyFolder(String),
    #[error("{0} exists already: name another file with -o, or overwrite it with --force")]
    Exists(String),
    #[error("{path} can't be written: {source}")]
    Write { path: String, source: io::Error },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Diff(#[from] migrate_diff::DiffError),
}

/// Writes the new configuration to standard output or files, and notes about differences to standard error.
#[must_use]
pub fn migrate(options: &MigrateOptions) -> ExitCode {
    match run(options) {
        Ok(status) => ExitCode::from(status),
        Err(CommandError::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let CommandError::Migrate(MigrateError::Nothing { notes, .. }) = &error {
                print_notes(notes);
            }
            for line in error.to_string().lines() {
                report!("{}", printable(line, 2_000));
            }
            ExitCode::from(WRONG)
        }
    }
}

fn run(options: &MigrateOptions) -> Result<u8, CommandError> {
    let files = inputs(&options.files)?;
    let migration = migrate::migrate(&files, &machine())?;
    if let Some(records) = &options.diff {
        print_notes(&migration.notes);
        let bytes = std::fs::read(records)
            .map_err(|source| CommandError::Read { path: records.display().to_string(), source })?;
        let same = migrate_diff::diff(&files, &machine(), &migration, &bytes, &mut io::stdout().lock())?;
        return Ok(if same { 0 } else { REJECTED });
    }
    let texts: Vec<String> = migration.bridges.iter().map(|bridge| bridge.draft.to_string()).collect();
    let file = options.output.as_deref().filter(|path| *path != Path::new("-"));
    let written = if let Some(path) = file {
        write_files(path, &texts, options.force)?
    } else {
        assert!(!texts.is_empty(), "a migration without a bridge is an error before");
        let text = texts.first().map(String::as_str).unwrap_or_default();
        let wrote = io::stdout().lock().write_all(text.as_bytes());
        wrote.map_err(|source| CommandError::Write { path: "standard output".to_owned(), source })?;
        Vec::new()
    };
    print(&migration, &texts, &written);
    Ok(0)
}

/// All files, and the `*.conf` files of folders, ordered by name.
fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let read = |source| CommandError::Read { path: path.display().to_string(), source };
        let entries = std::fs::read_dir(path).map_err(read)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut inside: Vec<PathBuf> = paths
            .map_err(read)?
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
            .collect();
        if inside.is_empty() {
            return Err(CommandError::EmptyFolder(path.display().to_string()));
        }
        inside.sort();
        files.extend(inside);
    }
    files.iter().map(|path| input(path)).collect()
}

fn input(path: &Path) -> Result<Input, CommandError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|source| CommandError::Read { path: path.display().to_string(), source })?;
    let name = path.display().to_string();
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(CommandError::Utf16(name));
    }
    if bytes.starts_with(&[0x1F, 0x8B]) {
        return Err(CommandError::Gzip(name));
    }
    if let Some(line) = line_without_utf8(&bytes) {
        report!(
            "{name}:{line}: this is not UTF-8 text, and the bridge would write other characters: save the file as UTF-8, and migrate it again"
        );
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Input { name, text })
}

/// The first line that is not UTF-8, such as one of Latin-1.
fn line_without_utf8(bytes: &[u8]) -> Option<usize> {
    let error = std::str::from_utf8(bytes).err()?;
    Some(bytes.get(..error.valid_up_to())?.split(|byte| *byte == b'\n').count())
}

fn machine() -> Machine {
    // Without a host name the migration asks the user to fill one in.
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let hostname = hostname.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Machine { hostname }
}

/// Writes the first text to `path` and the others beside it: bridge.toml, bridge-2.toml.
fn write_files(path: &Path, texts: &[String], force: bool) -> Result<Vec<PathBuf>, CommandError> {
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let folder = if is_folder { Some(path) } else { path.parent().filter(|folder| *folder != Path::new("")) };
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(CommandError::NoFolder(folder.display().to_string()));
    }
    let first = if path.is_dir() { path.join("bridge.toml") } else { path.to_owned() };
    let numbered = |number: usize| {
        // The path names a file, so it has a stem.
        let stem = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = first.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
        first.with_file_name(format!("{stem}-{number}{extension}"))
    };
    let paths: Vec<PathBuf> =
        (1..=texts.len()).map(|number| if number == 1 { first.clone() } else { numbered(number) }).collect();
    if let Some(existing) = paths.iter().find(|path| !force && path.exists()) {
        return Err(CommandError::Exists(existing.display().to_string()));
    }
    for (path, text) in paths.iter().zip(texts) {
        let write = |source| CommandError::Write { path: path.display().to_string(), source };
        let mut open = std::fs::OpenOptions::new();
        if force {
            open.create(true).truncate(true)
        } else {
            open.create_new(true)
        };
        open.write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(write)?;
    }
    Ok(paths)
}

fn print(migration: &Migration, texts: &[String], written: &[PathBuf]) {
    print_notes(&migration.notes);
    for path in written {
        report!("written: {}", path.display());
    }
    if written.is_empty() && texts.len() > 1 {
        report!(
            "this is the first of {} bridges, and each needs its own process: -o bridge.toml writes all of them",
            texts.len()
        );
    }
    for (number, (bridge, text)) in migration.bridges.iter().zip(texts).enumerate() {
        print_open(bridge, text, (migration.bridges.len() > 1).then_some(number + 1));
    }
    let option = written.first().map(|path| config_option(path.strip_prefix(".").unwrap_or(path)));
    if let Some(option) = option.filter(|option| !option.is_empty()) {
        report!("commands find bridge.toml by themselves; for this file add `{}`:", option.trim_start());
    }
    for line in &migration.cut_over {
        report!("{line}");
    }
}

fn print_notes(notes: &[Note]) {
    for note in notes {
        report!("{}", note.labelled());
    }
}

/// Prints what is left to do in one file: what the migration knows, and the errors that `check` would report.
fn print_open(bridge: &Bridge, text: &str, number: Option<usize>) {
    let bridge_number = number.map(|number| format!(" (bridge {number})")).unwrap_or_default();
    for key in &bridge.fill_in {
        report!("to fill in{bridge_number}: {}", printable(key, 500));
    }
    let (absent, wrong) = errors(text);
    let is_listed = |variable: &str| bridge.fill_in.iter().any(|key| key.contains(variable));
    for variable in absent.iter().filter(|variable| !is_listed(variable)) {
        report!("to fill in{bridge_number}: set the environment variable {}", printable(variable, 100));
    }
    for error in wrong {
        report!("to correct{bridge_number}: {}", printable(&error, 500));
    }
}

/// The unset variables of the new file, and its errors except for these and for missing files.
fn errors(text: &str) -> (Vec<String>, Vec<String>) {
    // A variable that is not Unicode counts as unset, as in `run`.
    let env = |name: &str| std::env::var(name).ok();
    let Err(errors) = configuration::parse(Path::new("bridge.toml"), text, &env) else {
        return (Vec::new(), Vec::new());
    };
    let (mut absent, mut wrong) = (Vec::new(), Vec::new());
    for message in errors.errors.iter().map(|problem| problem.message.as_str()) {
        match configuration::unset_variable(message) {
            Some(variable) if absent.iter().any(|known| known == variable) => {}
            Some(variable) => absent.push(variable.to_owned()),
            None if message.contains("can't be read") => {}
            None => wrong.push(message.to_owned()),
        }
    }
    (absent, wrong)
}
