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
fn changes(events: &Events, of: &[&Switchable]) -> Vec<(usize, usize)> {
    let place = |url: &str| of.iter().position(|receiver| receiver.receiver.url() == *url).unwrap();
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
    let client = writer.client();
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
        Reply::status(401),
        Reply::status(404).body(r#"{"message":"bucket \"b\" not found"}"#),
        Reply::status(422),
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
