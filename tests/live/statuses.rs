//! The release binary waits for every status that does not concern lines, and loses no record, even without `[dead_letter]`.

use crate::support::config::v2_with;
use crate::support::ids::MAPPING;
use crate::support::{Bridge, Config, Ids, Live, PATIENCE, block_on, measured, variable};
use base::Destination;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use testkit::receiver::{Options, Receiver, Reply};

const STATUSES: [u16; 16] = [402, 406, 409, 410, 411, 412, 414, 415, 418, 421, 422, 425, 426, 428, 431, 451];
const OUTAGE: Duration = Duration::from_secs(8);
const RECORDS: u64 = 800;
/// Number of records produced at once, evenly spread over the outage.
const STEP: u64 = 200;

/// A receiver that answers one status until it is switched to store, and a bridge that writes to it.
struct Outage {
    status: u16,
    topic: String,
    receiver: Receiver,
    lasts: Arc<AtomicBool>,
    bridge: Bridge,
}

impl Outage {
    fn start(live: &Live, status: u16) -> Self {
        let topic = live.kafka().create_topic(live.name(&format!("status{status}")), 1, 1);
        let lasts = Arc::new(AtomicBool::new(true));
        let fails = Arc::clone(&lasts);
        let reply = Reply::status(status).body("the service is not available in this way");
        let faults: testkit::receiver::Faults =
            Box::new(move |_| fails.load(Ordering::Relaxed).then(|| reply.clone()));
        let options = Options { faults: Some(faults), ..Options::default() };
        let receiver = block_on(Receiver::start(options)).unwrap();
        let influx = v2_with(&receiver.url(), &topic, "any");
        let config = Config::new(&live.kafka(), &topic, influx).mapping(MAPPING).text();
        let bridge = Bridge::start_watched(&config, &[]);
        Self { status, topic, receiver, lasts, bridge }
    }

    fn committed(&self, live: &Live) -> i64 {
        live.kafka().group(&self.topic).committed(&self.topic, 1)[0].max(0)
    }

    /// The numbers of the records that have a point.
    fn stored(&self) -> BTreeSet<u64> {
        let bucket = Destination::Bucket { org: variable("INFLUX2_ORG"), bucket: self.topic.clone() };
        let id = |tags: Vec<(String, String)>| tags.into_iter().find(|(key, _)| key == "id").unwrap().1;
        self.receiver.points(&bucket).into_iter().map(|point| id(point.tags).parse().unwrap()).collect()
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn sixteen_statuses_of_8_s_lose_no_record() {
    let live = Live::take_turn();
    let kafka = live.kafka();
    let outages = STATUSES.map(|status| Outage::start(&live, status));
    for outage in &outages {
        outage.bridge.wait_until_assigned(&outage.topic);
    }
    let begin = Instant::now();
    for from in (0..RECORDS).step_by(STEP as usize) {
        for outage in &outages {
            Ids { topic: &outage.topic, partitions: 1 }.produce(&kafka, from..from + STEP);
        }
        let next = OUTAGE.mul_f64((from + STEP) as f64 / RECORDS as f64);
        thread::sleep(next.saturating_sub(begin.elapsed()));
    }
    for outage in &outages {
        let Outage { status, bridge, receiver, .. } = outage;
        let requests = receiver.counts().requests.load(Ordering::Relaxed);
        assert!(requests > 0, "{status}: nothing was sent");
        let cause = match status {
            410 | 421 => "endpoint_missing",
            422 => "refusal_unproven",
            _ => "request_refused",
        };
        let page = bridge.page_text();
        let alarm =
            page.lines().find(|line| line.starts_with("kafka_influx_bridge_blocked{")).unwrap_or_default();
        assert!(alarm.contains(cause) && alarm.ends_with(" 1"), "{status}: not an alarm {cause}: {alarm:?}");
        let committed = outage.committed(&live);
        measured(
            &format!("{status} for {:.1} s", begin.elapsed().as_secs_f64()),
            format!("{requests} requests, {committed} committed"),
        );
        assert_eq!(committed, 0, "{status}: committed and not stored");
    }
    for outage in &outages {
        outage.lasts.store(false, Ordering::Relaxed);
    }
    let over = Instant::now();
    let mut lost_in_all = 0;
    for outage in outages {
        let Outage { status, ref topic, ref bridge, .. } = outage;
        kafka.group(topic).wait_until_settled(topic, 1, PATIENCE);
        let (stored, refused) = (outage.stored(), bridge.metric("lines_refused_total"));
        let lost = (0..RECORDS).filter(|number| !stored.contains(number)).count();
        measured(
            &format!("{status}"),
            format!(
                "{lost} of {RECORDS} lost, {refused} refused, settled within {:.1} s after the outage",
                over.elapsed().as_secs_f64()
            ),
        );
        assert_eq!(refused, 0, "{status}");
        lost_in_all += lost;
        outage.bridge.stop();
    }
    assert_eq!(lost_in_all, 0);
}
