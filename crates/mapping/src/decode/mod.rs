//! Reads JSON as tokens.
//!
//! [`Scanner`] reads JSON in one pass without building a tree. [`select`] finds the values that a mapping's query selects. The
//! mapper then scans the selected values again, so that only one piece of code turns bytes into points.

mod condition;
mod evaluate;
mod filter;
mod locate;
mod number;
mod path;
mod query;
mod scanner;
mod text;
mod tree;
mod work;

pub use evaluate::{Found, select_in};
pub use filter::Filter;
pub use locate::{PathSearch, find, find_all, select};
pub use number::Number;
pub use path::{Path, PathError, Step};
pub use query::Query;
pub use scanner::{
    BINARY_MARK, DEPTH_MAX, NOT_FINITE_MARK, Scanner, Source, Syntax, SyntaxError, Token, is_whitespace,
};
pub use text::{Text, is_utf8, push_lossy};
pub use tree::{Tree, TreeKey};
pub use work::Work;
