//! Avro's binary encoding (<https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>) as JSON text.
//!
//! - A union is its value. Integers stay exact, and floats always get a fraction or an exponent.
//! - A decimal has as many digits behind the point as its scale; with scale 0 it is an integer.
//! - Timestamps and dates are integers in their unit, marked as times. Other times of the day are integers in their unit.
//! - Enums are their symbols, and UUIDs are text.
//! - Bytes, fixed, durations, decimals of more than 16 bytes, NaN and infinity become marks, which count as dropped where a point
//!   would have them.
//!
//! Lengths that a record claims reserve no memory. Elements without bytes, such as nulls, are bounded by the length of the text.

use super::avro_schema::{AvroSchema, DecimalSize, Field, Node, NodeId, SCALE_MAX};
use super::input::Input;
use super::json_text::{JsonText, check_depth};
use crate::rejection::Rejection;
use std::io::Write as _;

/// Name of the format in messages.
pub(super) const TITLE: &str = "Avro";

/// Bytes of a decimal that are read.
const DECIMAL_BYTES_MAX: usize = 16;

/// Appends the JSON text of the next value, on a single line. The text grows to `bytes_max` at most: names of fields repeat, and a few
/// bytes can claim any number of elements that have no bytes.
pub(super) fn transcode(
    input: &mut Input<'_>,
    schema: &AvroSchema,
    text: &mut JsonText,
    bytes_max: usize,
) -> Result<(), Rejection> {
    Decoder { input, schema, text, bytes_max }.value(schema.root(), 0)
}

struct Decoder<'a, 'i, 't> {
    input: &'i mut Input<'a>,
    schema: &'t AvroSchema,
    text: &'t mut JsonText,
    bytes_max: usize,
}

impl Decoder<'_, '_, '_> {
    fn value(&mut self, node: NodeId, depth: usize) -> Result<(), Rejection> {
        let schema = self.schema;
        match schema.node(node) {
            Node::Null => self.text.push(b"null"),
            Node::Boolean => self.boolean()?,
            Node::Int => {
                let number = int(self.input)?;
                self.text.push_integer(number);
            }
            Node::Long => {
                let number = long(self.input)?;
                self.text.push_integer(number);
            }
            Node::Float => self.text.push_single(f32::from_le_bytes(*self.input.array_of()?)),
            Node::Double => self.text.push_float(f64::from_le_bytes(*self.input.array_of()?)),
            Node::Bytes => {
                bytes(self.input)?;
                self.text.push_binary();
            }
            Node::Fixed(size) => {
                self.input.take(*size)?;
                self.text.push_binary();
            }
            Node::Text => {
                let size = size(self.input)?;
                let (start, length) = self.input.take_start(size)?;
                self.text.push_string(start, length);
            }
            Node::Time { unit_ns, is_local, is_int } => {
                let number = if *is_int { int(self.input)?.into() } else { long(self.input)? };
                self.text.push_time(number, *unit_ns, *is_local);
            }
            Node::Decimal { scale, size } => {
                let unscaled = match size {
                    DecimalSize::InValue => bytes(self.input)?,
                    DecimalSize::Fixed(size) => self.input.take(*size)?,
                };
                self.decimal(unscaled, *scale);
            }
            Node::BigDecimal => self.big_decimal()?,
            Node::Uuid => self.uuid()?,
            Node::Enum(symbols) => {
                let start = self.input.position();
                let symbol = usize::try_from(int(self.input)?).ok().and_then(|index| symbols.get(index));
                let symbol = symbol
                    .ok_or_else(|| self.input.unreadable("a symbol that the enum does not have", start))?;
                self.text.push(symbol);
            }
            Node::Array(items) => self.array(*items, depth)?,
            Node::Map(values) => self.map(*values, depth)?,
            Node::Union(branches) => {
                let start = self.input.position();
                let branch = usize::try_from(long(self.input)?).ok().and_then(|index| branches.get(index));
                let branch = branch
                    .ok_or_else(|| self.input.unreadable("a branch that the union does not have", start))?;
                return self.value(*branch, depth);
            }
            Node::Record(fields) => self.record(fields, depth)?,
        }
        Ok(())
    }

    fn record(&mut self, fields: &[Field], depth: usize) -> Result<(), Rejection> {
        check_depth(depth, self.input.position())?;
        self.check_length()?;
        if fields.is_empty() {
            self.text.push(b"{");
        }
        for Field { key, node } in fields {
            self.text.push(key);
            self.value(*node, depth + 1)?;
        }
        self.text.push(b"}");
        Ok(())
    }

    fn array(&mut self, items: NodeId, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, self.input.position())?;
        self.text.push(b"[");
        let mut is_first = true;
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                self.text.push(if is_first { b"" } else { b"," });
                self.value(items, depth + 1)?;
                self.check_length()?;
                is_first = false;
            }
        }
        self.text.push(b"]");
        Ok(())
    }

    fn map(&mut self, values: NodeId, depth: usize) -> Result<(), Rejection> {
        check_depth(depth, self.input.position())?;
        self.text.push(b"{");
        let mut is_first = true;
        loop {
            let count = self.block()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let key = bytes(self.input)?;
                self.text.push(if is_first { b"\"" } else { b",\"" });
                self.text.push_escaped(key);
                self.text.push(b"\":");
                self.value(values, depth + 1)?;
                self.check_length()?;
                is_first = false;
            }
        }
        self.text.push(b"}");
        Ok(())
    }

    /// The number of elements in the next block of an array or map; 0 at the end.
    fn block(&mut self) -> Result<u64, Rejection> {
        let count = long(self.input)?;
        if count < 0 {
            // The size of the block in bytes, for readers that skip it.
            long(self.input)?;
        }
        Ok(count.unsigned_abs())
    }

    fn check_length(&self) -> Result<(), Rejection> {
        let bytes_max = self.bytes_max;
        if self.text.bytes.len() > bytes_max { Err(Rejection::TextTooLarge { bytes_max }) } else { Ok(()) }
    }

    fn boolean(&mut self) -> Result<(), Rejection> {
        let start = self.input.position();
        match self.input.byte()? {
            0 => self.text.push(b"false"),
            1 => self.text.push(b"true"),
            _ => return Err(self.input.unreadable("a boolean that is neither 0 nor 1", start)),
        }
        Ok(())
    }

    /// Writes a decimal, or drops it if it has too many digits.
    fn decimal(&mut self, unscaled: &[u8], scale: usize) {
        let Some(number) = unscaled_number(unscaled) else {
            self.text.push_binary();
            return;
        };
        if scale == 0 {
            self.text.push_integer(number);
            return;
        }
        if number < 0 {
            self.text.push(b"-");
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number.unsigned_abs()).as_bytes();
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        self.text.push(if whole.is_empty() { b"0" } else { whole });
        self.text.push(b".");
        let zeros = scale - fraction.len();
        self.text.bytes.resize(self.text.bytes.len() + zeros, b'0');
        self.text.push(fraction);
    }

    /// A decimal whose bytes have the length and bytes of the unscaled number, and then the scale.
    fn big_decimal(&mut self) -> Result<(), Rejection> {
        let start = self.input.position();
        let mut inner = Input::new(bytes(self.input)?, TITLE);
        let (unscaled, scale) = (bytes(&mut inner)?, long(&mut inner)?);
        if !inner.is_at_end() {
            return Err(self.input.unreadable("a decimal that is shorter than its bytes", start));
        }
        match usize::try_from(scale) {
            Ok(scale) if scale <= SCALE_MAX => self.decimal(unscaled, scale),
            _ => self.text.push_binary(),
        }
        Ok(())
    }

    fn uuid(&mut self) -> Result<(), Rejection> {
        let bytes: [u8; 16] = *self.input.array_of()?;
        self.text.push(b"\"");
        for (index, byte) in bytes.iter().enumerate() {
            let hyphen = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            // A vector takes any number of bytes.
            write!(self.text.bytes, "{hyphen}{byte:02x}").unwrap_or_default();
        }
        self.text.push(b"\"");
        Ok(())
    }
}

