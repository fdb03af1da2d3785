//! Points that a receiver keeps, by InfluxDB's rules: a point's key is measurement, tag set and time; writing it
//! again merges field by field; a field has one type in each shard.

use base::Destination;
use line_protocol::reader::{Point, Value};
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

/// Duration of a shard that InfluxDB chooses for a retention of 6 months and more.
const SHARD_NANOS: i64 = 7 * 24 * 3600 * 1_000_000_000;

/// Number of field types over all destinations. More are taken without a check, so that memory stays bounded
/// where points are not kept.
const TYPES_MAX: usize = 100_000;

/// Points of one generation of [`RecentPoints`]: 800 kB of hashes, and 50 s at the rate of the demo.
const RECENT_MAX: usize = 100_000;

/// Time of the receiver, for points without one.
pub(super) fn now_nanos() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// A point as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPoint {
    pub measurement: String,
    /// By key.
    pub tags: Vec<(String, String)>,
    pub time: i64,
    pub fields: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    measurement: String,
    tags: Vec<(String, String)>,
}

type Points = BTreeMap<(Series, i64), BTreeMap<String, Value>>;

/// Destination, shard, measurement, field.
type TypeKey = (Destination, i64, String, String);

#[derive(Debug)]
pub(super) struct Store {
    keeps_points: bool,
    points: BTreeMap<Destination, Points>,
    types: BTreeMap<TypeKey, &'static str>,
    conflicts: u64,
    recent: RecentPoints,
    /// Points that replaced one of `recent`.
    overwrites: u64,
}

/// Hashes of the last points written, so that memory stays bounded where points are not kept.
#[derive(Debug, Default)]
struct RecentPoints {
    current: HashSet<u64>,
    previous: HashSet<u64>,
}

impl RecentPoints {
    /// Adds a point. Returns whether it is among the last 100,000 to 200,000 already.
    fn insert(&mut self, point: u64) -> bool {
        if self.current.len() >= RECENT_MAX {
            self.previous = std::mem::take(&mut self.current);
        }
        !self.current.insert(point) || self.previous.contains(&point)
    }
}

/// Points were left out because a field has another type already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// In the words of both servers.
    pub reason: String,
    pub dropped: usize,
}

impl Store {
    pub fn new(keeps_points: bool) -> Self {
        Self {
            keeps_points,
            points: BTreeMap::new(),
            types: BTreeMap::new(),
            conflicts: 0,
            recent: RecentPoints::default(),
            overwrites: 0,
        }
    }

    /// The servers write shards concurrently and return at the first that fails, so that the points of other
    /// shards may or may not land with it: here, every other time.
    pub fn write(&mut self, destination: &Destination, points: Vec<Point>, now: i64) -> Result<(), Conflict> {
        let mut shards: BTreeMap<i64, Vec<(Point, i64)>> = BTreeMap::new();
        for point in points {
            let time = point.time.unwrap_or(now);
            shards.entry(time.div_euclid(SHARD_NANOS)).or_default().push((point, time));
        }
        let mut conflict: Option<Conflict> = None;
        let mut clean = Vec::new();
        for (shard, points) in shards {
            let (good, failed) = self.check(destination, shard, points);
            match failed {
                // `dropped` undercounts in the servers too: it is that of one shard.
                Some(failed) => {
                    self.keep(destination, good);
                    conflict.get_or_insert(failed);
                }
                None => clean.extend(good),
            }
        }
        self.conflicts += u64::from(conflict.is_some());
        if conflict.is_none() || self.conflicts.is_multiple_of(2) {
            self.keep(destination, clean);
        }
        conflict.map_or(Ok(()), Err)
    }

    /// The points of one shard that fit the types of its fields, and what is wrong with the others.
    fn check(
        &mut self,
        destination: &Destination,
        shard: i64,
        points: Vec<(Point, i64)>,
    ) -> (Vec<(Point, i64)>, Option<Conflict>) {
        let mut conflict: Option<Conflict> = None;
        let mut good = Vec::with_capacity(points.len());
        for point in points {
            match self.conflict(destination, shard, &point.0) {
                None => good.push(point),
                Some(reason) => {
                    conflict.get_or_insert(Conflict { reason, dropped: 0 }).dropped += 1;
                }
            }
        }
        (good, conflict)
    }

    fn conflict(&mut self, destination: &Destination, shard: i64, point: &Point) -> Option<String> {
        for (field, value) in &point.fields {
            let kind = value.type_name();
            let key = (destination.clone(), shard, point.measurement.clone(), field.clone());
            let full = self.types.len() >= TYPES_MAX;
            let known = match self.types.get(&key) {
                Some(known) => known,
                None if full => kind,
                None => self.types.entry(key).or_insert(kind),
            };
            if known != kind {
                return Some(format!(
                    "field type conflict: input field {field:?} on measurement {:?} is type {kind}, \
                     already exists as type {known}",
                    point.measurement
                ));
            }
        }
        None
    }

    /// Keeps points whose types were checked, with their times.
    pub fn keep(&mut self, destination: &Destination, points: Vec<(Point, i64)>) {
        for (point, time) in points {
            let Point { measurement, mut tags, fields, .. } = point;
            tags.sort();
            let mut hasher = DefaultHasher::new();
            (destination, &measurement, &tags, time).hash(&mut hasher);
            self.overwrites += u64::from(self.recent.insert(hasher.finish()));
            if self.keeps_points {
                let kept = self.points.entry(destination.clone()).or_default();
                kept.entry((Series { measurement, tags }, time)).or_default().extend(fields);
            }
        }
    }

    pub fn points(&self, destination: &Destination) -> Vec<StoredPoint> {
        let stored = |((series, time), fields): (&(Series, i64), &BTreeMap<String, Value>)| StoredPoint {
            measurement: series.measurement.clone(),
            tags: series.tags.clone(),
            time: *time,
            fields: fields.clone(),
        };
        self.points.get(destination).into_iter().flatten().map(stored).collect()
    }

    pub fn overwrites(&self) -> u64 {
        self.overwrites
    }

    pub fn point_count(&self) -> usize {
        self.points.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{RECENT_MAX, RecentPoints};

    #[test]
    fn recent_points_are_recognized_and_bounded() {
        let mut recent = RecentPoints::default();
        let count = RECENT_MAX as u64 * 3;
        assert!((0..count).all(|point| !recent.insert(point)));
        assert!(recent.insert(count - 1) && recent.insert(count - RECENT_MAX as u64));
        assert!(!recent.insert(0), "older points are forgotten");
        assert!(recent.current.len() + recent.previous.len() <= 2 * RECENT_MAX);
    }
}
