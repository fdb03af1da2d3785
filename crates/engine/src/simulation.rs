//! The data path under random schedules: records, answers, limits of the server, rebalances, lost sessions, crashes, reloads, stops
//! and starts, with the real dispatcher, mapper and tracker between a Kafka and an InfluxDB in memory. After every commit and at the end a model is
//! asked whether everything below the commit is settled.
//!
//! `BRIDGE_SIMULATION_SEEDS` sets the number of schedules. A failure prints the command that repeats its schedule alone.

mod kafka;
mod resuming;
mod seen;
mod settings;
mod store;
mod world;

use crate::seed;
use seen::Coverage;
use world::World;

/// Of a test run without optimisation: a few seconds.
const SCHEDULES: u64 = 300;

#[test]
fn nothing_is_lost_or_committed_early_in_any_schedule() {
    let seeds = match seed::given("BRIDGE_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..seed::given("BRIDGE_SIMULATION_SEEDS").unwrap_or(SCHEDULES),
    };
    let mut seen = Coverage::default();
    for seed in seeds {
        let _repeated = seed::Repeated::by("BRIDGE_SIMULATION_SEED", seed, "cargo test --lib simulation");
        seen.add(&World::new(seed).run());
    }
    println!("{seen:?}");
    seen.assert_all_happened();
}
