//! Secrets, which are never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bound of values that are read from files. A larger file is a wrong path, and some paths never end.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A token or password. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    /// The file whose whole content the secret is.
    file: Option<PathBuf>,
}

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), file: None }
    }

    /// A secret that is the whole content of `file`, which was just read.
    #[must_use]
    pub fn from_file(value: impl Into<String>, file: PathBuf) -> Self {
        Self { value: value.into(), file: Some(file) }
    }

    /// The value itself, for the code that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// The secret as its file contains it now, so that a corrected or rotated secret needs no restart. `None` if the secret comes from no
    /// file, or the file cannot be read or is empty (another program may be writing it).
    #[must_use]
    pub fn reread(&self) -> Option<Self> {
        let file = self.file.as_ref()?;
        // The current secret stays in use until the file can be read again.
        let value = read_trimmed(file).ok().filter(|value| !value.is_empty())?;
        Some(Self::from_file(value, file.clone()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The text of a file without the newlines at its end, which editors and `echo` add.
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
        assert_eq!(format!("{:?}", Some(Secret::from_file("hush", "/run/token".into()))), "Some((secret))");
    }

    #[test]
    fn rereads_its_file() {
        let path =
            std::env::temp_dir().join(format!("secret-{}-{:x}", std::process::id(), fastrand::u64(..)));
        std::fs::write(&path, "old\r\n\n").unwrap();
        let secret = Secret::from_file(read_trimmed(&path).unwrap(), path.clone());
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
    fn does_not_read_endless_files() {
        assert!(read_trimmed(Path::new("/dev/zero")).is_err());
    }
}
