//! Counts of the events in schedules, so that a test notices schedules in which nothing happens.

/// Number of events of each kind.
#[derive(Debug, Default)]
pub struct Coverage {
    pub records: usize,
    pub points: usize,
    pub letters: usize,
    pub commits: usize,
    pub replayed: usize,
    pub crashes: usize,
    pub sessions_lost: usize,
    pub revokes: usize,
    pub revokes_with_loss: usize,
    pub stops: usize,
    pub reloads: usize,
    /// Reloads of partitions with unsettled records.
    pub reloads_with_rest: usize,
    /// Failed seeks of partitions with unsettled records, after a reload.
    pub seeks_failed: usize,
    /// Lines that a limit of the server kept out.
    pub kept_out: usize,
    /// Resumptions of blocked topics.
    pub resumed: usize,
    /// Turns after which records were undecided.
    pub undecided: usize,
    /// Reloads of a wrong mapping that had blocked its topic.
    pub corrected: usize,
    /// Batches that slow answers enlarged.
    pub grown: usize,
    pub recreated: Recreated,
    pub abandoned: Abandoned,
}

/// Batches in flight that came back because a partition of theirs was revoked.
#[derive(Debug, Default)]
pub struct Abandoned {
    pub blocked: usize,
    pub in_flight: usize,
}

impl Abandoned {
    pub fn add(&mut self, is_blocked: bool) {
        let count = if is_blocked { &mut self.blocked } else { &mut self.in_flight };
        *count += 1;
    }
}

/// Assigned partitions whose topic was recreated, by the state of their member.
#[derive(Debug, Default)]
pub struct Recreated {
    pub while_blocked: usize,
    pub while_reloading: usize,
    pub while_revoking: usize,
    pub in_flight: usize,
}

impl Coverage {
    pub fn add(&mut self, other: &Self) {
        let Self {
            records,
            points,
            letters,
            commits,
            replayed,
            crashes,
            sessions_lost,
            revokes,
            revokes_with_loss,
            stops,
            reloads,
            reloads_with_rest,
            seeks_failed,
            kept_out,
            resumed,
            undecided,
            corrected,
            grown,
            recreated,
            abandoned,
        } = self;
        abandoned.blocked += other.abandoned.blocked;
        abandoned.in_flight += other.abandoned.in_flight;
        recreated.while_blocked += other.recreated.while_blocked;
        recreated.while_reloading += other.recreated.while_reloading;
        recreated.while_revoking += other.recreated.while_revoking;
        recreated.in_flight += other.recreated.in_flight;
        *records += other.records;
        *points += other.points;
        *letters += other.letters;
        *commits += other.commits;
        *replayed += other.replayed;
        *crashes += other.crashes;
        *sessions_lost += other.sessions_lost;
        *revokes += other.revokes;
        *revokes_with_loss += other.revokes_with_loss;
        *stops += other.stops;
        *reloads += other.reloads;
        *reloads_with_rest += other.reloads_with_rest;
        *seeks_failed += other.seeks_failed;
        *kept_out += other.kept_out;
        *resumed += other.resumed;
        *undecided += other.undecided;
        *corrected += other.corrected;
        *grown += other.grown;
    }

    pub fn assert_all_happened(&self) {
        let Self { points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops, .. } =
            self;
        let Self {
            reloads,
            reloads_with_rest,
            seeks_failed,
            kept_out,
            resumed,
            undecided,
            corrected,
            grown,
            recreated,
            abandoned,
            ..
        } = self;
        let Recreated { while_blocked, while_reloading, while_revoking, in_flight } = recreated;
        let all = [points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops];
        let reloads =
            [reloads, reloads_with_rest, seeks_failed, kept_out, resumed, undecided, corrected, grown];
        let recreated = [while_blocked, while_reloading, while_revoking, in_flight];
        let abandoned = [&abandoned.blocked, &abandoned.in_flight];
        for happened in all.into_iter().chain(reloads).chain(recreated).chain(abandoned) {
            assert!(*happened > 0, "{self:?}");
        }
    }
}
