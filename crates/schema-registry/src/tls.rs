//! Certificates of the connection to a schema registry.

use crate::settings::{RegistryError, Settings};
use reqwest::{Certificate, ClientBuilder, Identity};
use std::path::Path;

/// Adds the certificates of the settings to a client.
pub fn apply(settings: &Settings, mut builder: ClientBuilder) -> Result<ClientBuilder, RegistryError> {
    if let Some(path) = &settings.ca_file {
        let authorities = Certificate::from_pem_bundle(&read("ca_file", path)?).unwrap_or_default();
        if authorities.is_empty() {
            return Err(RegistryError::NoCertificate { path: path.clone() });
        }
        builder = builder.tls_certs_merge(authorities);
    }
    // Certificate and key may be in one file that either setting names.
    let mut pem = Vec::new();
    for (key, path) in [("cert_file", &settings.cert_file), ("key_file", &settings.key_file)] {
        if let Some(path) = path {
            pem.extend(read(key, path)?);
            pem.push(b'\n');
        }
    }
    if !pem.is_empty() {
        builder = builder.identity(Identity::from_pem(&pem).map_err(|_| RegistryError::Identity)?);
    }
    Ok(builder)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, RegistryError> {
    std::fs::read(path).map_err(|source| RegistryError::Unreadable { key, path: path.to_owned(), source })
}
