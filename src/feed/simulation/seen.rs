//! What happened in schedules.

/// How often things happened, so that a schedule that does nothing is noticed.
#[derive(Debug, Default)]
pub struct Seen {
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
}

impl Seen {
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
    }

    pub fn assert_all_happened(&self) {
        let Self { points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops, .. } =
            self;
        for happened in [points, letters, commits, replayed, crashes, revokes, revokes_with_loss, stops] {
            assert!(*happened > 0, "{self:?}");
        }
    }
}
