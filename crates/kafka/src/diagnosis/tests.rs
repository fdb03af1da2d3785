use super::*;
use base::secret::Secret;

fn reported(code: Option<Code>, text: &str) -> ReportedError {
    ReportedError { code, text: text.to_owned() }
}

/// Texts of librdkafka 2.12, against Kafka 4.1.
#[test]
fn advice_for_a_running_bridge_names_the_key() {
    let f = |code: Code, text: &str, want: &str| {
        let said = advice(code, text).unwrap();
        assert!(said.contains(want), "{text}: {said}");
    };
    f(Code::SSL, "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed", "ca_file");
    f(Code::SSL, "error:0A00045C:SSL routines::tlsv13 alert certificate required", "cert_file");
    f(Code::SSL, "error:0A00010B:SSL routines::wrong version number", "no TLS at this port");
    f(Code::SSL, "something else", "kafka.tls");
    f(Code::BrokerTransportFailure, "Disconnected: connecting to a PLAINTEXT broker listener?", "no TLS");
    f(Code::BrokerTransportFailure, "Connection refused", "kafka.brokers");
    f(Code::Authentication, "SASL SCRAM-SHA-512 authentication error: no", "`password` of [kafka.sasl]");
    f(Code::Authentication, r#"SASL authentication error: {"status":"invalid_token"}"#, "refuses the token");
    f(Code::Authentication, "Failed to acquire SASL OAUTHBEARER token: no", "no token");
    f(Code::UnknownTopicOrPartition, "", "`kafka.topics`");
    f(Code::TopicAuthorizationFailed, "", "READ and DESCRIBE");
    f(Code::GroupAuthorizationFailed, "", "`kafka.group_id`");
    assert_eq!(advice(Code::Fail, "?"), None);
    f(Code::BadMessage, "Receive failed: Invalid response size 1213486160 (0..100000000)", "speaks HTTP");
}

#[test]
fn each_connection_fault_has_an_alarm() {
    let f = |code: Code, text: &str, want: Option<AlarmCause>, is_certain: bool| {
        let advice = diagnose(code, text, false).unwrap();
        assert_eq!((advice.cause(), advice.is_certain), (want, is_certain), "{text}");
    };
    f(Code::Authentication, "SASL authentication error: no", Some(AlarmCause::Login), true);
    f(Code::SSL, "SSL handshake failed", Some(AlarmCause::Tls), true);
    f(
        Code::BrokerTransportFailure,
        "Receive failed: SSL routines::bad certificate",
        Some(AlarmCause::Tls),
        false,
    );
    f(
        Code::BrokerTransportFailure,
        "broker might require SASL authentication",
        Some(AlarmCause::Login),
        false,
    );
    f(Code::BrokerTransportFailure, "(connecting to a SSL listener?)", Some(AlarmCause::Tls), false);
    f(Code::Resolve, "Failed to resolve 'n:1'", Some(AlarmCause::Unreachable), false);
    f(Code::AllBrokersDown, "1/1 brokers are down", Some(AlarmCause::Unreachable), false);
    f(Code::UnknownTopic, "", None, false);
    // A restarting broker ends connections at any moment, and its advertised address does not answer.
    let ended = "h:1/1: Disconnected: connection closed by peer (after 3ms in state APIVERSION_QUERY)";
    f(Code::BrokerTransportFailure, ended, Some(AlarmCause::Unreachable), false);
    let refused =
        "h:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
    assert_eq!(diagnose(Code::BrokerTransportFailure, refused, false).unwrap().fault, Fault::NotConnected);
}

#[test]
fn diagnosis_of_a_new_client_names_the_key() {
    let security = Security::for_test(true, true);
    let f = |text: &str, want: &str, key: &str| {
        let heard = [
            ReportedError::logged("[thrd:x:1/bootstrap]: x:1/bootstrap: Connect failed"),
            ReportedError::logged(&format!(
                "[thrd:x:1/bootstrap]: x:1/bootstrap: {text} (after 3ms in state X)"
            )),
        ];
        let found = Diagnosis::of(&heard, &security);
        assert!(found.what().contains(want), "{text}: {}", found.what());
        assert!(found.fault.remedy().contains(key), "{text}: {found}");
        assert!(found.is_final(), "{text}");
    };
    f(
        "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
        "does not offer this `kafka.sasl.mechanism` at this port: it offers SCRAM-SHA-512",
        "`kafka.sasl.mechanism`",
    );
    f(
        "SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms: ",
        "takes no login",
        "take [kafka.sasl] out",
    );
    f(
        "SASL authentication error: Authentication failed: Invalid username or password",
        "refuses the login: SASL authentication error: Authentication failed: Invalid username or password",
        "password",
    );
    f(
        "Disconnected: connection closed by peer: verify that security.protocol is correctly configured, broker might require SASL authentication",
        "want a login",
        "add [kafka.sasl]",
    );
    f(
        "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request)",
        "seems to want TLS",
        "add [kafka.tls]",
    );
    f(
        "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
        "speaks no TLS",
        "take [kafka.tls] out",
    );
    f("SSL handshake failed: error:0A00010B:SSL routines::wrong version number", "no TLS", "[kafka.tls]");
    f(
        "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location",
        "not trusted: its authority is unknown",
        "ca_file`",
    );
    f(
        "Failed to verify broker certificate: self-signed certificate in certificate chain",
        "signed by itself",
        "ca_file`",
    );
    f("Failed to verify broker certificate: hostname mismatch", "for other names", "`kafka.brokers`");
    f("Failed to verify broker certificate: certificate has expired", "has expired", "clock");
    f(
        "SSL handshake failed: ssl/record: tlsv13 alert certificate required",
        "certificate of this client",
        "cert_file`",
    );
    f(
        "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42",
        "certificate of this client",
        "cert_file`",
    );
    f(
        "Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes",
        "speaks HTTP",
        "kafka.brokers",
    );
    f("Receive failed: Invalid response size 352518912 (0..100000000)", "answers in TLS", "[kafka.tls]");
    f("Receive failed: Invalid response size -5 (0..100000000)", "is not Kafka", "kafka.brokers");
}

/// `run`, `check --connect` and `init` must not contradict each other.
#[test]
fn a_running_bridge_and_a_new_client_give_the_same_advice() {
    let cases = [
        (Code::SSL, "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?"),
        (Code::SSL, "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed"),
        (Code::SSL, "SSL handshake failed: tlsv13 alert certificate required"),
        (Code::Authentication, "SASL authentication error: Invalid username or password"),
        (Code::Authentication, "Failed to acquire SASL OAUTHBEARER token: no"),
        (Code::Authentication, "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism"),
        (Code::BrokerTransportFailure, "Disconnected: broker might require SASL authentication"),
        (Code::BrokerTransportFailure, "x:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused"),
        (Code::Resolve, "x:1/bootstrap: Failed to resolve 'x:1'"),
        (Code::TopicAuthorizationFailed, "Broker: Topic authorization failed"),
    ];
    for (code, text) in cases {
        let new = Diagnosis::of(&[reported(Some(code), text)], &Security::for_test(true, true)).fault;
        assert_eq!(diagnose(code, text, false).unwrap().fault, new, "{text}");
    }
}

#[test]
fn the_moment_of_a_disconnection_shows_what_a_new_client_lacks() {
    let f = |tls: bool, sasl: bool, state: &str, want: &str| {
        let text =
            format!("x:1/bootstrap: Disconnected: connection closed by peer (after 3ms in state {state})");
        let down = reported(Some(Code::AllBrokersDown), "1/1 brokers are down");
        let found = Diagnosis::of(&[ReportedError::logged(&text), down], &Security::for_test(tls, sasl));
        assert!(found.what().contains(want), "{tls} {sasl} {state}: {found}");
    };
    f(false, false, "APIVERSION_QUERY", "want TLS");
    f(false, true, "APIVERSION_QUERY", "want TLS");
    f(true, false, "APIVERSION_QUERY", "certificate of this client");
    f(false, false, "UP", "want a login");
    f(true, false, "UP", "want a login");
    f(true, true, "UP", "Kafka does not answer: Disconnected: connection closed by peer");
}

#[test]
fn distinguishes_configured_from_advertised_addresses() {
    let f = |text: &str, want: bool| {
        let heard = [reported(Some(Code::Resolve), text)];
        let found = Diagnosis::of(&heard, &Security::default());
        assert_eq!(left_bootstrap(&heard), want, "{text}");
        assert_eq!(found.fault == Fault::Advertised, want, "{text}");
        assert!(!found.is_final(), "{text}");
    };
    f(
        "[thrd:n.invalid:9/1]: n.invalid:9/1: Failed to resolve 'n.invalid:9': Name or service not known",
        true,
    );
    f(
        "n.invalid:9/12: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)",
        true,
    );
    f("[thrd:n.invalid:9/bootstrap]: n.invalid:9/bootstrap: Failed to resolve 'n.invalid:9'", false);
    f("GroupCoordinator: Failed to resolve", false);
}

#[test]
fn lists_the_advertised_brokers_that_can_not_be_reached() {
    let unresolved = |text: &str| reported(Some(Code::Resolve), text);
    let broker = |id, host: &str, port| AdvertisedBroker { id, host: host.into(), port };
    let heard = [
        unresolved(
            "[thrd:sasl_ssl://b.invalid:9/2]: sasl_ssl://b.invalid:9/2: Failed to resolve 'b.invalid:9'",
        ),
        unresolved("given:9/bootstrap: Failed to resolve 'given:9'"),
        unresolved("a.invalid:9/1: Failed to resolve 'a.invalid:9'"),
        unresolved("[::1]:7/3: Connect to ipv6#[::1]:7 failed: Connection refused"),
        unresolved("a.invalid:9/1: Failed to resolve 'a.invalid:9'"),
    ];
    let want = [broker(1, "a.invalid", 9), broker(2, "b.invalid", 9), broker(3, "::1", 7)];
    assert_eq!(advertised_brokers(&heard), want);
    let reversed: Vec<ReportedError> = heard.iter().rev().cloned().collect();
    assert_eq!(advertised_brokers(&reversed), want);
}

#[test]
fn an_unsupported_metadata_request_shows_a_controller() {
    let heard = [ReportedError::of(&KafkaError::MetadataFetch(Code::UnsupportedFeature))];
    let found = Diagnosis::of(&heard, &Security::default());
    assert!(found.what().contains("KRaft controller"), "{found}");
    assert!(found.fault.remedy().contains("`kafka.brokers`"), "{found}");
    assert!(found.is_final());
}

/// librdkafka's threads report in any order.
#[test]
fn the_diagnosis_does_not_depend_on_the_order_of_messages() {
    let said = |code: Option<Code>, text: &str| {
        reported(code, &format!("[thrd:x:1/bootstrap]: x:1/bootstrap: {text}"))
    };
    let transport = Some(Code::BrokerTransportFailure);
    let heard = [
        said(Some(Code::AllBrokersDown), "1/1 brokers are down"),
        said(Some(Code::Resolve), "Failed to resolve 'n.invalid:1': Name or service not known"),
        said(
            transport,
            "Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
        ),
        said(None, "Disconnected: connection closed by peer (after 3ms in state APIVERSION_QUERY)"),
        said(transport, "Disconnected: connection closed by peer (after 3ms in state UP)"),
        said(None, "Disconnected while requesting ApiVersion: (connecting to a SSL listener?)"),
        said(None, "Disconnected: broker might require SASL authentication"),
        said(None, "ApiVersionRequest failed: Local: Timed out"),
        said(None, "Receive failed: Invalid response size 352518912 (0..100000000)"),
        said(None, "Receive failed: Invalid response size 1213486160 (0..100000000)"),
        said(None, "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed"),
        said(None, "Failed to verify broker certificate: self-signed certificate in certificate chain"),
        said(None, "Failed to verify broker certificate: hostname mismatch"),
        said(
            Some(Code::Authentication),
            "SASL authentication error: Authentication failed (after 5ms in state AUTH_REQ)",
        ),
        said(Some(Code::Authentication), "SASL authentication error: no such user"),
        ReportedError::of(&KafkaError::MetadataFetch(Code::OperationTimedOut)),
        ReportedError::of(&KafkaError::MetadataFetch(Code::BrokerTransportFailure)),
    ];
    for security in [Security::default(), Security::for_test(true, false), Security::for_test(true, true)] {
        for a in &heard {
            for b in &heard {
                for c in &heard {
                    let want = Diagnosis::of(&[a.clone(), b.clone(), c.clone()], &security);
                    for order in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                        assert_eq!(Diagnosis::of(&order.map(Clone::clone), &security), want, "{order:#?}");
                    }
                }
            }
        }
    }
}

