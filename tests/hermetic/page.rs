//! The status page in a real browser: headless Chromium from Debian, installed by `tests/browser/install`. The test is ignored unless
//! `cargo test --test hermetic page -- --ignored` runs it. Screenshots are stored in `screenshots` of the target folder.

use crate::devtools::{Browser, Tab};
use crate::support::{Bridge, Cluster, Setup, Sink, wait_until};
use influx::LogObserver;
use kafka_influx_bridge::pipeline::Pipeline;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use testkit::receiver::Reply;

const DESKTOP: (u32, u32) = (1120, 800);
const PHONE: (u32, u32) = (360, 740);
/// State, numbers and charts.
const README_HEIGHT: f64 = 800.0;
/// HTML that the page must show and not execute.
const EVIL: &str = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";

/// History of an hour, the usual content of the chart; the bridge of this test is younger.
const HOUR: &str = "
    samples = Array.from({ length: 720 }, (_, n) => {
        const blocked = n > 400 && n < 460, behind = n >= 460 && n < 520, rate = 1200 + 300 * Math.sin(n / 60) + 60 * Math.sin(n * 7);
        const read = blocked ? 0 : behind ? 3600 : rate;
        return [Date.now() - (719 - n) * 5000, read, read * .99, blocked ? (n - 400) * 6000 : behind ? (520 - n) * 6000 : 40, +blocked];
    });
    draw()";

