//! Remedies for each cause: the key of bridge.toml to change, or the command to run.

use crate::cause::Cause;
use crate::dialects::{Dialect, Server, dialect};
use crate::failed_attempt::{CONTRADICTED, NOT_CREATED};
use crate::parsed_answer::limit_remedy;
use base::http::bypasses_proxy;
use base::{Credential, Destination};

/// Names that a remedy may use.
#[derive(Clone, Copy, Debug)]
pub struct RemedyContext<'a> {
    pub address: &'a str,
    pub server: Server,
    pub destination: &'a Destination,
    pub credential: &'a Credential,
}

impl<'a> RemedyContext<'a> {
    fn dialect(&self) -> Box<dyn Dialect + 'a> {
        // No remedy depends on `no_sync`.
        dialect(self.destination, self.server, false)
    }
}

/// The remedy for a cause: one sentence without a full stop. `why` is the error's text, because TLS and proxies fail in many ways that
/// have one cause.
pub fn advice(cause: Cause, why: &str, context: RemedyContext<'_>) -> String {
    let address = context.address;
    let has = |texts: &[&str]| texts.iter().any(|text| why.contains(text));
    match cause {
        Cause::TlsFailed if has(&["received fatal alert"]) => format!(
            "{address} requires a client certificate from an authority that it trusts: set influx.tls.cert_file and key_file"
        ),
        Cause::TlsFailed if has(&["InvalidContentType", "InvalidMessage", "corrupt message"]) => {
            format!("{address} does not use TLS: should influx.url begin with http://?")
        }
        Cause::TlsFailed if has(&["expired"]) => {
            format!(
                "the certificate of {address} has expired: renew it there, or correct this machine's clock"
            )
        }
        Cause::TlsFailed if has(&["not valid for name"]) => {
            format!("the certificate of {address} is for other names: set influx.url to one of them")
        }
        Cause::RequestRefused if has(&["to an HTTPS server", "to HTTPS port"]) => {
            "the server uses TLS: write https:// into influx.url".to_owned()
        }
        Cause::Busy if has(&["limit", "plan", "quota", "Limit", "Plan"]) => {
            "the limit of InfluxDB's plan is reached: raise the plan, or set (or lower) batch.points_per_second_max"
                .to_owned()
        }
        Cause::RequestRefused if has_status(why, &["402"]) => {
            "the plan or trial of the InfluxDB service has ended, or a payment failed: check plan and billing of its account; the lines are retried until then".to_owned()
        }
        Cause::Redirected if !is_moved(why) => format!(
            "a proxy or gateway at {address} leads to another page, such as a login, instead of to InfluxDB: let it pass the bridge's POST requests, or set influx.url to InfluxDB itself"
        ),
        Cause::Unauthorized if is_page(why) => format!(
            "a proxy or gateway at {address} asks for a login of its own, so influx.token is not the reason: let it pass the bridge's POST requests, or set influx.url to InfluxDB itself"
        ),
        Cause::Forbidden if is_page(why) => format!(
            "a firewall or proxy before InfluxDB answered, not InfluxDB: let it pass POST requests from this machine to {address}"
        ),
        Cause::Forbidden if !is_about_permission(why) => format!(
            "the answer is not InfluxDB's: let firewalls and proxies pass POST requests from this machine to {address}, then check what the credential may write to"
        ),
        Cause::ServerFailed | Cause::Unavailable if has_status(why, &["502", "504"]) => format!(
            "a proxy or load balancer answers instead of InfluxDB: check that it reaches InfluxDB. If requests to {address} should not go through the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, add the host to NO_PROXY"
        ),
        Cause::RefusalUnproven | Cause::RequestTooLarge if has(&[CONTRADICTED]) => format!(
            "servers behind {address} answer differently, or the server was repaired meanwhile: if this repeats, find the broken server behind the load balancer, and take it out; the lines are retried until they are stored"
        ),
        Cause::EndpointMissing
        | Cause::MethodRefused
        | Cause::NotInflux
        | Cause::RequestRefused
        | Cause::RefusalUnproven
        | Cause::Busy
        | Cause::ServerFailed
        | Cause::Unavailable
            if is_page(why) =>
        {
            format!(
                "a proxy, gateway or firewall at {address} answers with a web page instead of InfluxDB: check influx.url, and that it passes the bridge's POST requests to InfluxDB"
            )
        }
        Cause::EndpointMissing if has_status(why, &["421"]) => format!(
            "the server at {address} does not take writes, such as a read-only replica of QuestDB: set influx.url to the primary"
        ),
        Cause::ServerFailed if has(&["duplicate column name: timestamp"]) => {
            "QuestDB stores the time of a point in the column timestamp, so no field may have this name: use `rename` of the mapping, and reload".to_owned()
        }
        Cause::DatabaseMissing if has(&[NOT_CREATED]) => {
            context.dialect().not_created_remedy(context.credential)
        }
        Cause::ServerLimit => limit_remedy(why).map_or_else(|| remedy(cause, context), str::to_owned),
        Cause::Unreachable if has(&["dns error"]) => format!(
            "the name in {address} does not resolve: correct it in influx.url, or make DNS know it"
        ),
        Cause::Unreachable if may_be_proxied(address) => format!(
            "{}. Also check the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or add the host to NO_PROXY",
            remedy(cause, context)
        ),
        _ => remedy(cause, context),
    }
}

