//! Several servers behind one address, of which one is broken: it answers 400 with a page to everything.

use super::*;
use testkit::receiver::Faults;
use tokio::net::{TcpListener, TcpStream};

fn page() -> Reply {
    Reply::status(400).body("<html>400 Bad Request</html>")
}

/// Starts a balancer that forwards each connection to the next of these servers.
async fn balance_connections(servers: Vec<std::net::SocketAddr>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for server in servers.iter().cycle() {
            let Ok((mut client, _)) = listener.accept().await else { return };
            let server = *server;
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(server).await.unwrap();
                // A connection that ends early is the client's to report.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    url
}

/// Each of several lanes keeps its connection, so all of its requests reach one server.
#[tokio::test]
async fn a_broken_server_that_some_connections_lead_to_refuses_no_line() {
    let options = Options { faults: Some(Box::new(|_| Some(page()))), ..Options::default() };
    let broken = Receiver::start(options).await.unwrap();
    let well = Receiver::start(Options::default()).await.unwrap();
    let url = balance_connections(vec![broken.address(), well.address()]).await;
    let (events, writer) = start_writer(&connection(&url), OPTIONS);
    let destination = bucket();
    let mut lanes = [1, 2, 3].map(|seed| writer.lane(seed));
    for round in 0..10 {
        // The lengths include batches of one line, which have no control of their own.
        let batches = [0, 1, 2].map(|lane| {
            lines((0..[1, 7, 60][lane]).map(|i| format!("m,lane={lane} v={i} {}", 100 * round + i)))
        });
        let [one, two, three] = lanes.each_mut();
        let deliveries = async {
            tokio::join!(
                one.deliver(&destination, &batches[0]),
                two.deliver(&destination, &batches[1]),
                three.deliver(&destination, &batches[2])
            )
        };
        let delivered = tokio::time::timeout(PATIENCE, deliveries).await.expect("all end");
        for delivered in [delivered.0, delivered.1, delivered.2] {
            assert_eq!(delivered.refused, [], "in round {round}");
        }
    }
    assert_eq!(well.point_count(), 10 * 68);
    let warnings = events.take().into_iter().filter(|event| matches!(event, Event::Contradicted { .. }));
    assert_eq!(warnings.count(), 1, "one warning an hour");
    assert!(writer.alarms().is_empty());
}

/// A line that every server refuses with unknown words keeps its batch blocked, with a message about the servers. The other lines are
/// not sent again.
#[tokio::test]
async fn a_batch_at_a_contradictory_address_blocks_and_sends_only_what_is_not_stored() {
    let is_well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let lines_sent = Arc::new(AtomicUsize::new(0));
    let (well, sent) = (Arc::clone(&is_well), Arc::clone(&lines_sent));
    let faults: Faults = Box::new(move |request| {
        sent.fetch_add(request.line_count(), Relaxed);
        let is_bad = String::from_utf8_lossy(&request.text).contains("m v=7 7\n");
        // The first request is refused as a whole, and its lines are stored later.
        (request.number == 1 || (is_bad && !well.load(Relaxed))).then(page)
    });
    let setup = Setup::new(Options { faults: Some(faults), ..Options::default() }).await;
    setup.deliver(&bucket(), &good(5)).await;
    assert_eq!(setup.events.take().iter().filter(|e| matches!(e, Event::Contradicted { .. })).count(), 1);

    lines_sent.store(0, Relaxed);
    let (mut lane, destination, batch) = (setup.writer.lane(7), bucket(), good(100));
    let meanwhile = async {
        let mut raised = 0;
        while raised < 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let alarm = setup.writer.alarms().into_iter().next();
            let stored = setup.receiver.point_count();
            if let Some(alarm) = alarm.filter(|_| stored == 99) {
                assert_eq!((alarm.cause, alarm.blocks), ("refusal_unproven", true));
                assert!(
                    alarm.remedy.contains("behind") && alarm.remedy.contains("load balancer"),
                    "{alarm:?}"
                );
                raised += 1;
            }
        }
        let before = lines_sent.load(Relaxed);
        until_sent(&lines_sent, before + 20).await;
        assert!(before < 2_000, "{before}");
        is_well.store(true, Relaxed);
        // Since the others were stored, each request has been the bad line alone.
        setup.receiver.counts().lines_stored.load(Relaxed)
    };
    let both = async { tokio::join!(lane.deliver(&destination, &batch), meanwhile) };
    let (delivered, stored_before) = tokio::time::timeout(PATIENCE, both).await.expect("it ends");
    assert_eq!((delivered.lines_stored, delivered.refused.len()), (100, 0));
    let stored = setup.receiver.counts().lines_stored.load(Relaxed);
    assert_eq!(stored, stored_before + 1, "only the last line was sent and stored");
}

async fn until_sent(count: &AtomicUsize, want: usize) {
    let waiting = async {
        while count.load(Relaxed) < want {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the line is retried");
}

/// A line whose only server refuses it with unknown words is refused, also where each batch is this line alone: other lanes store.
#[tokio::test]
async fn a_bad_line_at_one_server_is_refused_with_the_controls_of_other_lanes() {
    let setup = Setup::faults(|request| {
        let is_bad = String::from_utf8_lossy(&request.text).contains("s=bad");
        is_bad.then(|| Reply::status(422).body("what"))
    })
    .await;
    let (mut one, mut other, destination) = (setup.writer.lane(7), setup.writer.lane(8), bucket());
    let bad = lines(["m,s=bad v=1 1"]);
    let delivery = one.deliver(&destination, &bad);
    let traffic = async {
        loop {
            other.deliver(&destination, &good(3)).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let delivered = tokio::select! {
        delivered = tokio::time::timeout(PATIENCE, delivery) => delivered.expect("it is refused"),
        () = traffic => unreachable!(),
    };
    assert_eq!(refused_lines(&delivered), [0]);
    assert!(delivered.requests.refused >= 8, "{:?}", delivered.requests);
}
