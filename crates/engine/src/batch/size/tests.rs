use super::*;
use crate::seed;
use proptest::prelude::*;

const RANGE: SizeRange = SizeRange {
    min: BatchSize::AUTOMATIC_MIN,
    // The bound for InfluxDB 3.
    max: BatchSize { bytes: 9_500_000, ..BatchSize::AUTOMATIC_MAX },
    answer_max: Duration::from_secs(15),
};

fn seeds() -> std::ops::Range<u64> {
    seed::given("BRIDGE_SIZE_SEED").map_or(0..20, |seed| seed..seed + 1)
}

fn repeated(seed: u64) -> seed::Repeated {
    seed::Repeated::by("BRIDGE_SIZE_SEED", seed, "cargo test -p kafka-influx-bridge-engine size::tests")
}

/// Factors of single answers. The sum of uniform numbers is nearly a normal one, with a deviation of 0.3.
fn noise(rng: &mut fastrand::Rng) -> impl FnMut() -> f64 {
    || (((0..12).map(|_| rng.f64()).sum::<f64>() - 6.0) * 0.3).exp()
}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1_000.0)
}

/// Answers after this time are timeouts: the batch is cut into several requests.
const TIMEOUT_MS: f64 = 30_000.0;

/// A lane with a backlog whose server answers in a time that `server` computes from the moment of sending in milliseconds and the
/// request's lines.
struct Lane {
    controller: SizeController,
    bytes_a_line: usize,
    /// Lines that the lane maps per millisecond.
    lines_a_ms: f64,
    now_ms: f64,
    request_bytes_max: usize,
    /// Memory closes batches of this size.
    memory_max: usize,
    /// Lines of each batch.
    lines: Vec<usize>,
}

impl Lane {
    fn new(range: SizeRange, bytes_a_line: usize) -> Self {
        Self {
            controller: SizeController::new(range),
            bytes_a_line,
            lines_a_ms: 500.0,
            now_ms: 0.0,
            request_bytes_max: usize::MAX,
            memory_max: usize::MAX,
            lines: Vec::new(),
        }
    }

    fn write(&mut self, mut server: impl FnMut(f64, usize) -> f64) {
        let size = self.controller.size();
        let lines = size.lines.min(size.bytes.min(self.memory_max) / self.bytes_a_line);
        let filled_in_ms = lines as f64 / self.lines_a_ms;
        let answer_ms = server(self.now_ms, lines);
        self.lines.push(lines);
        self.controller.answered(AnsweredBatch {
            size: BatchSize { lines, bytes: lines * self.bytes_a_line },
            answer_time: Some(ms(answer_ms)).filter(|_| answer_ms < TIMEOUT_MS),
            has_backlog: answer_ms > filled_in_ms,
            request_bytes_max: self.request_bytes_max,
        });
        self.now_ms += answer_ms.max(filled_in_ms);
    }

    fn write_for(&mut self, batches: usize, mut server: impl FnMut(f64, usize) -> f64) -> &[usize] {
        let begin = self.lines.len();
        for _ in 0..batches {
            self.write(&mut server);
        }
        &self.lines[begin..]
    }
}

/// A proxy or the server itself may refuse to work longer on a request.
#[test]
fn a_size_that_times_out_is_tried_less_and_less_often() {
    for bytes_a_line in [130, 700] {
        let mut lane = Lane::new(RANGE, bytes_a_line);
        let answer = |_: f64, lines: usize| {
            let bytes = lines * bytes_a_line;
            if bytes > 5_000_000 { TIMEOUT_MS } else { bytes as f64 * 80e-6 }
        };
        let lines = lane.write_for(1_000, answer);
        let timeouts =
            |lines: &[usize]| lines.iter().filter(|lines| **lines * bytes_a_line > 5_000_000).count();
        assert!(timeouts(lines) <= 40, "{bytes_a_line} bytes a line: {} timeouts", timeouts(lines));
        assert!(timeouts(&lines[500..]) <= 10, "{bytes_a_line} bytes a line: {}", timeouts(&lines[500..]));
    }
}

