//! The differences between server families, one file each.
//!
//! - [`Dialect`]: requests and remedies for the API that a destination belongs to.
//! - [`Phrases`]: what a family writes into its answers. Every answer is compared with the phrases of all families, because servers also
//!   answer each other's API: InfluxDB 3 and `QuestDB` take writes at the endpoints of 1.x and 2.x.
//!
//! A new family is a file here, an entry in [`FAMILIES`], an arm in [`dialect`], a variant of [`Server`], and its largest request in
//! `Address::request_bytes_max`. A family with an endpoint of its own also needs a variant of [`Api`] and of [`Destination`], and its word in
//! `APIS` of the crate `configuration`.

mod common;
mod dialect;
mod phrase;
mod questdb;
pub mod refusal_cause;
mod server;
mod v1;
mod v2;
mod v3;

pub use dialect::{DatabaseList, Dialect, Probe, Target};
pub use phrase::{LimitScope, LineCause, LineEvidence, Phrase, Phrases, QuotedText, ServerLimit, find};
pub use server::{Server, ServerInfo, Version};
pub use v3::PARTIAL_WRITE;

use crate::cause::Cause;
use base::{Api, Credential, Destination};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderValue};

/// All phrases, in the order in which they are compared. Errors of the operating system come first, because they never concern lines.
pub const FAMILIES: [&Phrases; 6] = [
    &common::FIRST_PHRASES,
    &v3::PHRASES,
    &questdb::PHRASES,
    &v1::PHRASES,
    &v2::PHRASES,
    &common::LAST_PHRASES,
];

/// The dialect of a destination at a server. Requests use the endpoint that the configuration names; everything else follows the server.
pub fn dialect(destination: &Destination, server: Server, no_sync: bool) -> Box<dyn Dialect + '_> {
    let endpoint = match destination {
        Destination::Bucket { org, bucket } => v3::Endpoint::V2(v2::Bucket { org, bucket }),
        Destination::Database { database, retention_policy } => {
            v3::Endpoint::V1(v1::Database { database, policy: retention_policy.as_deref() })
        }
        Destination::Database3 { database } => v3::Endpoint::Own { database },
    };
    match (server, endpoint) {
        (Server::Influx3(version), endpoint) => {
            Box::new(v3::Database { endpoint, version: Some(version), no_sync })
        }
        (Server::Unknown | Server::QuestDb, endpoint @ v3::Endpoint::Own { .. }) => {
            Box::new(v3::Database { endpoint, version: None, no_sync })
        }
        (Server::QuestDb, v3::Endpoint::V1(database)) => {
            Box::new(questdb::QuestDb { endpoint: Box::new(database) })
        }
        (Server::QuestDb, v3::Endpoint::V2(bucket)) => {
            Box::new(questdb::QuestDb { endpoint: Box::new(bucket) })
        }
        (Server::Unknown, v3::Endpoint::V1(database)) => Box::new(database),
        (Server::Unknown, v3::Endpoint::V2(bucket)) => Box::new(bucket),
    }
}

/// The object that a server reports as missing, in the terms of the API that was used.
pub fn missing(api: Api, reported: Cause) -> Cause {
    match (api, reported) {
        // The 1.x API of 2.x maps a database to a bucket.
        (Api::V1, Cause::BucketMissing) => Cause::MappingMissing,
        _ => reported,
    }
}

/// Adds the credential. All families take both forms, also InfluxDB 3 (3.10).
pub fn authorize(request: RequestBuilder, credential: &Credential) -> RequestBuilder {
    match credential {
        Credential::None => request,
        Credential::Token(token) => match token_header(token.expose()) {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        },
        Credential::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
    }
}

/// Whether a request can carry the credential.
pub fn is_sendable(credential: &Credential) -> bool {
    !matches!(credential, Credential::Token(token) if token_header(token.expose()).is_none())
}

fn token_header(token: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(format!("Token {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}
