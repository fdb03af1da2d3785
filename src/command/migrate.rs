//! `migrate`: another tool's configuration becomes a bridge.toml.

use super::exit::{REJECTED, WRONG};
use crate::parity;
use base::text::printable;
use migrate::{Bridge, Input, Machine, MigrateError, Migration, Note};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use thiserror::Error;

/// What the command line says.
#[derive(Debug, Default)]
pub struct Options {
    /// Files, and folders of `*.conf`.
    pub files: Vec<PathBuf>,
    /// None: standard output.
    pub output: Option<PathBuf>,
    /// Write over a file that is there.
    pub force: bool,
    /// Records to compare with.
    pub diff: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum CommandError {
    #[error("{path} can't be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("{0} has no file that ends in .conf")]
    EmptyFolder(String),
    #[error("{0} is there already: name another with -o, or write over it with --force")]
    Exists(String),
    #[error("{path} can't be written: {source}")]
    Write { path: String, source: io::Error },
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Diff(#[from] parity::DiffError),
}

/// The new configuration goes to standard output or a file, and what is different to standard error.
#[must_use]
pub fn migrate(options: &Options) -> ExitCode {
    match run(options) {
        Ok(status) => ExitCode::from(status),
        Err(CommandError::Write { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let CommandError::Migrate(MigrateError::Nothing { notes, .. }) = &error {
                tell_notes(notes);
            }
            for line in error.to_string().lines() {
                eprintln!("{}", printable(line, 2_000));
            }
            ExitCode::from(WRONG)
        }
    }
}

fn run(options: &Options) -> Result<u8, CommandError> {
    let files = inputs(&options.files)?;
    let migration = migrate::migrate(&files, &machine())?;
    if let Some(records) = &options.diff {
        tell_notes(&migration.notes);
        let bytes = std::fs::read(records)
            .map_err(|source| CommandError::Read { path: records.display().to_string(), source })?;
        let same = parity::diff(&files, &machine(), &migration, &bytes, &mut io::stdout().lock())?;
        return Ok(if same { 0 } else { REJECTED });
    }
    let texts: Vec<String> = migration.bridges.iter().map(|bridge| bridge.draft.to_string()).collect();
    let written = if let Some(path) = &options.output {
        write_files(path, &texts, options.force)?
    } else {
        assert!(!texts.is_empty(), "a migration without a bridge is an error before");
        let text = texts.first().map(String::as_str).unwrap_or_default();
        let wrote = io::stdout().lock().write_all(text.as_bytes());
        wrote.map_err(|source| CommandError::Write { path: "standard output".to_owned(), source })?;
        Vec::new()
    };
    tell(&migration, &texts, &written);
    Ok(0)
}

/// Each file, and each `*.conf` of each folder in the order of their names.
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
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Input { name: path.display().to_string(), text })
}

fn machine() -> Machine {
    // Without a name the migration says what to write in its place.
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let hostname = hostname.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Machine { hostname }
}

/// The first as it is named, others beside it: bridge.toml, bridge-2.toml.
fn write_files(path: &Path, texts: &[String], force: bool) -> Result<Vec<PathBuf>, CommandError> {
    let first = if path.is_dir() { path.join("bridge.toml") } else { path.to_owned() };
    let numbered = |number: usize| {
        // The path names a file, so it has a stem.
        let stem = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let extension = first.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
        first.with_file_name(format!("{stem}-{number}{extension}"))
    };
    let paths: Vec<PathBuf> =
        (1..=texts.len()).map(|number| if number == 1 { first.clone() } else { numbered(number) }).collect();
    if let Some(there) = paths.iter().find(|path| !force && path.exists()) {
        return Err(CommandError::Exists(there.display().to_string()));
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

fn tell(migration: &Migration, texts: &[String], written: &[PathBuf]) {
    tell_notes(&migration.notes);
    for path in written {
        eprintln!("written: {}", path.display());
    }
    if written.is_empty() && texts.len() > 1 {
        eprintln!(
            "this is the first of {} bridges, each a process of its own: -o bridge.toml writes all of them",
            texts.len()
        );
    }
    for (number, (bridge, text)) in migration.bridges.iter().zip(texts).enumerate() {
        tell_open(bridge, text, (migration.bridges.len() > 1).then_some(number + 1));
    }
    for line in &migration.cut_over {
        eprintln!("{line}");
    }
}

fn tell_notes(notes: &[Note]) {
    for note in notes {
        eprintln!("{note}");
    }
}

/// What is left to do in one of them: what the migration knows, and what `check` would say besides.
fn tell_open(bridge: &Bridge, text: &str, number: Option<usize>) {
    let of = number.map(|number| format!(" (bridge {number})")).unwrap_or_default();
    for told in &bridge.fill_in {
        eprintln!("to fill in{of}: {}", printable(told, 500));
    }
    for error in errors(text) {
        eprintln!("to correct{of}: {}", printable(&error, 500));
    }
}

/// Errors of the new file, apart from variables and files that are not there yet.
fn errors(text: &str) -> Vec<String> {
    // A variable that is no Unicode counts as unset, as in `run`.
    let env = |name: &str| std::env::var(name).ok();
    let Err(errors) = configuration::parse(Path::new("bridge.toml"), text, &env) else { return Vec::new() };
    let is_absence =
        |message: &str| message.contains("is not set: set it") || message.contains("can't be read");
    errors
        .errors
        .iter()
        .map(|problem| problem.message.clone())
        .filter(|message| !is_absence(message))
        .collect()
}