#[test]
fn returns_to_a_smaller_size_when_answers_become_slow() {
    let range = SizeRange { max: BatchSize::AUTOMATIC_MAX, ..RANGE };
    for (warm_up, memory_max) in
        [(100, usize::MAX), (1_000, usize::MAX), (100, 8_000_000), (1_000, 8_000_000)]
    {
        let range = if memory_max == usize::MAX { RANGE } else { range };
        let mut lane = Lane { memory_max, ..Lane::new(range, 130) };
        lane.write_for(warm_up, |_, _| 1_000.0);
        let lines = lane.write_for(40, |_, lines| lines as f64 * 0.25).to_vec();
        let is_slow = |lines: &&usize| **lines as f64 * 0.25 > 4_000.0;
        assert!(lines[9..].iter().filter(is_slow).count() <= 6, "after {warm_up} batches: {lines:?}");
    }
}

/// Answers at the next flush of the server.
fn flush_every(interval_ms: f64, phase_ms: f64) -> impl Fn(f64, usize) -> f64 {
    move |now_ms, _| interval_ms - (now_ms + phase_ms) % interval_ms
}

#[test]
fn grows_to_the_largest_size_while_a_server_acknowledges_once_a_second() {
    for phase_ms in [0.0, 10.0, 200.0, 500.0, 900.0, 980.0] {
        let mut lane = Lane::new(RANGE, 130);
        let lines = lane.write_for(120, flush_every(1_000.0, phase_ms)).to_vec();
        let largest = RANGE.max.bytes / 130;
        assert_eq!(lines[0], 5_000);
        let smaller = lines[3..].iter().filter(|lines| **lines < largest).count();
        assert!(smaller <= 4, "a smaller size is tried now and then; after {phase_ms} ms: {lines:?}");
        let first = lines[..30].iter().sum::<usize>();
        assert!(first >= 26 * largest, "{first} lines in the first 30 s, after {phase_ms} ms");
    }
}

/// The target of two lanes, with the records of the benchmark. Mapping, sending and reading a full request take 100 ms beside the delay.
#[test]
fn two_lanes_store_100_000_points_a_second_from_the_start_with_answers_after_a_second() {
    let mut lane = Lane::new(RANGE, 161);
    let largest = (RANGE.max.bytes / 161) as f64;
    let mut stored = 0;
    loop {
        lane.write(|_, lines| 1_000.0 + 100.0 * lines as f64 / largest);
        if lane.now_ms > 30_000.0 {
            break;
        }
        stored += lane.lines.last().unwrap();
    }
    let points_a_second = 2 * stored / 30;
    assert!(points_a_second >= 100_000, "{points_a_second}: {:?}", lane.lines);
}

#[test]
fn a_fixed_delay_is_enough_whatever_it_is() {
    for delay_ms in [30.0, 100.0, 500.0, 1_000.0, 3_000.0] {
        let mut lane = Lane::new(RANGE, 700);
        let lines = lane.write_for(20, |_, _| delay_ms).to_vec();
        // A lane that fills a batch faster than the answer comes has a backlog.
        let most = (RANGE.max.bytes / 700).min((delay_ms * lane.lines_a_ms) as usize);
        assert!(lines[10..].iter().all(|lines| *lines * 4 >= most), "{delay_ms} ms: {lines:?}");
    }
}

#[test]
fn stays_small_without_a_backlog_and_with_fast_answers() {
    let mut lane = Lane::new(RANGE, 130);
    assert!(lane.write_for(100, |_, _| 2.0).iter().all(|lines| *lines == 5_000));
    assert!(lane.write_for(100, |_, _| 24.0).iter().all(|lines| *lines == 5_000));
    lane.lines_a_ms = 1.0;
    assert!(lane.write_for(100, |_, _| 1_000.0).iter().all(|lines| *lines == 5_000));
}

/// InfluxDB 2: a point of a larger request takes less CPU time, although the answer takes longer.
#[test]
fn grows_with_a_backlog_while_the_time_is_proportional_to_the_request() {
    for seed in seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let _repeated = repeated(seed);
        let mut lane = Lane::new(RANGE, 130);
        let mut noise = noise(&mut rng);
        let lines = lane.write_for(300, |_, lines| lines as f64 * 0.02 * noise() + 2.0).to_vec();
        let mean = lines.iter().sum::<usize>() / lines.len();
        assert!(mean >= RANGE.max.bytes / 130 * 3 / 4, "{mean} lines on average: {lines:?}");
    }
}