/// Whether a redirect names another address of the endpoint for writes, not a page.
fn is_moved(why: &str) -> bool {
    why.rsplit_once(": to ")
        .is_some_and(|(_, target)| ["/write", "/write_lp"].iter().any(|end| target.ends_with(end)))
}

fn has_status(why: &str, statuses: &[&str]) -> bool {
    statuses.iter().any(|status| why.starts_with(status))
}

/// Whether the answer is a web page, which InfluxDB never sends to a write: a proxy, gateway or firewall answers.
pub fn is_page(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    ["<html", "<!doctype", "<head", "<body"].iter().any(|tag| lower.contains(tag))
}

/// Whether a 403 of InfluxDB 1.x, 2.x or 3.x is about the credential's permissions.
fn is_about_permission(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    ["permission", "authorized"].iter().any(|word| lower.contains(word))
}

fn may_be_proxied(address: &str) -> bool {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_any = names.iter().any(|name| is_set(name) || is_set(&name.to_ascii_lowercase()));
    is_any && !address.parse().is_ok_and(|url| bypasses_proxy(&url))
}

/// The remedy that depends on the cause alone.
fn remedy(cause: Cause, context: RemedyContext<'_>) -> String {
    let address = context.address;
    match cause {
        Cause::Unauthorized => credential(context.credential),
        Cause::Forbidden => context.dialect().permission_remedy(context.credential),
        Cause::ProxyLogin => "put the proxy's login into HTTP_PROXY or HTTPS_PROXY, or the address into NO_PROXY".to_owned(),
        Cause::OrgMissing | Cause::BucketMissing | Cause::DatabaseMissing | Cause::MappingMissing => {
            context.dialect().missing_remedy(cause, context.credential)
        }
        Cause::PolicyMissing => {
            "check influx.retention_policy (or the mapping's), or leave it out for the database's default".to_owned()
        }
        Cause::EndpointMissing => format!(
            "no endpoint takes writes at {address}: check influx.url, and influx.api (v1 for InfluxDB 1.x, v2 for 2.x, v3 for 3.x)"
        ),
        Cause::Redirected => "set influx.url to the address that the redirect names".to_owned(),
        Cause::MethodRefused | Cause::NotInflux => {
            format!("the server at {address} does not answer like InfluxDB: check influx.url")
        }
        Cause::RequestRefused => {
            "InfluxDB, or a proxy before it, refuses the request itself: check influx.url, influx.api, the names under [influx], and the proxy".to_owned()
        }
        Cause::RefusalUnproven => format!(
            "{address} refuses every line and names no cause in a line: check influx.url and the proxies before InfluxDB; the lines are retried. \
             If the lines are to blame, set reject.rate_max = 1.0 and reload to skip those that InfluxDB refuses in JSON"
        ),
        Cause::RequestTooLarge => format!(
            "a single line is too large for {address}: raise the request size of the proxy before it, such as client_max_body_size of nginx"
        ),
        Cause::Unreachable => format!("check influx.url, and that InfluxDB runs at {address}"),
        Cause::TlsFailed => format!(
            "check the certificate of {address}; for an authority of your own set influx.tls.ca_file"
        ),
        Cause::TimedOut => format!("{address} is slow or hangs: check its load and its log, or raise influx.timeout"),
        Cause::Disconnected => format!(
            "check that influx.url names InfluxDB ({address}) and begins with https:// if it uses TLS, and check its log and the proxies before it"
        ),
        Cause::Busy | Cause::Unavailable => {
            "InfluxDB is busy or starting, and the bridge retries; give InfluxDB more processor or disk speed if this lasts"
                .to_owned()
        }
        Cause::CacheFull => {
            "InfluxDB writes to its disk more slowly than points arrive: raise `cache-max-memory-size` (InfluxDB 1) or `storage-cache-max-memory-size` (InfluxDB 2), or use a faster disk"
                .to_owned()
        }
        Cause::DiskFull => "the disk of InfluxDB is full: make room, and restart InfluxDB if it still reports this".to_owned(),
        Cause::ServerLimit => "raise the limit that InfluxDB names".to_owned(),
        Cause::ServerFailed => "check the log of InfluxDB".to_owned(),
    }
}

