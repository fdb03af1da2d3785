//! Topics that are deleted and created again: their offsets begin again.

use super::World;
use base::TopicPartition;

impl World {
    /// Recreates a topic. Members learn of it at once, like by a topic's id, and go back like the data thread and librdkafka.
    pub fn recreate_topic(&mut self) {
        let topic = ["a", "b"][self.rng.usize(0..2)];
        *self.incarnations.entry(topic.to_owned()).or_default() += 1;
        let partitions: Vec<TopicPartition> =
            self.logs.keys().filter(|at| at.topic == topic).cloned().collect();
        for at in &partitions {
            self.logs.insert(at.clone(), Vec::new());
            self.fetched.insert(at.clone(), 0);
            // Kafka deletes the committed offsets of a deleted topic.
            self.committed.remove(at);
            self.store.letters.retain(|(letter, _)| letter != at);
        }
        for member in self.members.values_mut() {
            for revoke in &mut member.revokes {
                for (at, (_, next)) in revoke.fetching.iter_mut().filter(|(at, _)| at.topic == topic) {
                    *next = 0;
                    revoke.recreated.insert(at.clone());
                    self.coverage.recreated.while_revoking += 1;
                }
            }
            let blocked = member.dispatcher.blocked_partitions();
            for (at, (queue, next)) in member.assigned.iter_mut().filter(|(at, _)| at.topic == topic) {
                // Pausing drops fetched records that were not taken.
                queue.forget(at);
                *next = 0;
                self.coverage.recreated.while_blocked += usize::from(blocked.contains(at));
                self.coverage.recreated.while_reloading += usize::from(member.reload.is_some());
                self.coverage.recreated.in_flight += usize::from(!member.dispatcher.is_idle());
            }
            let assigned = member.assigned.keys().filter(|at| at.topic == topic);
            let assigned: Vec<_> = assigned.cloned().collect();
            member.pending_seeks.forget(&assigned);
            member.paused.retain(|at| at.topic != topic);
            member.dispatcher.restart_from_beginning(&assigned);
        }
    }
}
