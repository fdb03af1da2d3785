//! Counts of the events in schedules, so that a test notices schedules in which nothing happens.

trait Count {
    fn add(&mut self, other: &Self);

    /// Whether each event has happened.
    fn is_complete(&self) -> bool;
}

impl Count for usize {
    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn is_complete(&self) -> bool {
        *self > 0
    }
}

/// Declares a struct of counts.
macro_rules! counts {
    ($(#[$about:meta])* $name:ident { $($(#[$about_field:meta])* $field:ident: $count:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub struct $name {
            $($(#[$about_field])* pub $field: $count,)*
        }

        impl Count for $name {
            fn add(&mut self, other: &Self) {
                $(self.$field.add(&other.$field);)*
            }

            fn is_complete(&self) -> bool {
                $(self.$field.is_complete())&&*
            }
        }
    };
}

counts! {
    /// Number of events of each kind.
    Coverage {
        records: usize,
        points: usize,
        letters: usize,
        commits: usize,
        replayed: usize,
        crashes: usize,
        sessions_lost: usize,
        revokes: usize,
        revokes_with_loss: usize,
        stops: usize,
        reloads: usize,
        /// Reloads of partitions with unsettled records.
        reloads_with_rest: usize,
        /// Failed seeks of partitions with unsettled records, after a reload.
        seeks_failed: usize,
        /// Lines that a limit of the server kept out.
        kept_out: usize,
        /// Resumptions of blocked topics.
        resumed: usize,
        /// Turns after which records were undecided.
        undecided: usize,
        /// Reloads of a wrong mapping that had blocked its topic.
        corrected: usize,
        /// Batches that slow answers enlarged.
        grown: usize,
        /// Batches that were packed while they were filled.
        packed: usize,
        recreated: Recreated,
        abandoned: Abandoned,
    }
}

counts! {
    /// Batches in flight that came back because a partition of theirs was revoked.
    Abandoned {
        blocked: usize,
        in_flight: usize,
    }
}

counts! {
    /// Assigned partitions whose topic was recreated, by the state of their member.
    Recreated {
        while_blocked: usize,
        while_reloading: usize,
        while_revoking: usize,
        in_flight: usize,
    }
}

impl Abandoned {
    pub fn count(&mut self, is_blocked: bool) {
        let count = if is_blocked { &mut self.blocked } else { &mut self.in_flight };
        *count += 1;
    }
}

impl Coverage {
    pub fn add_schedule(&mut self, other: &Self) {
        self.add(other);
    }

    pub fn assert_all_happened(&self) {
        assert!(self.is_complete(), "{self:?}");
    }
}
