//! The data path under random schedules: records, answers, limits of the server, rebalances, lost sessions, crashes, reloads, stops
//! and starts, with the real desk, mapper and tracker between a Kafka and an InfluxDB in memory. After every commit and at the end a model is
//! asked whether everything below the commit is settled.
//!
//! `BRIDGE_SIMULATION_SEEDS` says how many schedules; a failure prints its seed, which `BRIDGE_SIMULATION_SEED` runs alone.

mod kafka;
mod resuming;
mod seen;
mod settings;
mod store;
mod world;

use seen::Seen;
use std::panic;
use world::World;

/// Of a test run without optimisation: a few seconds.
const SCHEDULES: u64 = 300;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_or_committed_early_in_any_schedule() {
    let seeds = match from_environment("BRIDGE_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..from_environment("BRIDGE_SIMULATION_SEEDS").unwrap_or(SCHEDULES)).collect(),
    };
    let mut seen = Seen::default();
    for seed in seeds {
        let result = panic::catch_unwind(|| World::new(seed).run());
        match result {
            Ok(of_one) => seen.add(&of_one),
            Err(why) => {
                eprintln!(
                    "repeat: BRIDGE_SIMULATION_SEED={seed} cargo test --lib nothing_is_lost_or_committed_early"
                );
                panic::resume_unwind(why);
            }
        }
    }
    println!("{seen:?}");
    seen.assert_all_happened();
}
