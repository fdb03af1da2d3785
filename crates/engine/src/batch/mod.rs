//! Batches: lines of one destination on their way to one write request.

mod budget;
mod collisions;
mod open;
mod line_origins;
mod size;

pub use budget::{Budget, Reserved};
pub use collisions::{CollisionSample, Collisions, REMEDY as COLLISION_REMEDY, count as count_collisions};
pub use open::{Batch, BatchLimits, RecordSource};
pub use line_origins::LineOrigins;
pub use size::{AnsweredBatch, BatchSize, SizeController, SizeRange};
