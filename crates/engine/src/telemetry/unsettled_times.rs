//! When the oldest records were made that are not settled, as the data threads tell.

use crate::commit::Times;
use base::TopicPartition;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type ByWriter = BTreeMap<u64, Vec<(Arc<TopicPartition>, Times)>>;

/// What each data thread told last.
#[derive(Clone, Debug, Default)]
pub struct UnsettledTimes(Arc<Mutex<(u64, ByWriter)>>);

/// One data thread's pen. What it wrote is gone when it is dropped.
#[derive(Debug)]
pub struct UnsettledTimesWriter {
    all: UnsettledTimes,
    number: u64,
}

impl UnsettledTimes {
    pub fn writer(&self) -> UnsettledTimesWriter {
        self.with(|(writers, _)| *writers += 1);
        UnsettledTimesWriter { all: self.clone(), number: self.with(|(writers, _)| *writers) }
    }

    /// Of all partitions assigned. One that moves between two consumers is as old as the older of them says.
    pub fn all(&self) -> BTreeMap<Arc<TopicPartition>, Times> {
        let older = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        let mut all = BTreeMap::<Arc<TopicPartition>, Times>::new();
        self.with(|(_, told)| {
            for (at, times) in told.values().flatten() {
                let merged = all.entry(Arc::clone(at)).or_default();
                merged.open_ns = older(merged.open_ns, times.open_ns);
                merged.settled_ns = merged.settled_ns.max(times.settled_ns);
            }
        });
        all
    }

    fn with<T>(&self, read: impl FnOnce(&mut (u64, ByWriter)) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl UnsettledTimesWriter {
    /// In the place of what was written before.
    pub fn write(&self, times: Vec<(Arc<TopicPartition>, Times)>) {
        self.all.with(|(_, told)| told.insert(self.number, times));
    }
}

impl Drop for UnsettledTimesWriter {
    fn drop(&mut self) {
        self.all.with(|(_, told)| told.remove(&self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_older_where_two_tell() {
        let all = UnsettledTimes::default();
        let (one, two) = (all.writer(), all.writer());
        let at = |partition| Arc::new(TopicPartition { topic: "t".to_owned(), partition });
        let times = |open_ns, settled_ns| Times { open_ns, settled_ns };
        one.write(vec![(at(0), times(Some(5), Some(1))), (at(1), times(None, None))]);
        two.write(vec![(at(0), times(Some(7), Some(2)))]);
        let told = all.all();
        assert_eq!(told[&at(0)], times(Some(5), Some(2)));
        assert_eq!(told[&at(1)], times(None, None));
        drop(one);
        assert_eq!(all.all().into_iter().collect::<Vec<_>>(), [(at(0), times(Some(7), Some(2)))]);
    }
}
