//! Two addresses of one database.

use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use kafka_influx_bridge::receiver::{Ending, Reply};

#[test]
fn records_flow_to_the_second_address_until_the_first_is_back() {
    let (first, second) = (Sink::start(), Sink::start());
    let cluster = Cluster::with_topic("t", 1);
    let urls = [first.receiver.url(), second.receiver.url()];
    let bridge = Setup::new(&cluster, &first, "'t'").mapping(BY_ID).urls(&urls).start();
    let produce = |ids: std::ops::Range<usize>| {
        cluster.produce("t", 0, ids.map(|id| record(&format!("{id:03}"))));
    };
    produce(0..100);
    first.wait_for_points("main", 100);

    first.answer(Some(Reply::status(204).ending(Ending::Reset)));
    produce(100..200);
    second.wait_for_points("main", 100);
    let client = bridge.0.writer.client();
    let addresses = client.addresses();
    let preferred = addresses.all().next().unwrap();
    assert!(addresses.is_left_alone(preferred));

    first.answer(None);
    wait_until("the first is asked and works", || !addresses.is_left_alone(preferred));
    produce(200..300);
    first.wait_for_points("main", 200);
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(300)]);
    assert_eq!(second.points("main").len(), 100);
    bridge.stop();
}
