//! Writes letters to a file: one JSON object per line, synced before they count as written.

use super::letter::Letter;
use super::letter_file::LetterFile;
use super::{DeadLetterError, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Bytes of lines that are encoded before a write; a single line may be longer.
const CHUNK_BYTES: usize = 256 << 10;
/// Time limit of a write. A write to a hung disk can't be interrupted.
pub(super) const WRITE_MAX: Duration = Duration::from_secs(10);

/// Writes to one file, for all lanes in turn.
#[derive(Debug)]
pub struct FileWriter {
    path: PathBuf,
    file: Arc<Mutex<LetterFile>>,
    write_max: Duration,
}

type Guard = OwnedMutexGuard<LetterFile>;

impl FileWriter {
    /// Opens the file and locks it against other processes.
    pub fn open(path: &Path, bytes_max: u64, write_max: Duration) -> Result<Self, DeadLetterError> {
        let file = LetterFile::open(path, bytes_max)?;
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(file)), write_max })
    }

    pub async fn send(&self, letters: &mut Vec<Letter>) -> Result<(), DeadLetterError> {
        // While a write hangs, its task keeps the lock, so that no further writes pile up.
        let mut file =
            timeout(self.write_max, Arc::clone(&self.file).lock_owned()).await.map_err(|_| self.slow())?;
        file.begin();
        let time = super::now();
        let (mut appended, mut result) = (0, Ok(()));
        while let (Some(rest @ [_, ..]), Ok(())) = (letters.get(appended..), &result) {
            let (lines, count) = chunk(rest, &time);
            (file, result) = self.run(file, move |file| file.append(&lines, count)).await?;
            appended += count;
        }
        // Letters that are on the disk before a failure are not written again.
        let (file, synced) = self.run(file, LetterFile::sync).await?;
        letters.drain(..file.synced());
        result.and(synced)
    }

    /// Runs blocking work on its own thread. The outer error means that the work hangs.
    async fn run<T: Send + 'static>(
        &self,
        mut file: Guard,
        work: impl FnOnce(&mut LetterFile) -> Result<T, DeadLetterError> + Send + 'static,
    ) -> Result<(Guard, Result<T, DeadLetterError>), DeadLetterError> {
        let job = spawn_blocking(move || {
            let result = work(&mut file);
            (file, result)
        });
        let ended = timeout(self.write_max, job).await.map_err(|_| self.slow())?;
        // The job fails only when the runtime ends.
        ended.map_err(|error| DeadLetterError::file(&self.path, &io::Error::other(error)))
    }

    fn slow(&self) -> DeadLetterError {
        DeadLetterError::FileSlow { path: self.path.clone(), seconds: self.write_max.as_secs() }
    }
}

/// The lines of the first letters, at least one, and the number of letters.
fn chunk(letters: &[Letter], time: &str) -> (Vec<u8>, usize) {
    let (mut lines, mut count) = (Vec::new(), 0);
    for letter in letters {
        json::write(letter, time, &mut lines);
        count += 1;
        if lines.len() >= CHUNK_BYTES {
            break;
        }
    }
    (lines, count)
}

#[cfg(test)]
mod tests;
