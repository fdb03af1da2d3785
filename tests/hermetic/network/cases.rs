//! The bridge between two faulty networks.

use super::model::Model;
use crate::seed;
use crate::tcp_proxy::JOIN_GROUP;
use std::time::{Duration, Instant};

/// One event of a run. Every run has each event, in random order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    Kafka,
    Influx,
    Both,
    /// InfluxDB stores the lines, and the bridge gets no response.
    AnswersLost,
    /// InfluxDB's name resolves to another address.
    InfluxMoves,
    /// The broker's address changes, also in its metadata.
    KafkaMoves,
    /// SIGTERM during network faults.
    Stop,
    /// SIGKILL during network faults.
    Kill,
}

impl Round {
    const ALL: [Self; 8] = [
        Self::Kafka,
        Self::Influx,
        Self::Both,
        Self::AnswersLost,
        Self::InfluxMoves,
        Self::KafkaMoves,
        Self::Stop,
        Self::Kill,
    ];

    /// Whether the networks of Kafka and of InfluxDB have random faults during the event.
    fn faulty(self, rng: &mut fastrand::Rng) -> (bool, bool) {
        match self {
            Self::Kafka => (true, false),
            Self::Influx => (false, true),
            Self::Both => (true, true),
            Self::AnswersLost => (rng.bool(), false),
            Self::InfluxMoves | Self::KafkaMoves | Self::Stop | Self::Kill => (rng.bool(), rng.bool()),
        }
    }

    fn ends_process(self) -> bool {
        matches!(self, Self::Stop | Self::Kill)
    }
}

fn play(round: Round, model: &mut Model, rng: &mut fastrand::Rng) {
    if round.ends_process() {
        model.end();
        model.start_process();
        let before = model.points();
        model.produce(20, rng);
        model.wait_until("the process stores lines", |model| model.points() > before);
    }
    let before =
        (model.kafka.counts().all(), model.influx.counts().all(), model.influx.counts().answers_lost);
    let (kafka_fails, influx_fails) = round.faulty(rng);
    model.kafka.set_faulty(kafka_fails);
    model.influx.set_faulty(influx_fails);
    let answers = rng.u32(1..5);
    match round {
        Round::AnswersLost => model.influx.lose_answers(answers),
        Round::InfluxMoves => model.move_influx(),
        Round::KafkaMoves => model.kafka.move_away(true),
        _ => {}
    }
    let (begin, shortest) = (Instant::now(), Duration::from_millis(rng.u64(300..1_200)));
    let points = model.points();
    let mut produce = rng.fork();
    model.wait_until(&format!("the network fails ({round:?})"), |model| {
        model.produce(produce.usize(1..20), &mut produce);
        let (kafka, influx) = (model.kafka.counts(), model.influx.counts());
        let has_failed = match round {
            Round::Kafka => kafka.all() > before.0,
            Round::Influx => influx.all() > before.1,
            Round::Both => kafka.all() > before.0 || influx.all() > before.1,
            Round::AnswersLost => influx.answers_lost == before.2 + u64::from(answers),
            // Lines arrive at the new address.
            Round::InfluxMoves | Round::KafkaMoves => model.points() > points,
            Round::Stop | Round::Kill => true,
        };
        has_failed && begin.elapsed() >= shortest
    });
    if round.ends_process() {
        model.end_process(round == Round::Kill);
        model.start(rng.u64(..));
    }
}

#[test]
#[ignore = "takes as long as its faults; tests/long runs it with several seeds"]
fn loses_nothing_between_faulty_networks() {
    let seed =
        seed::given_or_random("BRIDGE_NETWORK_SEED", "cargo test --test hermetic network -- --ignored");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut model = Model::new("schedule", &mut rng);
    model.start(rng.u64(..));
    model.begin();
    let mut rounds = Round::ALL;
    rng.shuffle(&mut rounds);
    for round in rounds {
        let begin = Instant::now();
        play(round, &mut model, &mut rng);
        eprintln!("{round:?}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    model.kafka.set_faulty(false);
    model.influx.set_faulty(false);
    model.produce(10, &mut rng);
    let took = model.wait_until("all is settled and committed", |model| model.check());
    eprintln!(
        "{} records, {} points, {} lines stored again, {} letters, {} restarts by itself; all settled {:.1} s after the last fault\n\
         Kafka {:?}\nInfluxDB {:?}",
        model.records(),
        model.points(),
        model.stored_again(),
        model.letters(),
        model.restarts,
        took.as_secs_f64(),
        model.kafka.counts(),
        model.influx.counts(),
    );
    assert!(model.stored_again() > 0, "no answer was lost after the lines were stored");
    model.end();
    assert!(model.check(), "all stays committed");
}

/// librdkafka waits for the response to `JoinGroup` for `max.poll.interval.ms`. With its default, a silent connection stopped the bridge for
/// 5 minutes. `crates/kafka/src/properties.rs` sets the bound.
#[test]
fn a_connection_that_falls_silent_during_a_join_stops_reading_for_no_longer_than_the_poll_interval() {
    let mut rng = fastrand::Rng::new();
    let mut model = Model::new("join", &mut rng);
    model.kafka.silence_answer_to(JOIN_GROUP);
    model.start(rng.u64(..));
    model.begin();
    model.produce(30, &mut rng);
    let took = model.wait_until("all is settled and committed", |model| model.check());
    assert_eq!(model.kafka.counts().answers_lost, 1, "no answer to a join was lost");
    eprintln!("settled after {:.1} s", took.as_secs_f64());
    model.end();
}

/// The only broker moves, like a container, and its old connections hang. The client must use `kafka.brokers` again. If librdkafka does not
/// follow the coordinator, the bridge ends and is started again (`crates/kafka/src/moved_coordinator.rs`).
#[test]
#[ignore = "takes as long as its faults; tests/long runs it"]
fn reading_follows_a_broker_that_moves_and_leaves_silent_connections() {
    let mut rng = fastrand::Rng::new();
    let mut model = Model::new("moves", &mut rng);
    model.start(rng.u64(..));
    model.begin();
    for cuts_some in [false, true, true, true] {
        model.kafka.move_away(cuts_some);
        model.produce(30, &mut rng);
        let took = model.wait_until("all is settled and committed", |model| model.check());
        eprintln!("settled {:.1} s after the move, {} restarts", took.as_secs_f64(), model.restarts);
    }
    model.end();
}