/// Refused lines and retries would cost more there, and nothing would be gained.
#[test]
fn stays_small_while_a_larger_request_takes_more_time_per_line() {
    for seed in seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let _repeated = repeated(seed);
        let mut lane = Lane::new(RANGE, 130);
        let mut noise = noise(&mut rng);
        // Twenty thousand lines take eight times as long as five thousand.
        let lines =
            lane.write_for(1_000, |_, lines| (lines as f64 / 5_000.0).powf(1.5) * 100.0 * noise()).to_vec();
        let mean = lines.iter().sum::<usize>() / lines.len();
        assert!(mean <= 12_000, "{mean} lines on average: {lines:?}");
    }
}

/// A revocation waits for the request in flight, and a topic without a backlog may share its lane.
#[test]
fn a_proportional_time_leads_to_answers_within_seconds() {
    for ms_a_line in [0.03, 0.1, 0.2, 0.5] {
        let mut lane = Lane::new(RANGE, 130);
        let lines = lane.write_for(300, |_, lines| lines as f64 * ms_a_line).to_vec();
        let slow = lines[20..].iter().filter(|lines| **lines as f64 * ms_a_line > 4_000.0).count();
        assert!(slow <= 12, "{ms_a_line} ms a line: {lines:?}");
        let grown = lines[20..].iter().filter(|lines| **lines as f64 * ms_a_line >= 1_000.0).count();
        assert!(grown >= 140, "{ms_a_line} ms a line: {lines:?}");
    }
}

/// A busy machine delays single answers.
#[test]
fn stays_small_while_single_answers_are_late() {
    for seed in seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let _repeated = repeated(seed);
        let mut lane = Lane::new(RANGE, 130);
        let lines = lane
            .write_for(300, |_, lines| {
                lines as f64 * 0.004 + if rng.u32(0..50) == 0 { 200.0 * rng.f64() } else { 0.0 }
            })
            .to_vec();
        let larger = lines.iter().filter(|lines| **lines > 5_000).count();
        assert!(larger <= 30, "{larger} of 300 batches: {lines:?}");
    }
}

#[test]
fn a_part_that_is_fixed_leads_to_a_size_that_pays_off() {
    let mut lane = Lane::new(RANGE, 130);
    // 300 ms for each request and 10 us for each line: 5,000 lines take 350 ms, 20,000 500 ms, 73,000 1,030 ms.
    let lines = lane.write_for(20, |_, lines| 300.0 + lines as f64 * 0.01).to_vec();
    let smaller = lines[10..].iter().filter(|lines| **lines < 20_000).count();
    assert!(smaller <= 1, "a smaller size is tried now and then: {lines:?}");
}

#[test]
fn returns_to_the_smallest_size() {
    let slow = || {
        let mut lane = Lane::new(RANGE, 130);
        lane.write_for(10, |_, _| 1_000.0);
        assert!(lane.controller.size().lines > 50_000);
        lane
    };
    let answer = |lane: &Lane| AnsweredBatch {
        size: lane.controller.size(),
        answer_time: Some(ms(1_000.0)),
        has_backlog: true,
        request_bytes_max: usize::MAX,
    };
    let f = |what: &str, change: fn(AnsweredBatch) -> AnsweredBatch| {
        let mut lane = slow();
        for _ in 0..3 {
            lane.controller.answered(change(answer(&lane)));
        }
        assert_eq!(lane.controller.size(), RANGE.min, "{what}");
    };
    f("no backlog", |batch| AnsweredBatch { has_backlog: false, ..batch });
    f("fast", |batch| AnsweredBatch { answer_time: Some(ms(3.0)), ..batch });
    f("refused lines or failures", |batch| AnsweredBatch { answer_time: None, ..batch });
    let mut lane = slow();
    // The server becomes one that needs more time per line for larger requests: rechecks find that smaller ones store more.
    let server = |_, lines: usize| (lines as f64 / 5_000.0).powf(1.5) * 100.0;
    lane.write_for(200, server);
    let lines = lane.write_for(50, server);
    assert!(lines.iter().filter(|lines| **lines <= 6_250).count() >= 46, "{lines:?}");
}

