//! Generated records of EC2 hosts, Kafka brokers and sensors, with some invalid ones.

use fastrand::Rng;

/// Topics and buckets of `bridge.toml`.
pub const TOPICS: [(&str, &str); 3] = [("ec2", "ec2"), ("brokers", "brokers"), ("sensors", "sensors")];

/// Every record with a multiple of this number is invalid.
const BAD_EVERY: u64 = 20_000;
/// Number of hosts, of brokers, and of sensors.
const SERIES: u64 = 8;

/// Generates records, for each topic in turn.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    made: u64,
}

/// A record to produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    pub topic: &'static str,
    pub value: String,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), made: 0 }
    }

    /// The next record, with this time.
    pub fn next(&mut self, now_ms: u64) -> Generated {
        self.made += 1;
        if self.made.is_multiple_of(BAD_EVERY) {
            return bad(self.made / BAD_EVERY);
        }
        // Series take turns, so that two records of a series are 12 ms apart at the rate of the producer.
        let number = self.made / TOPICS.len() as u64 % SERIES + 1;
        match self.made % TOPICS.len() as u64 {
            1 => self.ec2(number),
            2 => self.broker(number, now_ms),
            _ => self.sensor(number),
        }
    }

    fn ec2(&mut self, number: u64) -> Generated {
        let (system, user) = (self.decimal(20), self.decimal(60));
        let (write, read) = (self.rng.u32(0..500), self.decimal(100));
        let memory = self.decimal(1_000);
        let processes = if self.rng.u8(..) < 64 { format!("{{\"cpu\":{user}}}") } else { String::new() };
        let value = format!(
            r#"{{"ec2Number":"web-{number}","cpu":{{"system":{system},"user":{user}}},"disk":{{"write":{write},"read":{read}}},"mem":{{"used":{memory}}},"topRateProcess":[{processes}]}}"#
        );
        Generated { topic: "ec2", value }
    }

    fn broker(&mut self, number: u64, now_ms: u64) -> Generated {
        let (bytes_in, leaders) = (self.rng.u64(0..1 << 40), self.rng.u8(1..50));
        let value = format!(
            r#"{{"hostname":"broker-{number}","timestamp":{now_ms},"BytesIn":{bytes_in},"Partitions":{{"Leader":{leaders},"UnderReplicated":0}}}}"#
        );
        Generated { topic: "brokers", value }
    }

    fn sensor(&mut self, number: u64) -> Generated {
        let (measured, a, b) = (self.decimal(40), self.decimal(1), self.decimal(1));
        let value = format!(
            r#"{{"위치":"서울 1공장","기기":"온도-{number}","측정값":"{measured}","단위":"°C","진동":[{a},{b}]}}"#
        );
        Generated { topic: "sensors", value }
    }

    /// A random number with two decimal places.
    fn decimal(&mut self, below: u32) -> f64 {
        f64::from(self.rng.u32(0..below * 100)) / 100.0
    }
}

/// An invalid record; the kinds take turns.
pub fn bad(number: u64) -> Generated {
    match number % 3 {
        0 => Generated { topic: "ec2", value: "connection to the agent lost".to_owned() },
        1 => Generated { topic: "brokers", value: r#"{"hostname":"broker-1","BytesIn":1}"#.to_owned() },
        _ => Generated { topic: "sensors", value: r#""꺼짐""#.to_owned() },
    }
}
