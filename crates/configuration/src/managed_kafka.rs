//! Managed Kafka services: what each needs from a client. `init --preset` writes it, and `check` warns where a file lacks it.
//!
//! Sources: the pages of each vendor about client settings, as of 2025. The bridge was not run against the services themselves.

use super::section::Section;
use kafka::{ClientKind, GroupProtocol, Settings, properties};

/// A service, recognized by the names of its brokers.
#[derive(Debug)]
pub struct Preset {
    /// The argument of `init --preset`.
    pub name: &'static str,
    pub service: &'static str,
    /// The form of a broker's address.
    pub broker: &'static str,
    /// A part and the end of the brokers' host names.
    hosts: &'static [(&'static str, &'static str)],
    /// None: the service is also used without TLS and login.
    pub login: Option<Login>,
    pub properties: &'static [Property],
    /// Facts about the service that belong above `[kafka]`.
    pub notes: &'static [&'static str],
    /// Ports whose listeners take only logins that the bridge does not offer.
    closed_ports: &'static [&'static str],
    /// Whether the brokers offer `group_protocol = "consumer"`, as far as is known.
    has_consumer_protocol: bool,
}

/// The login of a service, over TLS.
#[derive(Debug)]
pub struct Login {
    pub mechanism: &'static str,
    /// Further mechanisms that the service accepts.
    others: &'static [&'static str],
    /// As written in bridge.toml. Not a variable: the service accepts no other name.
    pub username: &'static str,
    pub username_reason: &'static str,
    pub password_reason: &'static str,
    /// Whether every listener of the service wants TLS.
    needs_tls: bool,
}

/// A property of librdkafka.
#[derive(Debug)]
pub struct Property {
    pub name: &'static str,
    pub value: &'static str,
    pub reason: &'static str,
    pub purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `init` writes it.
    Recommended,
    /// `init` writes it, and `check` warns of a value below this one.
    Minimum(u64),
    /// `init` writes it as a comment, because its value depends on the user's network.
    Optional,
}

/// The password of every login, as written in bridge.toml.
pub const PASSWORD: &str = "${KAFKA_PASSWORD}";

