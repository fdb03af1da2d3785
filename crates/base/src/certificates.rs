//! Certificates of HTTPS connections: PEM files that the configuration names.

use reqwest::{Certificate, ClientBuilder, Identity};
use std::fmt;
use std::path::{Path, PathBuf};

/// The certificate files of one table of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Trusted certificates in addition to the system's.
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The content of certificate files. They are read once, so a file that is being replaced cannot stop the bridge.
pub struct Certificates {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

/// Why certificate files can't be used. `table` is the table of the configuration that names them.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("cannot read {table}.{key} {}: {source}; it must be a PEM file that the bridge may read", path.display())]
    Unreadable { table: &'static str, key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{table}.ca_file {} contains no certificate: it must be a PEM file, not DER or PKCS#12", path.display())]
    NoAuthority { table: &'static str, path: PathBuf },
    #[error(
        "{table}.cert_file and key_file give no client certificate: both are needed, as PEM, the key unencrypted"
    )]
    Identity { table: &'static str },
}

impl CertificateFiles {
    pub fn is_empty(&self) -> bool {
        self.ca_file.is_none() && self.cert_file.is_none() && self.key_file.is_none()
    }

    /// Reads the files. Certificate and key of the client may be in one file that either key names.
    pub fn read(&self, table: &'static str) -> Result<Certificates, CertificateError> {
        let read = |key, path: &Path| {
            let unreadable =
                |source| CertificateError::Unreadable { table, key, path: path.to_owned(), source };
            std::fs::read(path).map_err(unreadable)
        };
        let mut authorities = Vec::new();
        if let Some(path) = &self.ca_file {
            authorities = Certificate::from_pem_bundle(&read("ca_file", path)?).unwrap_or_default();
            if authorities.is_empty() {
                return Err(CertificateError::NoAuthority { table, path: path.clone() });
            }
        }
        let mut pem = Vec::new();
        for (key, path) in [("cert_file", &self.cert_file), ("key_file", &self.key_file)] {
            if let Some(path) = path {
                pem.extend(read(key, path)?);
                pem.push(b'\n');
            }
        }
        let identity = (!pem.is_empty()).then(|| Identity::from_pem(&pem)).transpose();
        Ok(Certificates {
            authorities,
            identity: identity.map_err(|_| CertificateError::Identity { table })?,
        })
    }
}

impl Certificates {
    /// Makes a client use the certificates.
    pub fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_merge(self.authorities.iter().cloned());
        }
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

impl fmt::Debug for Certificates {
    /// Leaves out the client's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authorities, has_identity) = (self.authorities.len(), self.identity.is_some());
        f.debug_struct("Certificates")
            .field("authorities", &authorities)
            .field("has_identity", &has_identity)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_certificates_is_reported() {
        let path = std::env::temp_dir().join(format!("ca-{}-{:x}", std::process::id(), fastrand::u64(..)));
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            let files = CertificateFiles { ca_file: Some(path.clone()), ..CertificateFiles::default() };
            let error = files.read("kafka.tls").unwrap_err().to_string();
            assert!(error.contains("kafka.tls.ca_file"), "{text}: {error}");
            assert!(error.contains("contains no certificate"), "{text}: {error}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
