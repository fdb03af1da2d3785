//! Causes that keep lines from being stored.

/// A cause that keeps lines from being stored and lies outside the lines themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// 401: the credential is missing or wrong.
    Unauthorized,
    /// 403: the credential may not write there.
    Forbidden,
    /// 407: a proxy requires a login.
    ProxyLogin,
    OrgMissing,
    BucketMissing,
    DatabaseMissing,
    /// 2.x has no mapping from this database and retention policy to a bucket.
    MappingMissing,
    /// 1.x has the database, but not the retention policy.
    PolicyMissing,
    /// 404, 410 or 421 without InfluxDB's message: no endpoint takes writes at this address.
    EndpointMissing,
    Redirected,
    MethodRefused,
    /// A 2xx that is not InfluxDB's 204.
    NotInflux,
    /// A 4xx that no line caused.
    RequestRefused,
    /// Lines are refused alone, nothing is stored meanwhile, and the answers name no cause in the lines.
    RefusalUnproven,
    /// 413 for a single line that is no larger than other servers take.
    RequestTooLarge,
    Unreachable,
    TlsFailed,
    TimedOut,
    /// The connection ended before the answer did.
    Disconnected,
    /// 408, 429, 499: the server asks for a later retry.
    Busy,
    /// 503, or InfluxDB's own write timeout.
    Unavailable,
    CacheFull,
    DiskFull,
    /// A limit of the server, such as its number of series, keeps lines out.
    ServerLimit,
    /// Any other 5xx.
    ServerFailed,
}

/// The part of the data path that a cause stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseScope {
    /// Every destination: the cause is the address or its credential.
    Server,
    /// One bucket or database.
    Destination,
}

impl Cause {
    /// Name in metrics and on the readiness page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::ProxyLogin => "proxy_login",
            Self::OrgMissing => "org_missing",
            Self::BucketMissing => "bucket_missing",
            Self::DatabaseMissing => "database_missing",
            Self::MappingMissing => "mapping_missing",
            Self::PolicyMissing => "policy_missing",
            Self::EndpointMissing => "endpoint_missing",
            Self::Redirected => "redirected",
            Self::MethodRefused => "method_refused",
            Self::NotInflux => "not_influxdb",
            Self::RequestRefused => "request_refused",
            Self::RefusalUnproven => "refusal_unproven",
            Self::RequestTooLarge => "request_too_large",
            Self::Unreachable => "unreachable",
            Self::TlsFailed => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::Disconnected => "disconnected",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::CacheFull => "cache_full",
            Self::DiskFull => "disk_full",
            Self::ServerLimit => "server_limit",
            Self::ServerFailed => "server_failed",
        }
    }

    pub fn scope(self) -> CauseScope {
        match self {
            Self::Forbidden
            | Self::OrgMissing
            | Self::BucketMissing
            | Self::DatabaseMissing
            | Self::MappingMissing
            | Self::PolicyMissing
            | Self::RequestRefused
            | Self::RefusalUnproven
            | Self::RequestTooLarge
            | Self::ServerLimit => CauseScope::Destination,
            _ => CauseScope::Server,
        }
    }

    /// Whether another address of the same database may work.
    pub fn is_of_address(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::TlsFailed
                | Self::TimedOut
                | Self::Disconnected
                | Self::Unavailable
                | Self::CacheFull
                | Self::DiskFull
                | Self::ServerFailed
                | Self::EndpointMissing
                | Self::MethodRefused
        )
    }
}
