//! InfluxDB's line protocol: escaping and writing, strict readers, and gzip that is tuned for it.
//!
//! Guarantees:
//! - Text from outside cannot inject a line, a tag or a field: every writer escapes text, or reports that part of it was left out.
//! - The reader accepts only lines that InfluxDB 1.x and 2.x accept, so that tests notice a line that a server would refuse.
//! - [`input`] reads lines of other programs: it accepts the lines of which InfluxDB 2 stores a point, and finds the end of each.
//! - A compressed body reads back byte for byte.
//!
//! ```text
//! measurement, tags, fields --encode--> LineBuffer --Gzip--> body of a request
//!                                           |
//!                                        reader --> Point (tests, the receiver of the test kit)
//! records of other programs --input--> parts of a line, or a line that can be copied
//! ```
//!
//! ```
//! use line_protocol::reader::read_line;
//! use line_protocol::{LineBuffer, encode};
//!
//! let mut lines = LineBuffer::default();
//! let is_cut = encode::push_measurement(b"cpu load", lines.text_mut());
//! assert!(!is_cut);
//! lines.text_mut().extend_from_slice(b" value=0.5 1700000000000000000");
//! lines.end_line();
//! assert_eq!(lines.line(0), Some(&br"cpu\ load value=0.5 1700000000000000000"[..]));
//!
//! let point = read_line(lines.line(0).unwrap()).unwrap();
//! assert_eq!(point.measurement, "cpu load");
//! ```

pub mod encode;
mod gzip;
pub mod input;
mod lines;
pub mod reader;
pub mod runs;
pub mod series;
mod window;

pub use gzip::{Gzip, GzipFrame, PackedText, Packer};
pub use lines::{LineBuffer, Mark};

#[cfg(test)]
#[path = "../../../tests/support/seed.rs"]
mod seed;
