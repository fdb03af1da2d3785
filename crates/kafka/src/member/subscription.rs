//! The topics of a member: the subscription, listings for regular expressions, and warnings about topics that do not exist.

use super::{LIST_TOPICS_EVERY, LIST_TOPICS_MAX, Member};
use crate::{MemberError, denied_topics, idle};
use rdkafka::consumer::Consumer;
use rdkafka::metadata::{Metadata, MetadataTopic};
use std::collections::BTreeSet;
use std::time::Instant;
use tracing::{debug, info, warn};

impl Member {
    /// Subscribes to the named topics. Topics that match regular expressions follow with the first listing.
    pub fn subscribe(&mut self) -> Result<(), MemberError> {
        if self.until_end.is_some() {
            // The first listing decides.
            return Ok(());
        }
        let named = self.topics.names.iter().cloned().collect();
        self.subscribe_to(named)
    }

    /// Checks whether the topics that `kafka.topics` names exist, when that is due.
    pub(super) fn warn_of_missing_topics(&mut self) {
        if !self.missing.is_due(Instant::now()) {
            return;
        }
        let metadata = self.consumer.fetch_metadata(None, LIST_TOPICS_MAX);
        let found = metadata.as_ref().ok().map(|metadata| {
            let there = idle::existing(metadata);
            let names = self.topics.names.iter().filter(|name| !there.contains(&name.as_str()));
            let mut missing: Vec<String> = names.cloned().collect();
            if !missing.is_empty() {
                // A denied topic is invisible, too, and has an alarm. Without a response no topic counts as denied.
                let denied =
                    denied_topics::denied_among(&self.consumer, &self.subscribed, &[]).unwrap_or_default();
                missing.retain(|name| !denied.contains(name));
            }
            (missing, there)
        });
        let missing = found.as_ref().map(|(missing, _)| missing.as_slice());
        if self.missing.checked(missing, Instant::now())
            && let Some((missing, there)) = &found
        {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            warn!(
                "topics of `kafka.topics` do not exist, so nothing is read from them: {}. Correct their names, or create them: they are \
                 read once they exist",
                idle::each_with_nearest(&missing, there)
            );
        }
    }

    /// Lists the topics, and subscribes to those that match a regular expression. Topics that are gone for long are unsubscribed.
    pub(super) fn list_topics(&mut self) -> Result<(), MemberError> {
        self.next_listing = Instant::now() + LIST_TOPICS_EVERY;
        let metadata = match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => metadata,
            Err(error) => {
                debug!(%error, "topics could not be listed");
                return Ok(());
            }
        };
        let existing = listed_names(&metadata);
        let matched =
            existing.iter().filter(|name| self.topics.is_match(name)).map(|name| (*name).to_owned());
        let mut wanted: BTreeSet<String> = self.subscribed.iter().cloned().chain(matched).collect();
        let named = &self.topics.names;
        let by_pattern = self.subscribed.iter().filter(|name| !named.contains(name)).cloned();
        let gone = self.gone.update(by_pattern, &existing, Instant::now());
        // A consumer without any topic would leave the group.
        if gone.len() < wanted.len() {
            wanted.retain(|name| !gone.contains(name));
        }
        if wanted == self.subscribed { Ok(()) } else { self.subscribe_to(wanted) }
    }

    /// With `--until-end`: subscribes to the existing topics, and to none that is created later.
    pub(super) fn list_once(&mut self) -> Result<(), MemberError> {
        self.next_listing = Instant::now() + LIST_TOPICS_EVERY;
        let Some((number, until_end)) = self.until_end.as_ref().filter(|_| !self.is_listed) else {
            return Ok(());
        };
        let metadata = match self.consumer.fetch_metadata(None, LIST_TOPICS_MAX) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.consumer.context().report(error.rdkafka_error_code(), &error.to_string());
                return Ok(());
            }
        };
        let existing = listed_names(&metadata);
        let (names, missing): (Vec<_>, Vec<_>) =
            self.topics.names.iter().cloned().partition(|name| existing.contains(name.as_str()));
        if !missing.is_empty() {
            let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
            let there: Vec<&str> = existing.into_iter().collect();
            return Err(MemberError::MissingTopics(idle::each_with_nearest(&missing, &there)));
        }
        let matched = existing.into_iter().filter(|name| self.topics.is_match(name)).map(str::to_owned);
        let wanted: BTreeSet<String> = matched.chain(names).collect();
        if wanted.is_empty() {
            warn!(
                "no topic matches `kafka.topics`, so there is nothing to read: check its names and regular expressions"
            );
            until_end.assigned(*number, &[]);
        }
        self.is_listed = true;
        self.subscribe_to(wanted)
    }

    fn subscribe_to(&mut self, topics: BTreeSet<String>) -> Result<(), MemberError> {
        let new: Vec<&str> = topics.difference(&self.subscribed).map(String::as_str).collect();
        let gone: Vec<&str> = self.subscribed.difference(&topics).map(String::as_str).collect();
        if !gone.is_empty() {
            info!(
                topics = gone.join(" "),
                group = self.group_id,
                "no longer subscribed: the topics have not existed for ten minutes"
            );
        }
        if !new.is_empty() {
            info!(topics = new.join(" "), group = self.group_id, "subscribed");
        }
        if !new.is_empty() || !gone.is_empty() {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            self.consumer.subscribe(&names).map_err(MemberError::Subscribe)?;
        }
        if !gone.is_empty() {
            self.consumer.context().start_offsets().keep(&topics);
        }
        self.subscribed = topics;
        Ok(())
    }
}

/// The names of all topics in a listing, also of those without partitions.
fn listed_names(metadata: &Metadata) -> BTreeSet<&str> {
    metadata.topics().iter().map(MetadataTopic::name).collect()
}
