//! Temporary folders of tests.

#![allow(dead_code, reason = "no test uses all of this")]

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of one test, removed on drop.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("bridge-test-{}-{:x}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A folder with this bridge.toml.
    pub fn with_config(text: &str) -> Self {
        let folder = Self::new();
        folder.write("bridge.toml", text);
        folder
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and creates the folders of its name; returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Number of lines of a file; 0 if it does not exist.
    pub fn count_lines(&self, name: &str) -> usize {
        fs::read_to_string(self.file(name)).unwrap_or_default().lines().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}
