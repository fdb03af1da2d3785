//! Retention of topics, as the brokers report it.

use super::ffi::{TopicConfig, TopicConfigs};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// Interval of requests. Retention rarely changes.
const REQUEST_EVERY: Duration = Duration::from_mins(5);
/// Pause after a request without a response.
const RETRY_AFTER: Duration = Duration::from_mins(1);
/// Topics of one request. A response has some 200 bytes per topic.
const TOPICS_MAX: usize = 1_000;

const NAMES: [&CStr; 3] = [c"cleanup.policy", c"retention.ms", c"retention.bytes"];

/// The retention of a topic. Compacted topics without deletion keep the newest record of each key for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Age at which segments are deleted. None: age deletes nothing.
    pub time: Option<Duration>,
    /// Size above which a partition loses its oldest segments. None: size deletes nothing.
    pub bytes: Option<u64>,
    /// Whether older records of a key may be deleted.
    pub compacts: bool,
}

/// Retention by topic. Topics are missing if they do not exist, if their brokers do not respond, or if this user lacks the permission
/// `DescribeConfigs`.
pub type Retentions = BTreeMap<String, Retention>;

impl Retention {
    /// None: a value is missing or unknown.
    fn of(config: &TopicConfig) -> Option<Self> {
        let value = |name: &CStr| {
            let found = config.values.iter().find(|(key, _)| key.as_bytes() == name.to_bytes());
            found.map(|(_, value)| value.as_str())
        };
        let [policy, ms, bytes] = NAMES.map(value);
        let (policy, ms, bytes) = (policy?, ms?.parse::<i64>().ok()?, bytes?.parse::<i64>().ok()?);
        let has = |word: &str| policy.split(',').any(|one| one.trim() == word);
        // -1 stands for no limit.
        let limit = |number: i64| u64::try_from(number).ok().filter(|_| has("delete"));
        Some(Self {
            time: limit(ms).map(Duration::from_millis),
            bytes: limit(bytes),
            compacts: has("compact"),
        })
    }
}

fn read(configs: &[TopicConfig]) -> Retentions {
    configs.iter().filter_map(|config| Some((config.topic.clone(), Retention::of(config)?))).collect()
}

/// Requests the retention of topics, and waits at most `time_max`.
pub fn request<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[&str],
    time_max: Duration,
) -> Retentions {
    let configs = TopicConfigs::new(consumer);
    let mut all = Retentions::new();
    let until = Instant::now() + time_max;
    for some in topics.chunks(TOPICS_MAX) {
        configs.request(consumer, some, &NAMES);
        let left = until.saturating_duration_since(Instant::now());
        let Some(response) = configs.response(left) else { break };
        all.extend(read(&response));
    }
    all
}

/// Caches the retention of topics and refreshes it without blocking.
pub struct RetentionWatch {
    configs: TopicConfigs,
    known: Retentions,
    requested: BTreeSet<String>,
    is_pending: bool,
    next_request: Instant,
}

impl RetentionWatch {
    /// The caller must drop it before the client.
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        Self {
            configs: TopicConfigs::new(consumer),
            known: Retentions::new(),
            requested: BTreeSet::new(),
            is_pending: false,
            next_request: Instant::now(),
        }
    }

    /// Retention of the topics of the last update.
    pub fn known(&self) -> &Retentions {
        &self.known
    }

    /// Requests the retention of these topics when it is due, and takes a response if there is one. Only the first [`TOPICS_MAX`] topics
    /// count.
    pub fn update<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, topics: &[&str]) {
        let now = Instant::now();
        // A response always comes: librdkafka gives a request up after a minute.
        if let Some(response) = self.configs.response(Duration::ZERO) {
            let response = read(&response);
            self.is_pending = false;
            self.next_request = now + if response.is_empty() { RETRY_AFTER } else { REQUEST_EVERY };
            self.known.extend(response);
        }
        let topics = topics.get(..topics.len().min(TOPICS_MAX)).unwrap_or_default();
        self.known.retain(|known, _| topics.contains(&known.as_str()));
        let is_due = now >= self.next_request || topics.iter().any(|topic| !self.requested.contains(*topic));
        if is_due && !self.is_pending && !topics.is_empty() {
            self.requested = topics.iter().map(|topic| (*topic).to_owned()).collect();
            self.is_pending = true;
            self.configs.request(consumer, topics, &NAMES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use testkit::EmbeddedKafka;

    #[test]
    fn reads_the_retention_from_topic_configurations() {
        let f = |policy: &str, ms: &str, bytes: &str, want: Option<(Option<u64>, Option<u64>, bool)>| {
            let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let values = vec![
                value("retention.ms", ms),
                value("cleanup.policy", policy),
                value("retention.bytes", bytes),
            ];
            let config = TopicConfig { topic: "t".to_owned(), values };
            let want = want.map(|(ms, bytes, compacts)| Retention {
                time: ms.map(Duration::from_millis),
                bytes,
                compacts,
            });
            assert_eq!(Retention::of(&config), want, "{policy} {ms} {bytes}");
        };
        f("delete", "604800000", "-1", Some((Some(604_800_000), None, false)));
        f("delete", "-1", "1000", Some((None, Some(1_000), false)));
        f("compact", "1000", "1000", Some((None, None, true)));
        f("compact,delete", "1000", "-1", Some((Some(1_000), None, true)));
        f("delete, compact", "0", "-1", Some((Some(0), None, true)));
        f("", "1000", "-1", Some((None, None, false)));
        f("delete", "", "-1", None);
        f("delete", "soon", "-1", None);
        let nothing = TopicConfig { topic: "t".to_owned(), values: Vec::new() };
        assert_eq!(Retention::of(&nothing), None);
    }

    #[test]
    fn without_a_response_no_retention_is_known() {
        let kafka = EmbeddedKafka::start().unwrap();
        kafka.create_topic("t", 1).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.address())
            .set("group.id", "g")
            .create()
            .unwrap();
        assert_eq!(request(&consumer, &["t"], Duration::from_millis(200)), Retentions::new());
        let mut watch = RetentionWatch::new(&consumer);
        watch.update(&consumer, &["t"]);
        assert!(watch.known().is_empty() && watch.is_pending);
    }
}
