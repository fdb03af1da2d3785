//! Failover between several addresses of one database.

use super::*;
use testkit::receiver::Faults;

/// A receiver whose answer to every write can be set.
struct Switchable {
    receiver: Receiver,
    reply: Arc<Mutex<Option<Reply>>>,
}

impl Switchable {
    async fn start(reply: Option<Reply>) -> Self {
        let reply = Arc::new(Mutex::new(reply));
        let read = Arc::clone(&reply);
        let faults: Faults = Box::new(move |_| read.lock().unwrap().clone());
        let options = Options { faults: Some(faults), ..Options::default() };
        Self { receiver: Receiver::start(options).await.unwrap(), reply }
    }

    fn answer(&self, reply: Option<Reply>) {
        *self.reply.lock().unwrap() = reply;
    }

    fn requests(&self) -> u64 {
        self.receiver.counts().requests.load(Relaxed)
    }

    fn lines_stored(&self) -> u64 {
        self.receiver.counts().lines_stored.load(Relaxed)
    }
}

fn failing() -> Reply {
    Reply::status(503)
}

/// A writer to these receivers, which checks an address that is down after this time.
fn writer_to(receivers: &[&Switchable], down_for: Duration) -> (Arc<Events>, Arc<Writer>) {
    let mut connection = connection("http://h");
    connection.urls = receivers.iter().map(|receiver| receiver.receiver.url().parse().unwrap()).collect();
    let delays = Delays { address_first: down_for, address_max: down_for, ..DELAYS };
    start_writer(&connection, WriterOptions { delays, ..OPTIONS })
}

/// The address changes, as positions in `of`.
fn changes(events: &Events, servers: &[&Switchable]) -> Vec<(usize, usize)> {
    let place = |url: &str| servers.iter().position(|receiver| receiver.receiver.url() == *url).unwrap();
    let change = |event| match event {
        Event::AddressChanged { from, to, .. } | Event::AddressRestored { from, to } => {
            Some((place(&from), place(&to)))
        }
        _ => None,
    };
    events.take().into_iter().filter_map(change).collect()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
}

const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(2);

#[tokio::test]
async fn fails_over_to_the_next_address() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead_url = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    let broken = Receiver::start(Options {
        faults: Some(Box::new(|_| Some(Reply::status(500)))),
        ..Options::default()
    })
    .await
    .unwrap();
    let urls = [dead_url.clone(), broken.url()].map(|url| url.parse().unwrap());
    let setup = Setup::with(Options::default(), OPTIONS, |connection| {
        connection.urls.splice(0..0, urls);
    })
    .await;
    let batch = good(10);
    let destination = bucket();
    let mut lanes = [0, 1, 2, 3].map(|seed| setup.writer.lane(seed));
    let [one, two, three, four] = lanes.each_mut().map(|lane| lane.deliver(&destination, &batch));
    let stored = tokio::join!(one, two, three, four);
    for delivery in [stored.0, stored.1, stored.2, stored.3] {
        assert_eq!(delivery.lines_stored, 10);
    }
    let changes: Vec<_> = (setup.events.take().into_iter())
        .filter_map(|event| match event {
            Event::AddressChanged { from, .. } => Some(from),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [dead_url, broken.url()], "four lanes, one change for each address");
    assert_eq!(
        lanes[0].deliver(&destination, &batch).await.requests.total(),
        1,
        "it stays at the next address"
    );
}

#[tokio::test]
async fn does_not_try_an_address_that_is_down() {
    let (first, second) = (Switchable::start(Some(failing())).await, Switchable::start(None).await);
    let (events, writer) = writer_to(&[&first, &second], LONG);
    let mut lane = writer.lane(7);
    for _ in 0..20 {
        assert_eq!(lane.deliver(&bucket(), &good(5)).await.lines_stored, 5);
    }
    assert_eq!((first.requests(), second.lines_stored()), (1, 100));
    assert_eq!(changes(&events, &[&first, &second]), [(0, 1)]);
    assert_eq!(writer.counters().address_changes.load(Relaxed), 1);
}

#[tokio::test]
async fn fails_back_to_the_first_address_when_it_works() {
    let (first, second) = (Switchable::start(Some(failing())).await, Switchable::start(None).await);
    let (events, writer) = writer_to(&[&first, &second], SHORT);
    let mut lane = writer.lane(7);
    lane.deliver(&bucket(), &good(5)).await;
    until("the address was checked, and still failed", || first.requests() > 3).await;
    assert_eq!(lane.deliver(&bucket(), &good(5)).await.requests.total(), 1, "no lane tries it meanwhile");
    first.answer(None);
    let client = writer.current_client();
    let addresses = client.addresses();
    let all: Vec<_> = addresses.all().collect();
    until("the first is well", || !addresses.is_down(all[0])).await;
    lane.deliver(&bucket(), &good(7)).await;
    assert_eq!((first.lines_stored(), second.lines_stored()), (7, 10));
    assert_eq!(changes(&events, &[&first, &second]), [(0, 1), (1, 0)]);
}

#[tokio::test]
async fn tries_all_addresses_while_none_works() {
    let all = [
        Switchable::start(Some(failing())).await,
        Switchable::start(Some(failing())).await,
        Switchable::start(Some(failing())).await,
    ];
    let [first, second, third] = &all;
    let (events, writer) = writer_to(&[first, second, third], LONG);
    let mut lane = writer.lane(7);
    let (destination, lines) = (bucket(), good(5));
    let meanwhile = async {
        until("each was tried again and again", || all.iter().all(|receiver| receiver.requests() > 3)).await;
        second.answer(None);
    };
    let (delivered, ()) = tokio::join!(lane.deliver(&destination, &lines), meanwhile);
    assert_eq!((delivered.lines_stored, second.lines_stored()), (5, 5));
    lane.deliver(&destination, &lines).await;
    assert_eq!(second.lines_stored(), 10);
    assert_eq!(changes(&events, &[first, second, third]), [(0, 1), (1, 2), (2, 1)]);
}

