//! TLS and proxies between the bridge and InfluxDB.

use super::*;
use crate::support::config::v2_with;
use crate::support::{HIDDEN_HOST, Kafka, Live, OwnInflux, Produced, Proxy, measured, tls_before, variable};

/// A topic with one record that a bridge stores at this address.
struct OneRecord<'a> {
    live: &'a Live,
    kafka: Kafka,
    topic: String,
    bucket: String,
}

impl<'a> OneRecord<'a> {
    fn new(live: &'a Live, bucket: String) -> Self {
        let kafka = live.kafka();
        let topic = kafka.create_topic(live.name("influx_tls"), 1, 1);
        kafka.produce(&topic, [Produced::new(r#"{"value":1}"#)]);
        Self { live, kafka, topic, bucket }
    }

    fn start(&self, way: &str, url: &str, tls: &str, variables: &[(&str, &str)]) -> Bridge {
        let group = self.live.name(way);
        let influx = v2_with(url, &self.bucket, &variable("INFLUX2_TOKEN"));
        let brokers = variable("KAFKA");
        let config = config(&brokers, &self.topic, "", &format!("{influx}\n{tls}"));
        let config =
            config.replace(&format!("group_id = '{}'", self.topic), &format!("group_id = '{group}'"));
        Bridge::start(&config, variables)
    }

    fn assert_stores(&self, way: &str, url: &str, tls: &str, variables: &[(&str, &str)]) {
        let bridge = self.start(way, url, tls, variables);
        let (_, took) = bridge.wait_for_log(&["first lines stored"], PATIENCE);
        measured(way, format!("stored after {took:.1?}"));
        assert_no_secrets(&log(&bridge), &[&variable("INFLUX2_TOKEN")]);
        bridge.stop();
    }

    /// Asserts that the bridge waits, and logs the reason.
    fn assert_blocked(&self, way: &str, url: &str, tls: &str, variables: &[(&str, &str)], words: &[&str]) {
        let bridge = self.start(way, url, tls, variables);
        assert_logged(way, &bridge, words);
        let group = self.kafka.group(&self.live.name(way));
        assert_eq!(group.committed(&self.topic, 1), [-1], "{way}: it is not stored");
        assert_no_secrets(&log(&bridge), &[&variable("INFLUX2_TOKEN")]);
        // SIGKILL, because a stop would wait for records that cannot be stored.
        bridge.kill();
    }
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn influxdb_behind_tls() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let certificates = &secure.certificates;
    let own = OwnInflux::start(
        &live,
        &["--tls-cert", &certificates.pem("server"), "--tls-key", &certificates.key("server")],
    );
    let bucket = own.influx.create_bucket(live.name("tls"));
    let scene = OneRecord::new(&live, bucket);
    let url = own.influx.url();
    let ca = format!("[influx.tls]\nca_file = '{}'\n", certificates.pem("ca"));
    let stranger = format!("[influx.tls]\nca_file = '{}'\n", certificates.pem("stranger"));
    scene.assert_stores("tls", url, &ca, &[]);
    scene.assert_stores("tls_by_name", &url.replace("127.0.0.1", "localhost"), &ca, &[]);
    scene.assert_stores("tls_unverified", url, "[influx.tls]\nverify = false\n", &[]);
    let untrusted = ["UnknownIssuer", "influx.tls.ca_file"];
    scene.assert_blocked("tls_stranger", url, &stranger, &[], &untrusted);
    scene.assert_blocked("tls_system", url, "", &[], &untrusted);
    scene.assert_blocked("http_to_https", &url.replace("https:", "http:"), "", &[], &["https://"]);
    let proxy = Proxy::to(url);
    let hidden = format!("https://{HIDDEN_HOST}:8086");
    let through = |login: &str| format!("http://{login}{}", proxy.address);
    scene.assert_stores("connect", &hidden, &ca, &[("HTTPS_PROXY", &through(""))]);
    scene.assert_stores("connect_lower_case", &hidden, &ca, &[("https_proxy", &through(""))]);
    scene.assert_stores("connect_all", &hidden, &ca, &[("ALL_PROXY", &through(""))]);
    assert!(proxy.counts().0 >= 3 && proxy.counts().1 == 0, "{:?}", proxy.counts());
    // A name that only the certificate does not have.
    let other = hidden.replace(HIDDEN_HOST, "other.hidden.example");
    scene.assert_blocked("tls_name", &other, &ca, &[("HTTPS_PROXY", &through(""))], &["not valid for name"]);
    // proxy-user:proxy-pass-word
    proxy.want("Basic cHJveHktdXNlcjpwcm94eS1wYXNzLXdvcmQ=");
    let login = through(&format!("proxy-user:{PROXY_PASSWORD}@"));
    scene.assert_stores("connect_login", &hidden, &ca, &[("HTTPS_PROXY", &login)]);
    let wrong = through(&format!("proxy-user:{WRONG_PASSWORD}@"));
    let refused = ["the proxy's login", "HTTPS_PROXY"];
    scene.assert_blocked("connect_refused", &hidden, &ca, &[("HTTPS_PROXY", &wrong)], &refused);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn influxdb_behind_tls_with_client_certificates() {
    let live = Live::take_turn();
    let secure = SecureKafka::shared(&live);
    let (certificates, influx) = (&secure.certificates, live.influx2());
    let scene = OneRecord::new(&live, influx.create_bucket(live.name("mutual")));
    let url = format!("https://{}", tls_before(influx.url(), certificates, "server"));
    let ca = format!("[influx.tls]\nca_file = '{}'\n", certificates.pem("ca"));
    let with = |name: &str| format!("{ca}{}", client_certificate(secure, name, name));
    scene.assert_stores("mutual", &url, &with("client"), &[]);
    let wanted = ["influx.tls.cert_file"];
    scene.assert_blocked("mutual_without", &url, &ca, &[], &wanted);
    scene.assert_blocked("mutual_stranger", &url, &with("stranger"), &[], &wanted);
    let expired = format!("https://{}", tls_before(influx.url(), certificates, "expired"));
    scene.assert_blocked("expired", &expired, &with("client"), &[], &["expired", "renew"]);
    let plain = influx.url().replace("http:", "https:");
    scene.assert_blocked("https_to_http", &plain, &ca, &[], &["http://"]);
}

#[test]
#[ignore = "needs real servers: tests/stack/README.md says how to start them and run this"]
fn influxdb_behind_a_proxy_without_tls() {
    let live = Live::take_turn();
    let influx = live.influx2();
    let scene = OneRecord::new(&live, influx.create_bucket(live.name("proxy")));
    let proxy = Proxy::to(influx.url());
    let address = format!("http://{}", proxy.address);
    let hidden = format!("http://{HIDDEN_HOST}:8086");
    scene.assert_stores("proxy", &hidden, "", &[("HTTP_PROXY", &address)]);
    assert!(proxy.counts().0 == 0 && proxy.counts().1 > 0, "{:?}", proxy.counts());
    let before = proxy.counts();
    scene.assert_stores("loopback", influx.url(), "", &[("HTTP_PROXY", &address), ("ALL_PROXY", &address)]);
    let without = [("HTTP_PROXY", address.as_str()), ("NO_PROXY", "other.example,.hidden.example")];
    scene.assert_blocked("no_proxy", &hidden, "", &without, &["unreachable", "influx.url"]);
    for (number, list) in ["*.hidden.example", "influx.hidden.example:8086", "other, *"].iter().enumerate() {
        let without = [("HTTP_PROXY", address.as_str()), ("NO_PROXY", list)];
        let name = format!("no_proxy_{number}");
        scene.assert_blocked(&name, &hidden, "", &without, &["unreachable", "influx.url"]);
    }
    // `no_proxy` names another host, and the proxy is for https only.
    scene.assert_blocked(
        "other_scheme",
        &hidden,
        "",
        &[("HTTPS_PROXY", &address)],
        &["unreachable", "influx.url"],
    );
    assert_eq!(proxy.counts(), before);
    proxy.want("Basic cHJveHktdXNlcjpwcm94eS1wYXNzLXdvcmQ=");
    let wrong = address.replace("http://", &format!("http://proxy-user:{WRONG_PASSWORD}@"));
    scene.assert_blocked(
        "proxy_refused",
        &hidden,
        "",
        &[("HTTP_PROXY", &wrong)],
        &["the proxy's login", "HTTP_PROXY"],
    );
    let login = address.replace("http://", &format!("http://proxy-user:{PROXY_PASSWORD}@"));
    scene.assert_stores("proxy_login", &hidden, "", &[("HTTP_PROXY", &login)]);
    let dead = [("HTTP_PROXY", "http://127.0.0.1:9")];
    scene.assert_blocked("proxy_dead", &hidden, "", &dead, &["HTTP_PROXY"]);
}
