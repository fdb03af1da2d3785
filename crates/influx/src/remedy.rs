//! What to do about each cause, naming the key of bridge.toml or the command that mends it.

use super::cause::Cause;
use super::client::identifier;
use super::obstacle::NOT_CREATED;
use super::reading::limit;
use base::http::takes_no_proxy;
use base::{Credential, Destination};

/// What a remedy may have to name.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub address: &'a str,
    pub destination: &'a Destination,
    pub credential: &'a Credential,
}

/// What to do about a cause, in view of what was said: TLS and proxies fail in many ways that are one cause.
pub fn advice(cause: Cause, why: &str, place: Place<'_>) -> String {
    let address = place.address;
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    match cause {
        Cause::TlsFailed if says(&["received fatal alert"]) => format!(
            "{address} wants a certificate of the bridge, of an authority that it trusts: look at influx.tls.cert_file and key_file"
        ),
        Cause::TlsFailed if says(&["InvalidContentType", "InvalidMessage", "corrupt message"]) => {
            format!("no TLS is spoken at {address}: should influx.url begin with http://?")
        }
        Cause::TlsFailed if says(&["expired"]) => {
            format!(
                "the certificate of {address} has expired: renew it there, or set this machine's clock right"
            )
        }
        Cause::TlsFailed if says(&["not valid for name"]) => {
            format!("the certificate of {address} is for other names: write one of those into influx.url")
        }
        Cause::RequestRefused if says(&["to an HTTPS server", "to HTTPS port"]) => {
            "TLS is spoken there: write https:// into influx.url".to_owned()
        }
        Cause::Busy if says(&["limit", "plan", "quota", "Limit", "Plan"]) => {
            "the limit of InfluxDB's plan is reached: raise the plan, or lower batch.points_per_second_max"
                .to_owned()
        }
        Cause::RequestRefused if says(&["402"]) => {
            "the server wants to be paid: look at the plan and the account of InfluxDB Cloud".to_owned()
        }
        Cause::Forbidden if is_foreign_page(why) => format!(
            "a firewall or proxy before InfluxDB answered, not InfluxDB: let it pass POST requests from this machine to {address}"
        ),
        Cause::Forbidden if !is_about_permission(why) => format!(
            "the answer has none of InfluxDB's words: let firewalls and proxies pass POST requests from this machine to {address}, then check what the credential may write to"
        ),
        Cause::ServerFailed | Cause::Unavailable if says_status(why, &["502", "504"]) => format!(
            "a proxy or load balancer answers in the place of InfluxDB: check that it reaches InfluxDB, and whether {address} should go through the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY name (NO_PROXY names what goes without)"
        ),
        Cause::DatabaseMissing if says(&[NOT_CREATED]) => not_created(place),
        Cause::ServerLimit => limit(why).map_or_else(|| remedy(cause, place), str::to_owned),
        Cause::Unreachable if may_be_proxied(address) => format!(
            "{}; and the proxy of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (NO_PROXY names what goes without)",
            remedy(cause, place)
        ),
        _ => remedy(cause, place),
    }
}

fn says_status(why: &str, statuses: &[&str]) -> bool {
    statuses.iter().any(|status| why.starts_with(status))
}

/// Whether these words are HTML, which no InfluxDB answers writes with.
fn is_foreign_page(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    ["<html", "<!doctype", "<head", "<body"].iter().any(|tag| lower.contains(tag))
}

/// Whether a 403 is about what the credential may do, in the words of InfluxDB 1.x, 2.x or 3.x.
fn is_about_permission(why: &str) -> bool {
    let lower = why.to_ascii_lowercase();
    ["permission", "authorized"].iter().any(|word| lower.contains(word))
}

fn may_be_proxied(address: &str) -> bool {
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_any = names.iter().any(|name| is_set(name) || is_set(&name.to_ascii_lowercase()));
    is_any && !address.parse().is_ok_and(|url| takes_no_proxy(&url))
}

/// One sentence without a full stop.
fn remedy(cause: Cause, place: Place<'_>) -> String {
    let address = place.address;
    match cause {
        Cause::Unauthorized => credential(place.credential).to_owned(),
        Cause::Forbidden => permission(place),
        Cause::ProxyLogin => "put the proxy's login into HTTP_PROXY or HTTPS_PROXY, or the address into NO_PROXY".to_owned(),
        Cause::OrgMissing | Cause::BucketMissing | Cause::DatabaseMissing | Cause::MappingMissing => {
            missing(cause, place)
        }
        Cause::PolicyMissing => {
            "check influx.retention_policy (or the mapping's), or leave it out for the database's default".to_owned()
        }
        Cause::EndpointMissing => format!(
            "nothing takes writes at {address}: check influx.url, and influx.api (v1 for InfluxDB 1.x, v2 for 2.x)"
        ),
        Cause::Redirected => "write the address that it points to into influx.url".to_owned(),
        Cause::MethodRefused | Cause::NotInflux => {
            format!("something else than InfluxDB seems to answer at {address}: check influx.url")
        }
        Cause::RequestRefused => {
            "InfluxDB, or a proxy before it, refuses the request as such: check influx.url, influx.api, the names under [influx], and the proxy".to_owned()
        }
        Cause::RefusalUnproven => format!(
            "{address} refuses every line and names no cause in it: check influx.url and what stands before InfluxDB; the lines are tried again. \
             Where they are to blame, reject.rate_max = 1.0 and a reload skip them"
        ),
        Cause::RequestTooLarge => format!(
            "a line alone is too large for {address}: raise the request size of the proxy before it, such as client_max_body_size of nginx"
        ),
        Cause::Unreachable => format!("check influx.url, and that InfluxDB runs at {address}"),
        Cause::TlsFailed => format!(
            "check the certificate of {address}; one of an authority of your own wants influx.tls.ca_file"
        ),
        Cause::TimedOut => format!("{address} is slow or hangs: look at it, or raise influx.timeout"),
        Cause::Disconnected => format!(
            "check that influx.url names InfluxDB ({address}), and look at its log and at proxies before it"
        ),
        Cause::Busy | Cause::Unavailable => {
            "InfluxDB is busy or starting: it is given time; give it more processor or disk speed if it lasts"
                .to_owned()
        }
        Cause::CacheFull => {
            "InfluxDB's write cache is full: give it more memory or disk speed, or raise storage-cache-max-memory-size"
                .to_owned()
        }
        Cause::DiskFull => "the disk of InfluxDB is full: make room, and restart InfluxDB where it goes on saying so".to_owned(),
        Cause::ServerLimit => "raise the limit that InfluxDB names".to_owned(),
        Cause::ServerFailed => "look at the log of InfluxDB".to_owned(),
    }
}

