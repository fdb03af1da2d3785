//! The security protocol that bridge.toml configures: TLS and the login.

use base::secret::Secret;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    tls: bool,
    /// The mechanism of the login.
    sasl: Option<String>,
}

impl Security {
    pub fn of(properties: &[(String, Secret)]) -> Self {
        let value = |names: &[&str]| {
            let last = properties.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
            last.map_or(String::new(), |(_, value)| value.expose().to_owned())
        };
        let protocol = value(&["security.protocol"]).to_ascii_lowercase();
        let mechanism = value(&["sasl.mechanisms", "sasl.mechanism"]);
        Self { tls: protocol.ends_with("ssl"), sasl: protocol.starts_with("sasl").then_some(mechanism) }
    }

    #[cfg(test)]
    pub(super) fn for_test(tls: bool, has_login: bool) -> Self {
        Self { tls, sasl: has_login.then(|| "PLAIN".to_owned()) }
    }

    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn has_login(&self) -> bool {
        self.sasl.is_some()
    }

    /// Text that follows "answers": TLS and mechanism, if there are any.
    pub fn words(&self) -> String {
        let tls = if self.tls { ", by TLS" } else { "" };
        let sasl =
            self.sasl.as_ref().map_or(String::new(), |mechanism| format!(", logged in by {mechanism}"));
        format!("{tls}{sasl}")
    }
}
