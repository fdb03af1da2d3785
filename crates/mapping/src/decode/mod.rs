//! Record bytes to tokens.
//!
//! [`Scanner`] reads JSON in one pass and builds nothing. [`find`] finds the values that a mapping's query
//! selects; what is selected is scanned again by the mapper, so that there is one way from bytes to points.

mod locate;
mod number;
mod path;
mod scanner;
mod text;
mod tree;

pub use locate::{find, select};
pub use number::Number;
pub use path::{Path, PathError, Query, Step};
pub use scanner::{DEPTH_MAX, Scanner, Syntax, SyntaxError, Token};
pub use text::{Text, push_lossy};