/// Another address would give the same answer.
#[tokio::test]
async fn stays_at_an_address_that_refuses_lines_or_login() {
    for reply in [
        Reply::status(401).body(r#"{"code":"unauthorized","message":"unauthorized access"}"#),
        Reply::status(404).body(r#"{"message":"bucket \"b\" not found"}"#),
        Reply::status(422).body(r#"{"code":"invalid","message":"what"}"#),
        Reply::status(429),
    ] {
        let (first, second) = (Switchable::start(Some(reply)).await, Switchable::start(None).await);
        let (events, writer) = writer_to(&[&first, &second], LONG);
        let mut lane = writer.lane(7);
        let meanwhile = async {
            until("the address was checked", || first.requests() > 1).await;
            first.answer(None);
        };
        let (destination, lines) = (bucket(), good(200));
        tokio::join!(lane.deliver(&destination, &lines), meanwhile);
        assert_eq!(second.requests(), 0);
        assert!(changes(&events, &[&first, &second]).is_empty());
    }
}

/// Another program answers at the first address: another service, a firewall, a login page.
const OTHERS: [(u16, &str); 11] = [
    (400, "<html>Bad Request</html>"),
    (422, ""),
    (403, "<html>Request blocked</html>"),
    (401, "<html>login</html>"),
    (302, ""),
    (200, "<html>welcome</html>"),
    (402, "<html>pay</html>"),
    (404, "<html>not found</html>"),
    (410, ""),
    (421, ""),
    (405, ""),
];

/// One warning says that the address is skipped. No alarm is raised, because no line waits.
#[tokio::test]
async fn skips_an_address_where_another_program_answers() {
    for (status, body) in OTHERS {
        let reply = Reply::status(status).body(body).header("Location", "http://h/login");
        let (first, second) = (Switchable::start(Some(reply)).await, Switchable::start(None).await);
        let (events, writer) = writer_to(&[&first, &second], LONG);
        let mut lane = writer.lane(7);
        for _ in 0..3 {
            assert_eq!(lane.deliver(&bucket(), &good(5)).await.lines_stored, 5, "{status} {body}");
        }
        assert_eq!((first.requests(), second.lines_stored()), (1, 15), "{status} {body}");
        let events = events.take();
        assert_eq!(causes(&events), [""; 0], "{status} {body}");
        let skipped: Vec<&String> = (events.iter())
            .filter_map(|event| match event {
                Event::AddressChanged { why, .. } => Some(why),
                _ => None,
            })
            .collect();
        assert!(matches!(*skipped, [why] if why.starts_with(&status.to_string())), "{skipped:?}");
    }
}

/// The watcher of an address that answers every request with a page does not take it for well.
#[tokio::test]
async fn an_address_that_refuses_with_a_page_stays_down() {
    let page = Reply::status(400).body("<html>Bad Request</html>");
    let (first, second) = (Switchable::start(Some(page)).await, Switchable::start(None).await);
    let (events, writer) = writer_to(&[&first, &second], SHORT);
    let mut lane = writer.lane(7);
    lane.deliver(&bucket(), &good(5)).await;
    until("it is checked", || first.requests() > 5).await;
    assert_eq!(lane.deliver(&bucket(), &good(5)).await.requests.total(), 1);
    assert_eq!(changes(&events, &[&first, &second]), [(0, 1)]);
}

/// All addresses refuse the line with the words of another program, so the line is judged as at one address.
#[tokio::test]
async fn a_line_that_all_addresses_refuse_with_a_page_is_refused_with_proof() {
    let start = async || {
        let faults: Faults = Box::new(|request| {
            let is_bad = String::from_utf8_lossy(&request.text).contains("m v=7 7\n");
            is_bad.then(|| Reply::status(400).body("<html>no</html>"))
        });
        Receiver::start(Options { faults: Some(faults), ..Options::default() }).await.unwrap()
    };
    let (first, second) = (start().await, start().await);
    let mut connection = connection("http://h");
    connection.urls = [&first, &second].map(|receiver| receiver.url().parse().unwrap()).to_vec();
    let (events, writer) = start_writer(&connection, OPTIONS);
    let (mut lane, destination, batch) = (writer.lane(7), bucket(), good(50));
    let delivery = tokio::time::timeout(PATIENCE, lane.deliver(&destination, &batch));
    assert_eq!(refused_lines(&delivery.await.expect("it ends")), [7]);
    assert!(!events.take().iter().any(|event| matches!(event, Event::AddressChanged { .. })));
}

#[tokio::test]
async fn probes_the_second_address_if_the_first_is_down() {
    let (first, second) = (Switchable::start(Some(failing())).await, Switchable::start(None).await);
    let (events, writer) = writer_to(&[&first, &second], LONG);
    Arc::clone(&writer).prepare(bucket(), 7).await;
    assert_eq!((first.requests(), second.requests()), (1, 1));
    assert_eq!(changes(&events, &[&first, &second]), [(0, 1)]);
}

#[tokio::test]
async fn checks_no_address_after_the_writer_is_dropped() {
    let (first, second) = (Switchable::start(Some(failing())).await, Switchable::start(None).await);
    let (_, writer) = writer_to(&[&first, &second], SHORT);
    writer.lane(7).deliver(&bucket(), &good(5)).await;
    until("the address is checked", || first.requests() > 2).await;
    let gone = Arc::downgrade(&writer);
    drop(writer);
    until("nothing keeps it", || gone.upgrade().is_none()).await;
}
