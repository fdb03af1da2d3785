//! Reads the keys for TLS that `[kafka.tls]`, `[influx.tls]` and `[schema_registry]` share.

use super::section::Section;
use base::certificates::CertificateFiles;

const UNVERIFIED: &str = "with verify = false, anyone on the network path can read and change everything; use ca_file to trust a private certificate";

/// The readable files of `ca_file`, `cert_file` and `key_file`.
pub fn certificate_files(section: Section<'_>) -> CertificateFiles {
    check_pair(section);
    let [ca_file, cert_file, key_file] = ["ca_file", "cert_file", "key_file"].map(|key| section.file(key));
    CertificateFiles { ca_file, cert_file, key_file }
}

/// The value of `verify`, with a warning if it is false. Certificates are verified by default; a wrong value is reported as an error.
pub fn verifies(section: Section<'_>) -> bool {
    let verifies = section.flag("verify").unwrap_or(true);
    if !verifies {
        section.context.warning(&section.span("verify"), UNVERIFIED);
    }
    verifies
}

/// Checks that certificate and key are both set.
pub fn check_pair(section: Section<'_>) {
    for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if section.has(key) && !section.has(other) {
            section.error(key, format!("`{key}` needs its `{other}` beside it"));
        }
    }
}
