//! Batches: lines of one destination on their way to one write request.

mod budget;
mod collisions;
mod line_origins;
mod open;
mod size;

pub use budget::{Budget, Reserved};
pub use collisions::{CollisionSample, Collisions, REMEDY as COLLISION_REMEDY, count as count_collisions};
pub use line_origins::LineOrigins;
pub use open::{Batch, BatchLimits, RecordSource};
pub use size::{AnsweredBatch, BatchSize, SizeController, SizeRange};
