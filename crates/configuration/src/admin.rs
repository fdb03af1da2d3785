//! Reads `[admin]`.

use super::section::Section;
use super::{Admin, keys};
use std::net::SocketAddr;
use toml::Spanned;
use toml::de::DeValue;

pub fn read(top: Section<'_>) -> Admin {
    let section = top.table_or_empty("admin", &keys::ADMIN);
    Admin { listen: section.or_default("listen", listen), show_records: section.flag("show_records") }
}

/// `Some(None)`: the empty text, which switches the HTTP server off.
#[allow(clippy::option_option)]
fn listen(section: Section<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Option<SocketAddr>> {
    let text = section.text_of(key, value)?;
    if text.value.is_empty() {
        return Some(None);
    }
    // Other names would need a lookup.
    let address = text.value.replace("localhost:", "127.0.0.1:");
    let listen = address.parse().map_err(|_| {
        let remedy = match address.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
            Some(port) => {
                format!("\"0.0.0.0:{port}\" for all interfaces, \"127.0.0.1:{port}\" for this machine")
            }
            None => "an address and a port, such as \"127.0.0.1:9643\", or \"\" to switch it off".to_owned(),
        };
        section.refuse(&text, format!("`listen` is {:?}: write {remedy}", text.shown()));
    });
    listen.ok().map(Some)
}