pub static PRESETS: [Preset; 5] = [
    Preset {
        name: "event-hubs",
        service: "Azure Event Hubs",
        broker: "NAMESPACE.servicebus.windows.net:9093",
        hosts: &[
            ("", ".servicebus.windows.net"),
            ("", ".servicebus.usgovcloudapi.net"),
            ("", ".servicebus.chinacloudapi.cn"),
        ],
        login: Some(Login {
            mechanism: "PLAIN",
            others: &["OAUTHBEARER"],
            username: "$$ConnectionString",
            username_reason: "This text itself, for every namespace. The first \"$\" escapes the second.",
            password_reason: "The connection string of a policy with the right to listen: Endpoint=sb://...",
            needs_tls: true,
        }),
        properties: &[
            Property {
                name: "session.timeout.ms",
                value: "30000",
                reason: "Event Hubs answers heartbeats late at times. Shorter sessions end, and the group rebalances again and again.",
                purpose: Purpose::Minimum(30_000),
            },
            Property {
                name: "heartbeat.interval.ms",
                value: "3000",
                reason: "A tenth of the session, as Event Hubs recommends.",
                purpose: Purpose::Recommended,
            },
            Property {
                name: "connections.max.idle.ms",
                value: "180000",
                reason: "Azure drops connections that are idle for 240 s.",
                purpose: Purpose::Recommended,
            },
        ],
        notes: &[
            "An event hub is a topic. Event Hubs creates the Kafka group at its first join; the event hub's own consumer groups, such as $Default, \
             have nothing to do with it.",
        ],
        closed_ports: &[],
        has_consumer_protocol: false,
    },
    Preset {
        name: "confluent-cloud",
        service: "Confluent Cloud",
        broker: "pkc-00000.REGION.PROVIDER.confluent.cloud:9092",
        hosts: &[("", ".confluent.cloud")],
        login: Some(Login {
            mechanism: "PLAIN",
            others: &["OAUTHBEARER"],
            username: "${KAFKA_USERNAME}",
            username_reason: "The API key of the cluster.",
            password_reason: "The secret of the API key.",
            needs_tls: true,
        }),
        properties: &[Property {
            name: "session.timeout.ms",
            value: "45000",
            reason: "Confluent Cloud recommends it: brokers are restarted often. After a crash, the group waits this long for the lost member.",
            purpose: Purpose::Recommended,
        }],
        notes: &["With mechanism = \"OAUTHBEARER\", `extensions` names logicalCluster and identityPoolId."],
        closed_ports: &[],
        has_consumer_protocol: true,
    },
    Preset {
        name: "msk",
        service: "Amazon MSK",
        broker: "b-1.CLUSTER.ID.c1.kafka.REGION.amazonaws.com:9096",
        hosts: &[
            (".kafka.", ".amazonaws.com"),
            (".kafka-serverless.", ".amazonaws.com"),
            (".kafka.", ".amazonaws.com.cn"),
        ],
        login: Some(Login {
            mechanism: "SCRAM-SHA-512",
            others: &[],
            username: "${KAFKA_USERNAME}",
            username_reason: "The user of the secret AmazonMSK_... in AWS Secrets Manager.",
            password_reason: "The password of the same secret.",
            needs_tls: false,
        }),
        properties: &[Property {
            name: "client.rack",
            value: "use1-az1",
            reason: "Id of this machine's availability zone, to read from replicas in it. The brokers need replica.selector.class = \
                     org.apache.kafka.common.replica.RackAwareReplicaSelector.",
            purpose: Purpose::Optional,
        }],
        notes: &[
            "Ports of MSK: 9096 for SCRAM, 9094 for TLS alone or with a client certificate; from outside of the VPC 9196 and 9194. IAM (9098, 9198, \
             and MSK Serverless) is not offered by the bridge.",
        ],
        closed_ports: &["9098", "9198"],
        has_consumer_protocol: true,
    },
    Preset {
        name: "redpanda",
        service: "Redpanda Cloud",
        broker: "seed-00000000.ID.fmc.prd.cloud.redpanda.com:9092",
        hosts: &[("", ".cloud.redpanda.com")],
        login: Some(Login {
            mechanism: "SCRAM-SHA-256",
            others: &["SCRAM-SHA-512", "OAUTHBEARER"],
            username: "${KAFKA_USERNAME}",
            username_reason: "A user of the cluster.",
            password_reason: "The user's password.",
            needs_tls: true,
        }),
        properties: &[],
        notes: &[
            "A user of Redpanda has one mechanism, SCRAM-SHA-256 or SCRAM-SHA-512: the one that the user was created with.",
        ],
        closed_ports: &[],
        has_consumer_protocol: true,
    },
    Preset {
        name: "warpstream",
        service: "WarpStream",
        broker: "api-ID.discovery.prod-z.REGION.warpstream.com:9092",
        hosts: &[("", ".warpstream.com")],
        login: None,
        properties: &[
            Property {
                name: "fetch.max.bytes",
                value: "8388608",
                reason: "Agents read object storage, which takes some 100 ms a fetch: throughput needs large fetches. WarpStream counts unpacked bytes, so \
                         memory grows by this size for each agent. WarpStream itself recommends 100 MB.",
                purpose: Purpose::Minimum(1 << 20),
            },
            Property {
                name: "fetch.message.max.bytes",
                value: "4194304",
                reason: "The share of one partition of a fetch.",
                purpose: Purpose::Minimum(1 << 20),
            },
            Property {
                name: "topic.metadata.refresh.interval.ms",
                value: "60000",
                reason: "WarpStream recommends it. A topic that is created later is found within this time.",
                purpose: Purpose::Recommended,
            },
        ],
        notes: &[
            "Agents with a login need [kafka.sasl] (PLAIN or SCRAM-SHA-512), and agents with TLS need [kafka.tls].",
        ],
        closed_ports: &[],
        has_consumer_protocol: true,
    },
];

