//! Values that must never be shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Secrets and other values kept in files are short; more is a wrong path, and some paths never end.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A token or password. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    /// The file that holds it and nothing else.
    file: Option<PathBuf>,
}

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), file: None }
    }

    /// A secret that is the whole content of `file`, read just now.
    #[must_use]
    pub fn of_file(value: impl Into<String>, file: PathBuf) -> Self {
        Self { value: value.into(), file: Some(file) }
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// What its file holds now, so that a corrected or rotated secret is picked up without a restart.
    /// Nothing if it did not come from a file, or if that can't be read or is empty (it may be about to be written).
    #[must_use]
    pub fn reread(&self) -> Option<Self> {
        let file = self.file.as_ref()?;
        // The secret in use stays until the file can be read again.
        let value = read_trimmed(file).ok().filter(|value| !value.is_empty())?;
        Some(Self::of_file(value, file.clone()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The text of a file without the newlines at its end, as editors and `echo` leave them.
pub fn read_trimmed(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::of_file("hush", "/run/token".into()))), "Some((secret))");
    }

    #[test]
    fn rereads_its_file() {
        let path =
            std::env::temp_dir().join(format!("secret-{}-{:x}", std::process::id(), fastrand::u64(..)));
        std::fs::write(&path, "old\r\n\n").unwrap();
        let secret = Secret::of_file(read_trimmed(&path).unwrap(), path.clone());
        assert_eq!(secret.expose(), "old");
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(secret.reread().unwrap().expose(), "new");
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(secret.reread(), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(secret.reread(), None);
        assert_eq!(Secret::new("old").reread(), None);
    }

    #[test]
    fn does_not_read_without_end() {
        assert!(read_trimmed(Path::new("/dev/zero")).is_err());
    }
}
