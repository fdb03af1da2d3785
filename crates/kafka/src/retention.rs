//! How long topics keep their records, as their brokers tell.

use super::ffi::{TopicConfig, TopicConfigs};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// It is rarely changed.
const ASK_EVERY: Duration = Duration::from_mins(5);
/// After a question that was not answered.
const ASK_AGAIN: Duration = Duration::from_mins(1);
/// Of one question; answers have some 200 bytes a topic.
const TOPICS_MAX: usize = 1_000;

const NAMES: [&CStr; 3] = [c"cleanup.policy", c"retention.ms", c"retention.bytes"];

/// What a topic keeps. Compacted topics that delete nothing keep the newest record of each key for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this are deleted, a segment at a time; none: age deletes nothing.
    pub time: Option<Duration>,
    /// A partition larger than this loses its oldest segments; none: size deletes nothing.
    pub bytes: Option<u64>,
    /// Of records with one key, older ones may be deleted too.
    pub compacts: bool,
}

/// By topic. Those are missing that do not exist, whose brokers do not say, or whose configuration this user may not see
/// (it takes `DescribeConfigs`).
pub type Retentions = BTreeMap<String, Retention>;

impl Retention {
    /// None: the brokers left out what matters.
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

fn read(answer: &[TopicConfig]) -> Retentions {
    answer.iter().filter_map(|config| Some((config.topic.clone(), Retention::of(config)?))).collect()
}

/// Asks, and waits at most `time_max`.
pub fn ask<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[&str],
    time_max: Duration,
) -> Retentions {
    let configs = TopicConfigs::new(consumer);
    let mut all = Retentions::new();
    let until = Instant::now() + time_max;
    for some in topics.chunks(TOPICS_MAX) {
        configs.ask(consumer, some, &NAMES);
        let left = until.saturating_duration_since(Instant::now());
        let Some(answer) = configs.answer(left) else { break };
        all.extend(read(&answer));
    }
    all
}

/// Keeps known what topics keep, without waiting.
pub struct RetentionWatch {
    configs: TopicConfigs,
    known: Retentions,
    asked: BTreeSet<String>,
    is_pending: bool,
    next_ask: Instant,
}

impl RetentionWatch {
    /// To be dropped before the client.
    pub fn new<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Self {
        Self {
            configs: TopicConfigs::new(consumer),
            known: Retentions::new(),
            asked: BTreeSet::new(),
            is_pending: false,
            next_ask: Instant::now(),
        }
    }

    /// Of the topics that were looked for last.
    pub fn known(&self) -> &Retentions {
        &self.known
    }

    /// Asks for these topics if it is time to, and takes an answer if there is one. Further ones than [`TOPICS_MAX`] are left out.
    pub fn look<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, topics: &[&str]) {
        let now = Instant::now();
        // There is always one: librdkafka gives a question up after a minute.
        if let Some(answer) = self.configs.answer(Duration::ZERO) {
            let answer = read(&answer);
            self.is_pending = false;
            self.next_ask = now + if answer.is_empty() { ASK_AGAIN } else { ASK_EVERY };
            self.known.extend(answer);
        }
        let topics = topics.get(..topics.len().min(TOPICS_MAX)).unwrap_or_default();
        self.known.retain(|known, _| topics.contains(&known.as_str()));
        let is_due = now >= self.next_ask || topics.iter().any(|topic| !self.asked.contains(*topic));
        if is_due && !self.is_pending && !topics.is_empty() {
            self.asked = topics.iter().map(|topic| (*topic).to_owned()).collect();
            self.is_pending = true;
            self.configs.ask(consumer, topics, &NAMES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;
    use testkit::EmbeddedKafka;

    #[test]
    fn reads_what_brokers_tell() {
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
    fn knows_nothing_where_brokers_do_not_say() {
        let kafka = EmbeddedKafka::start().unwrap();
        kafka.create_topic("t", 1).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.address())
            .set("group.id", "g")
            .create()
            .unwrap();
        assert_eq!(ask(&consumer, &["t"], Duration::from_millis(200)), Retentions::new());
        let mut watch = RetentionWatch::new(&consumer);
        watch.look(&consumer, &["t"]);
        assert!(watch.known().is_empty() && watch.is_pending);
    }
}
