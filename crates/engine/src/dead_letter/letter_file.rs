//! The open file of dead letters. Lines are appended, and a full file is renamed. No file is ever deleted, because a dead letter may be
//! the last copy of a record.

use super::DeadLetterError;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use tracing::{info, warn};

/// Attempts to open the file: another process may rename it between opening and locking.
const OPENINGS_MAX: usize = 3;

#[derive(Debug)]
pub struct LetterFile {
    path: PathBuf,
    /// Size at which the file is renamed.
    bytes_max: u64,
    /// Locked while it is open.
    file: File,
    bytes: u64,
    /// Whether the last line may be half-written.
    is_torn: bool,
    /// Letters that were appended since the last sync. A failed sync forgets them: the disk may not have them, and a repeated sync succeeds
    /// although they are lost.
    unsynced: usize,
    /// Letters of the current call that are on the disk.
    synced: usize,
}

impl LetterFile {
    /// Opens or creates the file and locks it. Ends a half-written last line, which a crash leaves.
    pub fn open(path: &Path, bytes_max: u64) -> Result<Self, DeadLetterError> {
        let failed = |error: io::Error| DeadLetterError::file(path, &error);
        let file = open_locked(path)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let is_torn = bytes > 0 && last_byte(&file, bytes).map_err(failed)? != b'\n';
        sync_folder(path).map_err(failed)?;
        let path_owned = path.to_owned();
        let mut open = Self { path: path_owned, bytes_max, file, bytes, is_torn, unsynced: 0, synced: 0 };
        if is_torn {
            warn!(
                path = %path.display(),
                "the last dead letter is half-written and is ended here; its record was not settled and is read again"
            );
            // An error, such as a full disk, is reported when there is a letter to write.
            let _again_later = open.end_torn_line();
        }
        Ok(open)
    }

    /// Counts from zero. An earlier call that took too long may have appended letters since it gave up.
    pub fn begin(&mut self) {
        (self.unsynced, self.synced) = (0, 0);
    }

    /// Letters since `begin` that are on the disk: the first ones that were appended.
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Appends the whole lines of this many letters.
    pub fn append(&mut self, lines: &[u8], letters: usize) -> Result<(), DeadLetterError> {
        if !self.is_at_its_path() {
            // The configured path must have the new letters.
            info!(path = %self.path.display(), "the file of dead letters was moved away: new letters go to a new file");
            let synced = self.sync();
            self.open_again()?;
            synced?;
        }
        if self.bytes > 0 && self.bytes + lines.len() as u64 > self.bytes_max {
            self.set_aside()?;
        }
        self.write(lines).map_err(|error| DeadLetterError::file(&self.path, &error))?;
        self.unsynced += letters;
        Ok(())
    }

    /// Waits until appended lines are on the disk. Fails if the file was deleted.
    pub fn sync(&mut self) -> Result<(), DeadLetterError> {
        let unsynced = std::mem::take(&mut self.unsynced);
        if unsynced == 0 {
            return Ok(());
        }
        let synced = self.file.sync_data().and_then(|()| match self.file.metadata()?.nlink() {
            0 => Err(io::Error::other("it was deleted while it was written")),
            _ => Ok(()),
        });
        synced.map_err(|error| DeadLetterError::file(&self.path, &error))?;
        self.synced += unsynced;
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.end_torn_line()?;
        if let Err(error) = self.file.write_all(lines) {
            self.is_torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.bytes = self.file.metadata()?.len();
            self.is_torn = false;
        }
        Ok(())
    }

    fn is_at_its_path(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }

    /// Renames the full file to the next number, and opens a new one. A renamed file keeps its name, so that readers find it.
    fn set_aside(&mut self) -> Result<(), DeadLetterError> {
        self.sync()?;
        let failed = |error: io::Error| DeadLetterError::file(&self.path, &error);
        let number = 1 + last_number(&self.path).map_err(failed)?;
        let aside = numbered(&self.path, number);
        fs::rename(&self.path, &aside).map_err(failed)?;
        warn!(
            path = %aside.display(),
            bytes = self.bytes,
            "a file of dead letters is full: replay it with `kafka-influx-bridge replay-dead-letters`, then delete it"
        );
        self.open_again()
    }

    /// Opens the file at the configured path instead of the one that was moved away.
    fn open_again(&mut self) -> Result<(), DeadLetterError> {
        *self = Self { synced: self.synced, ..Self::open(&self.path, self.bytes_max)? };
        Ok(())
    }
}

/// Checks that letters can be written, without changing or leaving a file.
pub fn check_writable(path: &Path) -> Result<(), DeadLetterError> {
    let result = if path.exists() {
        OpenOptions::new().append(true).open(path).map(drop)
    } else {
        let mut trial = path.as_os_str().to_owned();
        trial.push(format!(".check-{}", std::process::id()));
        OpenOptions::new().append(true).create_new(true).open(&trial).and_then(|_| fs::remove_file(&trial))
    };
    result.map_err(|error| DeadLetterError::file(path, &error))
}

fn open_locked(path: &Path) -> Result<File, DeadLetterError> {
    let failed = |error: io::Error| DeadLetterError::file(path, &error);
    for _ in 0..OPENINGS_MAX {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            // Some file systems do not support locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                return Err(DeadLetterError::FileLocked { path: path.to_owned() });
            }
        }
        let (own, there) = (file.metadata().map_err(failed)?, fs::metadata(path));
        if there.is_ok_and(|there| (own.dev(), own.ino()) == (there.dev(), there.ino())) {
            return Ok(file);
        }
    }
    Err(DeadLetterError::FileLocked { path: path.to_owned() })
}

fn last_byte(file: &File, bytes: u64) -> io::Result<u8> {
    let mut last = [0];
    file.read_exact_at(&mut last, bytes.saturating_sub(1))?;
    Ok(last[0])
}

/// Syncs the folder, without which a new file's name may not be on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The highest number of a renamed file.
fn last_number(path: &Path) -> io::Result<u64> {
    Ok(numbers(path)?.into_iter().max().unwrap_or(0))
}

/// The numbers of renamed files.
fn numbers(path: &Path) -> io::Result<Vec<u64>> {
    let mut prefix: OsString = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let name = entry?.file_name();
        let number = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        numbers.extend(number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok()));
    }
    Ok(numbers)
}

/// The file at the configured path and the full files that were renamed, the oldest first.
pub fn with_full_files(path: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read has a file that cannot be read either, and its error names the path.
    let mut numbers = numbers(path).unwrap_or_default();
    numbers.sort_unstable();
    let full = numbers.into_iter().map(|number| numbered(path, number)).filter(|full| full.is_file());
    full.chain([path.to_owned()]).collect()
}
