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
    /// Lines that a limit of the server kept out.
    pub blocked: usize,
    /// Resumptions of blocked topics.
    pub resumed: usize,
    /// Turns after which records were undecided.
    pub undecided: usize,
    /// Reloads of a wrong mapping that had blocked its topic.
    pub corrected: usize,
    /// Batches that slow answers enlarged.
    pub grown: usize,
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
            blocked,
            resumed,
            undecided,
            corrected,
            grown,
        } = self;
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
        *blocked += other.blocked;
        *resumed += other.resumed;
        *undecided += other.undecided;
        *corrected += other.corrected;
        *grown += other.grown;
    }

    pub fn assert_all_happened(&self) {
        let Self { points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops, .. } =
            self;
        let Self { reloads, reloads_with_rest, blocked, resumed, undecided, corrected, grown, .. } = self;
        let all = [points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops];
        let reloads = [reloads, reloads_with_rest, blocked, resumed, undecided, corrected, grown];
        for happened in all.into_iter().chain(reloads) {
            assert!(*happened > 0, "{self:?}");
        }
    }
}
