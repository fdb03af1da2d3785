//! Reads `[schema_registry]`: the registry that has the schemas of framed records.

use super::certificates::certificate_files;
use super::http_credential::http_credential;
use super::keys;
use super::section::Section;
use super::urls;
use base::Credential;
use schema_registry::Settings;

/// The settings of the registry. None: the file has no such table, or it has errors.
pub fn read(top: Section<'_>) -> Option<Settings> {
    let section = top.table("schema_registry", &keys::SCHEMA_REGISTRY)?;
    let urls = urls::of_registry(section);
    let credential = http_credential(section, true);
    let unknown_id_max = section.duration_or_default("unknown_id_max");
    let certificates = certificate_files(section);
    let (urls, credential) = (urls?, credential?);
    if !certificates.is_empty() && urls.iter().all(|url| url.scheme() == "http") {
        let message = "no `url` begins with https://, so none of the certificate files is used";
        section.context.warning(&section.header_span(), message);
    }
    let sends_secret = credential != Credential::None;
    if sends_secret && urls.iter().any(|url| url.scheme() == "http" && !base::http::is_loopback(url)) {
        let message = "the login is sent unencrypted, because `url` begins with http://: use https://";
        section.context.warning(&section.header_span(), message);
    }
    let settings = Settings::new(urls.first()?.clone());
    Some(Settings { urls, credential, certificates, unknown_id_max, ..settings })
}