fn credential(credential: &Credential) -> String {
    let keys = match credential {
        Credential::None => {
            return "InfluxDB requires a login: set influx.token, or influx.username and influx.password, and reload (SIGHUP)"
                .to_owned();
        }
        Credential::Token(_) => "influx.token",
        Credential::Basic { .. } => "influx.username and influx.password",
    };
    // A running process keeps the environment of its start.
    format!(
        "check {keys}, and correct what InfluxDB does not accept: the bridge reads a file (`${{file:PATH}}`) again by itself; \
         a value in bridge.toml needs a reload (SIGHUP), and an environment variable a restart"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::Version;
    use base::secret::Secret;

    fn bucket() -> Destination {
        Destination::Bucket { org: "test".into(), bucket: "ec2".into() }
    }

    fn database(policy: Option<&str>) -> Destination {
        Destination::Database { database: "my db".into(), retention_policy: policy.map(Into::into) }
    }

    #[test]
    fn names_the_key_or_the_command() {
        let basic = Credential::Basic { username: "tower".into(), password: Secret::new("hidden") };
        let token = Credential::Token(Secret::new("hidden"));
        let f = |cause: Cause, destination: Destination, credential: &Credential, want: &str| {
            let server = Server::Unknown;
            let context =
                RemedyContext { address: "http://h:1", server, destination: &destination, credential };
            let remedy_text = remedy(cause, context);
            assert!(remedy_text.contains(want), "{cause:?}: {remedy_text}");
            assert!(!remedy_text.contains("hidden"));
        };
        f(Cause::Unauthorized, bucket(), &token, "influx.token");
        f(Cause::Unauthorized, bucket(), &token, "an environment variable a restart");
        f(Cause::Unauthorized, database(None), &basic, "influx.password");
        f(Cause::CacheFull, database(None), &basic, "`cache-max-memory-size` (InfluxDB 1)");
        f(Cause::Unauthorized, bucket(), &Credential::None, "set influx.token");
        f(Cause::Forbidden, bucket(), &token, "influx auth create --org test");
        f(Cause::Forbidden, database(None), &basic, r#"'GRANT WRITE ON "my db" TO "tower"'"#);
        f(Cause::BucketMissing, bucket(), &token, "influx bucket create --org test --name ec2 --retention 0");
        f(Cause::OrgMissing, bucket(), &token, "influx org create --name test");
        f(Cause::DatabaseMissing, database(None), &basic, "create_database = true");
        f(Cause::DatabaseMissing, database(None), &basic, r#"influx -execute 'CREATE DATABASE "my db"'"#);
        f(
            Cause::MappingMissing,
            database(Some("week")),
            &basic,
            "influx v1 dbrp create --db 'my db' --rp week",
        );
        f(Cause::MappingMissing, database(None), &basic, "influx v1 auth create --username tower");
        f(Cause::Unreachable, bucket(), &token, "influx.url");
        f(Cause::TlsFailed, bucket(), &token, "influx.tls.ca_file");
        f(Cause::EndpointMissing, bucket(), &token, "influx.api");
    }

    /// InfluxDB 3 and `QuestDB` come without the command `influx` of 1.x and 2.x, and take writes at the endpoints of both.
    #[test]
    fn remedies_name_no_command_that_the_server_lacks() {
        let basic = Credential::Basic { username: "tower".into(), password: Secret::new("hidden") };
        let own = Destination::Database3 { database: "my db".into() };
        let causes = [
            Cause::Forbidden,
            Cause::BucketMissing,
            Cause::OrgMissing,
            Cause::DatabaseMissing,
            Cause::MappingMissing,
            Cause::PolicyMissing,
        ];
        for server in [Server::Influx3(Version(3, 10, 0)), Server::QuestDb] {
            for destination in [&bucket(), &database(Some("week")), &own] {
                for credential in [&basic, &Credential::Token(Secret::new("hidden"))] {
                    for (cause, why) in
                        causes.iter().flat_map(|cause| [(*cause, "404"), (*cause, NOT_CREATED)])
                    {
                        let context =
                            RemedyContext { address: "http://h:1", server, destination, credential };
                        let remedy_text = advice(cause, why, context);
                        assert!(!remedy_text.contains("influx "), "{server}, {cause:?}: {remedy_text}");
                    }
                }
            }
        }
    }

    /// Texts of rustls 0.23, Go's server and nginx.
    #[test]
    fn considers_the_text_of_the_error() {
        let (destination, credential) = (bucket(), Credential::None);
        let f = |cause: Cause, why: &str, want: &str| {
            let context = RemedyContext {
                address: "https://127.0.0.1:1",
                server: Server::Unknown,
                destination: &destination,
                credential: &credential,
            };
            let remedy_text = advice(cause, why, context);
            assert!(remedy_text.contains(want), "{why}: {remedy_text}");
        };
        f(Cause::TlsFailed, "received fatal alert: CertificateRequired", "influx.tls.cert_file");
        f(Cause::TlsFailed, "received corrupt message of type InvalidContentType", "http://?");
        f(Cause::TlsFailed, "invalid peer certificate: certificate expired", "renew");
        f(Cause::TlsFailed, "certificate not valid for name \"h\"", "other names");
        f(Cause::TlsFailed, "invalid peer certificate: UnknownIssuer", "influx.tls.ca_file");
        f(Cause::RequestRefused, "400: Client sent an HTTP request to an HTTPS server.", "https://");
        f(Cause::Unreachable, "refused", "check influx.url");
    }
}