#[test]
fn only_lasting_faults_are_final() {
    let text =
        "x:1/bootstrap: Connect to ipv6#[::1]:1 failed: Connection refused (after 0ms in state CONNECT)";
    let heard = [reported(Some(Code::BrokerTransportFailure), text)];
    let found = Diagnosis::of(&heard, &Security::default());
    assert!(!found.is_final());
    assert!(found.what().ends_with("Connect to ipv6#[::1]:1 failed: Connection refused"), "{found}");
    assert!(found.fault.remedy().contains("kafka.brokers"));
    let nothing = Diagnosis::of(&[], &Security::default());
    assert_eq!(nothing.what(), "Kafka does not answer");
    // librdkafka's text is the detail; the code of the request adds nothing.
    let request = ReportedError::of(&KafkaError::MetadataFetch(Code::BrokerTransportFailure));
    let found = Diagnosis::of(std::slice::from_ref(&request), &Security::default());
    assert_eq!(found.what(), "Kafka does not answer");
    let heard = [request, ReportedError::logged("x:1/bootstrap: ApiVersionRequest failed: timed out")];
    let want = "Kafka does not answer: ApiVersionRequest failed: timed out";
    assert_eq!(Diagnosis::of(&heard, &Security::default()).what(), want);
    assert!(!nothing.is_final());
}

