//! Several addresses of one database: several URLs, or one name that moves.

use crate::support::{BY_ID, Cluster, Setup, Sink, record, wait_until};
use influx::Delays;
use kafka_influx_bridge::pipeline::PipelineOptions;
use std::time::Duration;
use testkit::receiver::{Ending, Reply};

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
    let client = bridge.0.writer().current_client();
    let addresses = client.addresses();
    let preferred = addresses.all().next().unwrap();
    assert!(addresses.is_down(preferred));

    first.answer(None);
    wait_until("the first address works", || !addresses.is_down(preferred));
    produce(200..300);
    first.wait_for_points("main", 200);
    wait_until("all is committed", || cluster.committed("t", 1) == [Some(300)]);
    assert_eq!(second.points("main").len(), 100);
    bridge.stop();
}

/// Another server answers at the first address, so the second one is used.
#[test]
fn an_address_without_influxdb_is_skipped() {
    for (status, body) in [
        (404, "<html>not found</html>"),
        (404, r#"{"message":"no route"}"#),
        (410, ""),
        (421, "misdirected"),
        (405, ""),
        (400, "<html>bad request</html>"),
        (403, "<html>request blocked</html>"),
        (302, ""),
    ] {
        let (first, second) = (Sink::down(Reply::status(status).body(body)), Sink::start());
        let cluster = Cluster::with_topic("t", 1);
        cluster.produce("t", 0, (0..100).map(|id| record(&id.to_string())));
        let urls = [first.receiver.url(), second.receiver.url()];
        let bridge = Setup::new(&cluster, &first, "'t'").mapping(BY_ID).urls(&urls).start();
        second.wait_for_points("main", 100);
        wait_until(&format!("all is committed after {status} {body}"), || {
            cluster.committed("t", 1) == [Some(100)]
        });
        assert!(bridge.0.writer().alarms().is_empty(), "{status} {body}: {:?}", bridge.0.writer().alarms());
        bridge.stop();
        assert_eq!(first.points("main").len(), 0);
    }
}

/// InfluxDB reports a missing destination. Another address has the same database, so it is not tried.
#[test]
fn a_missing_destination_keeps_the_address() {
    let f = |body: &str, cause: &str, is_v1: bool| {
        let (first, second) = (Sink::down(Reply::status(404).body(body)), Sink::start());
        let cluster = Cluster::with_topic("t", 1);
        cluster.produce("t", 0, (0..100).map(|id| record(&id.to_string())));
        let urls = [first.receiver.url(), second.receiver.url()];
        let setup = Setup::new(&cluster, &first, "'t'").mapping(BY_ID).urls(&urls);
        let setup = if is_v1 { setup.v1() } else { setup };
        let ms = Duration::from_millis;
        let delays = Delays { blocked_first: ms(20), blocked_max: ms(50), ..Delays::default() };
        let bridge = setup.start_with(PipelineOptions { delays, ..PipelineOptions::default() });
        wait_until(&format!("{cause} is raised for {body}"), || {
            bridge.0.writer().alarms().iter().any(|alarm| alarm.cause == cause && alarm.blocks)
        });
        let requests = first.requests();
        wait_until("it is tried again", || first.requests() > requests + 5);
        assert_eq!(second.requests(), 0, "{body}");
        assert_eq!(cluster.committed("t", 1), [None], "{body}");
        first.answer(None);
        wait_until(&format!("all is committed after {body}"), || cluster.committed("t", 1) == [Some(100)]);
        assert_eq!(first.receiver.point_count(), 100);
        assert_eq!(second.requests(), 0, "{body}");
        bridge.stop();
    };
    f(r#"{"code":"not found","message":"bucket \"main\" not found"}"#, "bucket_missing", false);
    f(r#"{"code":"not found","message":"organization name \"test\" not found"}"#, "org_missing", false);
    f(r#"{"error":"database not found: \"main\""}"#, "database_missing", true);
    f(r#"{"code":"not found","message":"no dbrp mapping found"}"#, "mapping_missing", true);
}

/// Linux serves all of 127.0.0.0/8.
#[cfg(target_os = "linux")]
mod names {
    use super::*;
    use crate::names;
    use crate::support::Bridge;
    use influx::ConnectOptions;
    use kafka_influx_bridge::pipeline::PipelineOptions;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr};
    use std::time::Duration;

    const NEW_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// A name that resolves to the first of two servers with the same port, and a bridge that writes to this name.
    struct Moving {
        name: &'static str,
        cluster: Cluster,
        old: Sink,
        new: Sink,
        bridge: Bridge,
    }

    impl Moving {
        fn start(name: &'static str, age_max: Duration) -> Self {
            let old = Sink::start();
            let port = old.receiver.address().port();
            let new = Sink::at(SocketAddr::new(NEW_ADDRESS, port));
            names::set_address(name, old.receiver.address().ip());
            let cluster = Cluster::with_topic("t", 1);
            let setup = Setup::new(&cluster, &old, "'t'").mapping(BY_ID).influx("timeout = '1s'");
            let connect_options = ConnectOptions { age_max, resolver: Some(names::resolve) };
            let options = PipelineOptions { connect_options, ..PipelineOptions::default() };
            let bridge = setup.urls(&[format!("http://{name}:{port}")]).start_with(options);
            cluster.produce("t", 0, [record("before")]);
            old.wait_for_points("main", 1);
            Self { name, cluster, old, new, bridge }
        }

        fn move_name(&self) {
            names::set_address(self.name, NEW_ADDRESS);
        }

        /// Produces one record after another until the new server gets one.
        fn produce_until_moved(&self) -> usize {
            let mut produced = 1;
            wait_until("lines arrive at the new address", || {
                self.cluster.produce("t", 0, [record(&produced.to_string())]);
                produced += 1;
                !self.new.points("main").is_empty()
            });
            produced
        }

        /// Asserts that all records are committed, and that each is stored at one of the addresses.
        fn end(self, produced: usize) {
            wait_until("all is committed", || self.cluster.committed("t", 1) == [Some(produced as i64)]);
            let mut ids = [self.old.ids("main"), self.new.ids("main")].concat();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), produced);
            self.bridge.stop();
        }
    }

    /// The old server still answers, like a replaced server that is kept for a while: only the age limit ends its connections.
    #[test]
    fn a_name_is_resolved_again_when_its_connections_reach_their_maximum_age() {
        let moving = Moving::start("aged.localhost", Duration::from_millis(300));
        moving.move_name();
        let produced = moving.produce_until_moved();
        moving.end(produced);
    }

    #[test]
    fn connections_below_their_maximum_age_are_kept() {
        let moving = Moving::start("young.localhost", ConnectOptions::default().age_max);
        moving.move_name();
        moving.cluster.produce("t", 0, (0..20).map(|id| record(&id.to_string())));
        moving.old.wait_for_points("main", 21);
        assert_eq!(moving.new.requests(), 0, "nothing ended the connection");
        moving.end(21);
    }

    /// The old server hangs. No connection to it is used twice.
    #[test]
    fn a_name_is_resolved_again_when_its_old_address_falls_silent() {
        let moving = Moving::start("silent.localhost", ConnectOptions::default().age_max);
        moving.old.answer(Some(Reply::status(204).ending(Ending::Hang)));
        moving.move_name();
        let produced = moving.produce_until_moved();
        moving.end(produced);
    }
}