impl Preset {
    /// The preset with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The reason for the value of a key of `[kafka.sasl]` or a property.
    #[must_use]
    pub fn reason_of(&self, name: &str) -> Option<&'static str> {
        match (name, &self.login) {
            ("username", Some(login)) => Some(login.username_reason),
            ("password", Some(login)) => Some(login.password_reason),
            _ => {
                self.properties.iter().find(|property| property.name == name).map(|property| property.reason)
            }
        }
    }

    /// The environment variables of the login.
    #[must_use]
    pub fn variables(&self) -> Vec<&'static str> {
        let variable = |text: &'static str| text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
        self.login.iter().flat_map(|login| [login.username, PASSWORD]).filter_map(variable).collect()
    }

    fn of(brokers: &[String]) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| brokers.iter().any(|broker| preset.has_broker(broker)))
    }

    fn has_broker(&self, broker: &str) -> bool {
        let (host, _) = split(broker);
        let host = host.to_ascii_lowercase();
        self.hosts.iter().any(|(part, end)| host.ends_with(end) && host.contains(part))
    }
}

/// Host and port.
fn split(broker: &str) -> (&str, &str) {
    broker.rsplit_once(':').unwrap_or((broker, ""))
}

/// Warns where the configuration of a service's brokers lacks what the service needs.
pub fn check(section: Section<'_>, kafka: &Settings) {
    let Some(preset) = Preset::of(&kafka.brokers) else { return };
    let service = preset.service;
    let warn = |table: &str, message: String| {
        let key = if section.has(table) { table } else { "brokers" };
        section.context.warning(&section.span(key), message);
    };
    for broker in &kafka.brokers {
        let (_, port) = split(broker);
        if preset.closed_ports.contains(&port) {
            let ports = "name the port of another listener, as `init --preset` describes them";
            warn(
                "brokers",
                format!("port {port} of {service} takes only IAM, which the bridge does not offer: {ports}"),
            );
            break;
        }
    }
    if let Some(login) = &preset.login {
        check_login(service, login, kafka, &warn);
    }
    if kafka.group_protocol == GroupProtocol::Consumer && !preset.has_consumer_protocol {
        warn(
            "group_protocol",
            format!("{service} is not known to offer group_protocol = \"consumer\": set \"classic\""),
        );
    }
    // The bridge's own values count too.
    let effective = properties(kafka, ClientKind::Member { number: 0, lanes: 1 });
    for property in preset.properties {
        let Purpose::Minimum(minimum) = property.purpose else { continue };
        // A property without a value belongs to the other group protocol.
        let Some(value) = effective
            .get(property.name)
            .filter(|value| value.parse().is_ok_and(|value: u64| value < minimum))
        else {
            continue;
        };
        let Property { name, value: wanted, reason, .. } = property;
        warn(
            "librdkafka",
            format!(
                "{name:?} is {value}, too small for {service}: set it to {wanted} in [kafka.librdkafka]. {reason}"
            ),
        );
    }
}

fn check_login(service: &str, login: &Login, kafka: &Settings, warn: &impl Fn(&str, String)) {
    let protocol = kafka.property("security.protocol").unwrap_or("plaintext");
    if login.needs_tls && !protocol.ends_with("ssl") {
        warn("brokers", format!("{service} accepts only TLS: add [kafka.tls], which may be empty"));
    }
    let mechanism = kafka.property("sasl.mechanisms").or(kafka.property("sasl.mechanism"));
    let Some(mechanism) = mechanism else {
        if login.needs_tls {
            warn(
                "brokers",
                format!(
                    "{service} requires a login: add [kafka.sasl] with mechanism = {:?}",
                    login.mechanism
                ),
            );
        }
        return;
    };
    if mechanism != login.mechanism && !login.others.contains(&mechanism) {
        let known: Vec<String> =
            [login.mechanism].iter().chain(login.others).map(|mechanism| format!("{mechanism:?}")).collect();
        warn(
            "sasl",
            format!("{service} does not offer this `mechanism` of [kafka.sasl]: set {}", known.join(" or ")),
        );
    } else if let Some(fixed) = login.username.strip_prefix('$').filter(|name| name.starts_with('$'))
        && mechanism == login.mechanism
        && kafka.property("sasl.username") != Some(fixed)
    {
        warn(
            "sasl",
            format!("the user of {service} is the text {fixed}: write username = {:?}", login.username),
        );
    }
}