fn credential(credential: &Credential) -> &'static str {
    match credential {
        Credential::None => {
            "InfluxDB wants a login: set influx.token, or influx.username and influx.password"
        }
        Credential::Token(_) => "check influx.token",
        Credential::Basic { .. } => "check influx.username and influx.password",
    }
}

fn permission(place: Place<'_>) -> String {
    match (place.destination, place.credential) {
        (Destination::Bucket { org, bucket }, _) => format!(
            "give influx.token permission to write to bucket {}, or make one that has it: \
             influx auth create --org {} --write-buckets",
            word(bucket),
            word(org)
        ),
        (Destination::Database { database, .. }, Credential::Basic { username, .. }) => {
            let grant = format!("GRANT WRITE ON {} TO {}", identifier(database), identifier(username));
            format!(
                "let influx.username write there: influx -execute {}; on 2.x: \
                 influx v1 auth create --username {} --write-bucket ID",
                word(&grant),
                word(username)
            )
        }
        (Destination::Database { .. }, _) => {
            "check influx.username and influx.password, or influx.token, and what it may write to".to_owned()
        }
    }
}

fn missing(cause: Cause, place: Place<'_>) -> String {
    match (cause, place.destination) {
        (Cause::OrgMissing, Destination::Bucket { org, .. }) => {
            format!("check influx.org, or create it: influx org create --name {}", word(org))
        }
        (_, Destination::Bucket { org, bucket }) => format!(
            "check influx.bucket and influx.org, or create it: \
             influx bucket create --org {} --name {} --retention 0",
            word(org),
            word(bucket)
        ),
        (Cause::MappingMissing, Destination::Database { database, retention_policy }) => {
            mapping(database, retention_policy.as_deref(), place.credential)
        }
        (_, Destination::Database { database, .. }) => format!(
            "check influx.database, or set create_database = true under [influx], or create it: {}",
            create(database)
        ),
    }
}

/// The database is missing although `create_database` is set: mostly because the user may not create one.
fn not_created(place: Place<'_>) -> String {
    match place.destination {
        Destination::Database { database, .. } => format!(
            "check influx.database, or create it as an administrator, who alone may do so where InfluxDB wants a login: {}",
            create(database)
        ),
        Destination::Bucket { .. } => remedy(Cause::DatabaseMissing, place),
    }
}

/// A command for 1.x.
fn create(database: &str) -> String {
    format!("influx -execute {}", word(&format!("CREATE DATABASE {}", identifier(database))))
}

/// 2.x writes to a database only where a mapping says which bucket that is.
fn mapping(database: &str, policy: Option<&str>, credential: &Credential) -> String {
    let username = match credential {
        Credential::Basic { username, .. } => username.as_str(),
        _ => "NAME",
    };
    format!(
        "map it to a bucket: influx v1 dbrp create --db {} --rp {} --default --bucket-id ID; \
         and let a user write there: influx v1 auth create --username {} --write-bucket ID",
        word(database),
        word(policy.unwrap_or("autogen")),
        word(username)
    )
}

/// One word of a shell command.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let place = Place { address: "http://h:1", destination: &destination, credential };
            let said = remedy(cause, place);
            assert!(said.contains(want), "{cause:?}: {said}");
            assert!(!said.contains("hidden"));
        };
        f(Cause::Unauthorized, bucket(), &token, "influx.token");
        f(Cause::Unauthorized, database(None), &basic, "influx.password");
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

    /// In the words of rustls 0.23, Go's server and nginx.
    #[test]
    fn looks_at_what_was_said() {
        let (destination, credential) = (bucket(), Credential::None);
        let f = |cause: Cause, why: &str, want: &str| {
            let place =
                Place { address: "https://127.0.0.1:1", destination: &destination, credential: &credential };
            let said = advice(cause, why, place);
            assert!(said.contains(want), "{why}: {said}");
        };
        f(Cause::TlsFailed, "received fatal alert: CertificateRequired", "influx.tls.cert_file");
        f(Cause::TlsFailed, "received corrupt message of type InvalidContentType", "http://?");
        f(Cause::TlsFailed, "invalid peer certificate: certificate expired", "renew");
        f(Cause::TlsFailed, "certificate not valid for name \"h\"", "other names");
        f(Cause::TlsFailed, "invalid peer certificate: UnknownIssuer", "influx.tls.ca_file");
        f(Cause::RequestRefused, "400: Client sent an HTTP request to an HTTPS server.", "https://");
        f(Cause::Unreachable, "refused", "check influx.url");
    }

    #[test]
    fn quotes_for_a_shell() {
        let f = |text: &str, want: &str| assert_eq!(word(text), want);
        f("plain-1.x", "plain-1.x");
        f("", "''");
        f("a b", "'a b'");
        f("a'; rm -rf /; '", r"'a'\''; rm -rf /; '\'''");
    }
}