#[test]
fn a_second_handshake_finds_why_a_certificate_is_not_trusted() {
    let said = "ssl://x:1/bootstrap: SSL handshake failed: certificate verify failed";
    let found = Diagnosis::of(&[reported(Some(Code::SSL), said)], &Security::for_test(true, false));
    assert!(found.is_untrusted());
    let f = |why: &str, want: Fault| {
        let found = found.clone().with_handshake(why);
        assert_eq!(found.fault, want, "{why}");
        assert!(found.what().ends_with(why), "{found}");
    };
    f("invalid peer certificate: UnknownIssuer", Fault::UnknownAuthority);
    f("invalid peer certificate: certificate expired: verification time 1", Fault::Expired);
    f("invalid peer certificate: certificate not valid for name \"a\"", Fault::OtherName);
}

#[test]
fn the_error_of_a_client_that_is_not_created_shows_no_value() {
    let error = KafkaError::ClientConfig(
        rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
        "No such value".into(),
        "sasl.password".into(),
        "hidden".into(),
    );
    let found = Diagnosis::of(&[ReportedError::no_client(&error)], &Security::default());
    assert!(found.is_of_client());
    assert_eq!(found.what(), "the Kafka client can't be made: sasl.password: No such value");
    assert_eq!(
        why_no_client(&error),
        "sasl.password: No such value: correct what the message names in [kafka], [kafka.tls], [kafka.sasl] or [kafka.librdkafka]"
    );
    let words = why_no_client(&KafkaError::ClientCreation("ssl.key.location failed: bad decrypt".to_owned()));
    assert!(words.contains("key_password"), "{words}");
}

#[test]
fn reads_tls_and_login_from_the_properties() {
    let f = |properties: &[(&str, &str)], want: &str| {
        let properties: Vec<_> =
            properties.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        assert_eq!(Security::of(&properties).words(), want);
    };
    f(&[], "");
    f(&[("security.protocol", "ssl")], ", by TLS");
    f(&[("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", "PLAIN")], ", logged in by PLAIN");
    f(
        &[
            ("security.protocol", "ssl"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
        ],
        ", by TLS, logged in by SCRAM-SHA-256",
    );
}
