//! What was found: samples of topics, those of one proposal together.

use crate::init::{Proposal, Sample};

/// Samples with their proposals.
#[derive(Debug, Default)]
pub struct Found {
    /// Where they are from, in words.
    pub place: String,
    /// The records are of a file, and nobody said of which topic.
    pub topic_is_unknown: bool,
    pub groups: Vec<Group>,
    /// What all of the topics hold, about.
    pub kept: u64,
}

/// Topics that one mapping does for.
#[derive(Debug)]
pub struct Group {
    pub proposal: Proposal,
    pub samples: Vec<Sample>,
}

impl Found {
    pub fn add(&mut self, sample: Sample, proposal: Proposal) {
        match self.groups.iter_mut().find(|group| group.proposal.is_same(&proposal)) {
            Some(group) => group.samples.push(sample),
            None => self.groups.push(Group { proposal, samples: vec![sample] }),
        }
    }

    pub fn all(&self) -> impl Iterator<Item = (&Sample, &Proposal)> {
        self.groups.iter().flat_map(|group| group.samples.iter().map(|sample| (sample, &group.proposal)))
    }

    pub fn records(&self) -> u64 {
        self.all().map(|(sample, _)| sample.records.len() as u64).sum()
    }
}

impl Group {
    pub fn topics(&self) -> Vec<String> {
        self.samples.iter().map(|sample| sample.topic.clone()).collect()
    }
}
