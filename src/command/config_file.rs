//! The argument that names the configuration file.

use std::path::{Path, PathBuf};

#[derive(Debug, Default, clap::Args)]
pub struct ConfigFile {
    /// Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file, if the user named one.
    pub fn named(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}