fn record(id: u64, value: &str) -> String {
    format!(r#"{{"name":"cpu","id":"{}","v":{value},"n":{id}}}"#, id % 50)
}

/// Sizes and colour schemes of the page. No size may need horizontal scrolling.
fn shoot(tab: &Tab<'_>, name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
    tab.bring_to_front();
    let views = [
        (DESKTOP, false, "light", "desktop-light"),
        (PHONE, true, "dark", "phone-dark"),
        (DESKTOP, false, "dark", "desktop-dark"),
        (PHONE, true, "light", "phone-light"),
    ];
    // Two views of every state, and all views of one state.
    let count = if name == "healthy" { views.len() } else { 2 };
    for (size, is_phone, scheme, view) in views.into_iter().take(count) {
        tab.emulate(size, is_phone, scheme);
        // The chart is drawn again after a change of its size.
        wait_until("the plot fits", || {
            tab.value("document.getElementById('plot').viewBox.baseVal.width === document.getElementById('plot').clientWidth")
                == true
        });
        let width = tab.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(width <= u64::from(size.0), "{name} {view}: {width} wide");
        tab.screenshot(&folder.join(format!("{name}-{view}.png")), f64::INFINITY);
    }
    tab.emulate(DESKTOP, false, "light");
    if name == "healthy" {
        // The picture of README.md, which tests/browser/pictures copies.
        tab.screenshot(&folder.join("readme.png"), README_HEIGHT);
    }
}

const RATE_OF_METRICS: &str = "
    parseFloat([...document.querySelectorAll('#topics summary')].find(row => row.innerText.includes('metrics'))
        .children[2].innerText.replaceAll(',', ''))";
const OFFSETS_OF_A_PARTITION: &str = "
    [1, 2].map(cell => [...document.querySelectorAll('#topics details[open] div .row')]
        .find(row => row.innerText.startsWith('partition ')).children[cell].innerText.replaceAll(',', ''))";

fn assert_charts_are_before_the_tables_on_a_phone(tab: &Tab<'_>) {
    let top = |selector: &str| {
        tab.value(&format!("document.querySelector({selector:?}).getBoundingClientRect().top"))
            .as_f64()
            .unwrap()
    };
    assert!(top("#path") < top("#chart"), "on a desktop the way of the records comes first");
    tab.emulate(PHONE, true, "light");
    assert!(top("#chart") < top("#path") && top("#path") < top("#topics"), "the charts come first");
    tab.emulate(DESKTOP, false, "light");
}

/// Produces some records per second until it is dropped.
struct Flow {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Flow {
    fn start(cluster: &Arc<Cluster>) -> Self {
        let (stop, cluster) = (Arc::<AtomicBool>::default(), Arc::clone(cluster));
        let stopped = Arc::clone(&stop);
        let produce = move || {
            for round in 0.. {
                if stopped.load(Relaxed) {
                    return;
                }
                cluster.produce("metrics", round % 4, (0..60).map(|n| record(n, "1.5")));
                thread::sleep(Duration::from_millis(50));
            }
        };
        Self { stop, thread: Some(thread::spawn(produce)) }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn page(bridge: &Bridge) -> String {
    format!("http://127.0.0.1:{}/", bridge.0.admin_address().unwrap().port())
}

fn says(tab: &Tab<'_>, what: &str, selector: &str, text: &str) {
    wait_until(what, || tab.text(selector).contains(text));
}

fn assert_topics_unfold(tab: &Tab<'_>) {
    tab.value("document.querySelector('#topics summary').click()");
    says(tab, "a topic's partitions unfold", "#topics", "partition 3");
    says(tab, "its partitions have offsets", "#topics", "next to read");
    wait_until("its rate is shown", || tab.value(RATE_OF_METRICS).as_f64().is_some_and(|rate| rate > 0.0));
    wait_until("its offsets are shown", || {
        tab.value(OFFSETS_OF_A_PARTITION).as_array().is_some_and(|offsets| {
            offsets.iter().all(|offset| offset.as_str().is_some_and(|text| text.parse::<f64>().is_ok()))
        })
    });
}

/// The bucket is missing: the remedy has a command, which a button copies.
fn assert_the_command_of_a_remedy_is_copied(tab: &Tab<'_>, cluster: &Cluster, sink: &Sink) {
    sink.answer(Some(
        Reply::status(404).body(r#"{"code":"not found","message":"bucket \"main\" not found"}"#),
    ));
    cluster.produce("metrics", 0, [record(1, "1.5")]);
    says(tab, "the command is shown", "#alarms .command", "influx bucket create --org test --name ");
    assert!(
        tab.text("#alarms .command").ends_with("--retention 0\nCopy"),
        "{}",
        tab.text("#alarms .command")
    );
    tab.value("document.querySelector('#alarms button').click()");
    says(tab, "the command is copied", "#alarms button", "Copied");
    shoot(tab, "alarm");
    sink.answer(None);
    says(tab, "writing resumes", "#word", "Healthy");
}

/// Points that overwrite each other, and a topic whose records are all filtered.
fn assert_warnings(tab: &Tab<'_>, cluster: &Cluster) {
    assert_eq!(tab.text("#warnings"), "");
    let same = (0..20).map(|n| format!(r#"{{"name":"cpu","id":"same","v":{n},"time":1}}"#));
    cluster.produce("overwritten", 0, same);
    cluster.produce("unwanted", 0, (0..150).map(|_| r#"{"state":"on"}"#));
    says(
        tab,
        "overwritten points",
        "#warnings",
        "have overwritten an earlier point of the same series and time",
    );
    says(tab, "the key for them", "#warnings", "tag_keys");
    says(tab, "a filtered topic", "#warnings", "the last 150 records gave no point");
    says(tab, "its command", "#warnings", "kafka-influx-bridge map --live 10 --topic unwanted");
    shoot(tab, "warnings");
}

/// Another bridge, with a public address.
fn assert_values_are_hidden(browser: &Browser, setup: &Setup) {
    let mut config = setup.config();
    config.admin.listen = Some("0.0.0.0:0".parse().unwrap());
    "another".clone_into(&mut config.kafka.group_id);
    let open = Bridge(Pipeline::start(&config, Arc::new(LogObserver)).unwrap());
    let hidden = browser.open(&page(&open));
    wait_until("its rejected record is listed", || hidden.text("#last").contains("metrics[0]@"));
    assert!(hidden.text("#last_note").contains("hidden"));
    for word in ["script", "JSON", "word"] {
        assert!(!hidden.text("#last").contains(word), "{}", hidden.text("#last"));
    }
    assert_eq!(hidden.complaints(), [""; 0]);
    open.stop();
}

#[test]
#[ignore = "needs a browser: tests/browser/install, then cargo test --test hermetic page -- --ignored"]
fn the_status_page_shows_the_state_of_the_bridge() {
    let (cluster, sink) = (Arc::new(Cluster::with_topic("metrics", 4)), Sink::start());
    cluster.create_topic("sensors", 2);
    cluster.create_topic("overwritten", 1);
    cluster.create_topic("unwanted", 1);
    let setup = Setup::new(&cluster, &sink, "['metrics', 'sensors', 'overwritten', 'unwanted']")
        .mapping("topics = 'metrics'\nname_key = 'name'\ntag_keys = ['id']\nstring_fields = ['v']")
        .mapping("topics = 'sensors'\nbucket = 'sensors'")
        .mapping("topics = 'overwritten'\ntag_keys = ['id']\ntime_key = 'time'\ntime_format = 'unix'")
        .mapping("topics = 'unwanted'")
        .batch("lines_max = 500");
    let bridge = setup.start();
    let browser = Browser::start();
    let tab = browser.open(&page(&bridge));
    tab.emulate(DESKTOP, false, "light");
    let says = |what: &str, selector: &str, text: &str| says(&tab, what, selector, text);

    // Healthy, with changing numbers.
    let flow = Flow::start(&cluster);
    says("records flow", "#say", " records/s, stored within ");
    assert_eq!(
        (tab.text("#word").as_str(), tab.title().as_str()),
        ("Healthy", "Healthy · kafka-influx-bridge")
    );
    let stored = || tab.value("document.querySelector('#influx').innerText");
    let before = stored();
    wait_until("the numbers move", || stored() != before);
    says("lag is known", "#topics", "metrics");
    assert_topics_unfold(&tab);
    says("destinations are listed", "#destinations", "bucket \"sensors\" of org \"test\"\nhealthy");
    says("the last record is not there yet", "#last_note", "None since the start.");

    // The page shows external text as text.
    cluster.produce("metrics", 0, [EVIL]);
    let name = EVIL.replace('"', "'");
    let evil =
        |value: &str| format!(r#"{{"name":{},"id":"a","v":{value}}}"#, serde_json::to_string(&name).unwrap());
    cluster.produce("metrics", 0, [evil("1.5")]);
    cluster.produce("metrics", 0, [evil("\"word\"")]);
    says("the rejected record is shown", "#last", EVIL);
    says("its reason is", "#last", "undecodable");
    says("it is not JSON", "#last", "it is not JSON");
    says("it is where it came from", "#last", "metrics[0]@");
    says("the refused line is shown", "#last", "v=\"word\"");
    assert_eq!(tab.value("document.querySelectorAll('main script, main img').length"), 0);
    assert!(tab.title().ends_with("kafka-influx-bridge"), "{}", tab.title());
    assert_eq!(
        tab.value("document.querySelector('#topics details').open"),
        true,
        "what was unfolded stays so"
    );
    wait_until("a sample is drawn", || {
        tab.value("document.querySelectorAll('#plot path').length > 0") == true
    });
    for title in ["Read and stored, per second", "Unread records"] {
        let drawn = tab.value("document.getElementById('plot').textContent");
        assert!(drawn.as_str().unwrap().contains(title), "{drawn}");
    }
    assert_ne!(tab.text("#range"), "Last 60 min", "the chart's range follows its data");
    tab.value(HOUR);
    assert_eq!(tab.text("#range"), "Last 60 min");
    shoot(&tab, "healthy");
    assert_charts_are_before_the_tables_on_a_phone(&tab);

    // Behind: writes of 500 lines are slow, so that 60,000 lines take half a minute. The lag is updated every 5 s.
    sink.answer(Some(Reply::status(204).after(Duration::from_millis(250)).storing()));
    cluster.produce("sensors", 0, (0..60_000).map(|n| record(n, "1.5")));
    says("it is behind", "#word", "Behind");
    says("it says how long it takes", "#say", " at the present rate");
    assert!(tab.text("#say").contains(" records unread, read in about "), "{}", tab.text("#say"));
    assert!(tab.title().starts_with("BEHIND "), "{}", tab.title());
    tab.value(HOUR);
    shoot(&tab, "behind");

    // Blocked, shown in the page and in the title of the tab.
    sink.answer(Some(Reply::status(401).body(r#"{"code":"unauthorized","message":"unauthorized access"}"#)));
    says("it is blocked", "#word", "Blocked");
    says("since when", "#word", "Blocked since ");
    says("how many records wait", "#say", " records wait in Kafka, nothing is lost");
    says("all wait", "#alarms", " destinations");
    says("why", "#alarms", "401");
    says("what to do", "#alarms", "token");
    says("every destination", "#destinations", "blocked");
    assert_eq!(tab.title(), "BLOCKED · kafka-influx-bridge");
    tab.value(HOUR);
    shoot(&tab, "blocked");
    sink.answer(None);
    says("the bridge resumes by itself", "#word", "Healthy");
    assert_eq!(tab.text("#alarms"), "");
    assert_eq!(tab.complaints(), [""; 0]);

    assert_the_command_of_a_remedy_is_copied(&tab, &cluster, &sink);
    assert_warnings(&tab, &cluster);
    assert_values_are_hidden(&browser, &setup);

    // The bridge has stopped.
    drop(flow);
    bridge.stop();
    says("nobody answers", "#say", "The bridge does not respond since ");
    assert!(tab.title().starts_with("NO RESPONSE"), "{}", tab.title());
    shoot(&tab, "gone");
}
