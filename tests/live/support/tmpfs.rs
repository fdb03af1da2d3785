//! A small file system that tests can fill.

use super::Live;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, until this is dropped.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts it, which requires root.
    pub fn mount(live: &Live, size: &str) -> Self {
        let path = live.path("disk");
        fs::create_dir_all(&path).unwrap();
        let size = format!("size={size}");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "a tmpfs can't be mounted; run this test as root: {output:?}");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file until the disk is full; returns its path.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // A lazy unmount, because the server that writes there may be dropped later.
        let _mounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _removed = fs::remove_dir(&self.0);
    }
}
