//! The argument that names the configuration file.

use std::path::{Path, PathBuf};

/// The option by which commands read this file, behind a space; empty for the file that they find by themselves.
pub fn config_option(path: &Path) -> String {
    let is_found = configuration::SEARCHED.first().is_some_and(|found| path == Path::new(found));
    if is_found { String::new() } else { format!(" --config {}", path.display()) }
}

#[derive(Debug, Default, clap::Args)]
pub struct ConfigFile {
    /// Configuration file [default: bridge.toml, then /etc/kafka-influx-bridge/bridge.toml]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// For commands without other files.
#[derive(Debug, Default, clap::Args)]
pub struct OnlyConfigFile {
    #[command(flatten)]
    file: ConfigFile,
    /// The same as a plain argument
    #[arg(value_name = "FILE", conflicts_with = "config")]
    plain: Option<PathBuf>,
}

impl OnlyConfigFile {
    /// The file, if the user named one.
    pub fn named(&self) -> Option<&Path> {
        self.file.named().or(self.plain.as_deref())
    }
}

impl ConfigFile {
    /// The file, if the user named one.
    pub fn named(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}