/// InfluxDB 2 with lines of 42 fields: a request of 40,000 lines would take longer than a revocation waits.
#[test]
fn large_batches_aim_at_an_answer_that_is_not_too_late() {
    for (ms_a_line, most) in [(0.08, 41_200), (0.18, 16_400), (0.4, 13_000)] {
        let range = SizeRange { max: BatchSize::AUTOMATIC_MAX, ..RANGE };
        let mut lane = Lane::new(range, 777);
        let mut longest: f64 = 0.0;
        let server = |_: f64, lines: usize| {
            longest = longest.max(lines as f64 * ms_a_line);
            200.0 + lines as f64 * ms_a_line
        };
        let lines = lane.write_for(60, server).to_vec();
        assert!(longest <= 5_000.0, "{ms_a_line} ms a line: {longest} ms, {lines:?}");
        let largest = *lines.iter().max().unwrap();
        assert!(largest <= most && largest >= most * 3 / 4, "{ms_a_line} ms a line: {lines:?}");
    }
}

#[test]
fn respects_the_size_that_a_413_has_shown() {
    let mut lane = Lane::new(RANGE, 130);
    lane.request_bytes_max = 4_750_000;
    let lines = lane.write_for(20, |_, _| 1_000.0);
    assert_eq!(lines.iter().max(), Some(&(4_750_000 / 130)));
    assert_eq!(lines.last(), Some(&(4_750_000 / 130)));
    // Below the smallest size, the writer cuts batches into requests.
    lane.request_bytes_max = 1_000;
    assert_eq!(lane.write_for(3, |_, _| 1_000.0).last(), Some(&(RANGE.min.bytes / 130)));
}

#[test]
fn no_answer_may_come_close_to_the_timeout() {
    let mut lane = Lane::new(RANGE, 130);
    let mut longest: f64 = 0.0;
    lane.write_for(100, |_, lines| {
        let answer_ms = lines as f64 * 1.0;
        longest = longest.max(answer_ms);
        answer_ms
    });
    assert!(longest <= 15_000.0, "{longest} ms");
    let mut lane = Lane::new(RANGE, 130);
    assert!(lane.write_for(10, |_, _| 13_000.0).iter().all(|lines| *lines == 5_000));
}

proptest! {
    #[test]
    fn every_size_is_within_its_range(
        min in (1_usize..10_000, 1_usize..4_000_000),
        more in (0_usize..100_000, 0_usize..9_000_000),
        answers in prop::collection::vec(
            (1_usize..100_000, 1_usize..10_000_000, prop::option::of(0_u64..40_000), any::<bool>(), 1_usize..20_000_000),
            0..60,
        ),
    ) {
        let min = BatchSize { lines: min.0, bytes: min.1 };
        let max = BatchSize { lines: min.lines + more.0, bytes: min.bytes + more.1 };
        let mut controller = SizeController::new(SizeRange { min, max, answer_max: Duration::from_secs(15) });
        prop_assert_eq!(controller.size(), min);
        for (lines, bytes, answer_ms, has_backlog, request_bytes_max) in answers {
            let before = controller.size();
            controller.answered(AnsweredBatch {
                size: BatchSize { lines, bytes },
                answer_time: answer_ms.map(Duration::from_millis),
                has_backlog,
                request_bytes_max,
            });
            let BatchSize { lines, bytes } = controller.size();
            prop_assert!((min.lines..=max.lines).contains(&lines), "{lines}");
            prop_assert!((min.bytes..=max.bytes).contains(&bytes), "{bytes}");
            prop_assert!(bytes <= request_bytes_max.max(min.bytes));
            if !has_backlog || answer_ms.is_none_or(|ms| ms < 25) {
                prop_assert!(lines <= before.lines, "no reason to grow");
            }
        }
    }

    /// A range of one size is what the configuration says, whatever the answers are.
    #[test]
    fn an_explicit_size_never_changes(answers in prop::collection::vec((0_u64..40_000, any::<bool>()), 0..60)) {
        let size = BatchSize { lines: 700, bytes: 1_000_000 };
        let mut controller = SizeController::new(SizeRange::fixed(size));
        for (answer_ms, has_backlog) in answers {
            let answer_time = Some(Duration::from_millis(answer_ms));
            let request_bytes_max = usize::MAX;
            controller.answered(AnsweredBatch { size, answer_time, has_backlog, request_bytes_max });
            prop_assert_eq!(controller.size(), size);
        }
    }
}