/// An integer of 32 bits.
fn int(input: &mut Input<'_>) -> Result<i32, Rejection> {
    let start = input.position();
    let number = long(input)?;
    i32::try_from(number).map_err(|_| input.unreadable("an int of more than 32 bits", start))
}

/// An integer of 64 bits: each byte has seven bits, and the lowest bit is the sign.
fn long(input: &mut Input<'_>) -> Result<i64, Rejection> {
    let start = input.position();
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = input.byte()?;
        let bits = u64::from(byte & 0x7F);
        // The tenth byte has one bit of the number.
        if shift == 63 && byte > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    Err(input.unreadable("an integer of more than 64 bits", start))
}

/// Bytes behind their length.
fn bytes<'a>(input: &mut Input<'a>) -> Result<&'a [u8], Rejection> {
    let size = size(input)?;
    input.take(size)
}

fn size(input: &mut Input<'_>) -> Result<u64, Rejection> {
    let start = input.position();
    u64::try_from(long(input)?).map_err(|_| input.unreadable("a negative length", start))
}

/// The number of bytes in big-endian two's complement; none if it has more than 128 bits.
fn unscaled_number(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xFF } else { 0 };
    // Some producers pad numbers to the size of a fixed type.
    let padding = bytes.iter().take_while(|byte| **byte == sign).count();
    let bytes = bytes.get(padding.min(bytes.len().saturating_sub(DECIMAL_BYTES_MAX))..)?;
    let mut number = [sign; DECIMAL_BYTES_MAX];
    let start = DECIMAL_BYTES_MAX.checked_sub(bytes.len())?;
    number.get_mut(start..)?.copy_from_slice(bytes);
    let number = i128::from_be_bytes(number);
    // The bytes that were cut off repeat the sign only if the rest has it too.
    ((number < 0) == (sign == 0xFF)).then_some(number)
}

#[cfg(test)]
mod tests;
