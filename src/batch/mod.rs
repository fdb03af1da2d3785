//! Lines on their way to one write.

mod lines;

pub use lines::{LineBuffer, Mark};
