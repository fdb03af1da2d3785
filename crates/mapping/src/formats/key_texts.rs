//! JSON text of keys, remembered from the last value.

use super::input::Input;
use super::json_text::JsonText;

/// Bytes that are remembered: some hundred keys. More keys are written anew for each value.
const BYTES_MAX: usize = 16 << 10;

/// Remembers the keys of the last value with their JSON text: producers write the same keys in the same order, and two comparisons and a
/// copy cost a third of decoding and escaping a key.
#[derive(Debug, Default)]
pub(super) struct KeyTexts {
    /// The bytes of each key as they were read, and then its JSON text.
    bytes: Vec<u8>,
    /// In the order of the last value.
    keys: Vec<KeyText>,
    /// Number of keys that were read of this value.
    next: usize,
}

/// Positions in the bytes, which are fewer than [`BYTES_MAX`].
#[derive(Clone, Copy, Debug)]
struct KeyText {
    read: u16,
    text: u16,
    end: u16,
}

impl KeyTexts {
    /// Allocated memory in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.keys.capacity() * size_of::<KeyText>()
    }

    /// Begins a value.
    pub fn begin(&mut self) {
        self.next = 0;
    }

    /// Takes the next key and appends its text, if the last value had the same key at this place. Returns whether it had.
    #[inline]
    pub fn push_known(&mut self, input: &mut Input<'_>, text: &mut JsonText) -> bool {
        let Some(KeyText { read, text: written, end }) = self.keys.get(self.next).copied() else {
            return false;
        };
        let read = self.bytes.get(read.into()..written.into()).unwrap_or_default();
        if !input.skip(read) {
            return false;
        }
        self.next += 1;
        text.push(self.bytes.get(written.into()..end.into()).unwrap_or_default());
        true
    }

    /// Remembers the key that was read from `read` on and whose text begins at `start`.
    pub fn remember(&mut self, input: &Input<'_>, read: usize, text: &JsonText, start: usize) {
        let (key, written) = (input.since(read), text.bytes.get(start..).unwrap_or_default());
        if self.bytes.len() + key.len() + written.len() > BYTES_MAX {
            self.bytes.clear();
            self.keys.clear();
        } else if self.next <= self.keys.len() {
            // The bytes of a key that is replaced stay until no more fit.
            let read = self.bytes.len() as u16;
            self.bytes.extend_from_slice(key);
            let written_at = self.bytes.len() as u16;
            self.bytes.extend_from_slice(written);
            let key = KeyText { read, text: written_at, end: self.bytes.len() as u16 };
            match self.keys.get_mut(self.next) {
                Some(other) => *other = key,
                None => self.keys.push(key),
            }
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::BYTES_MAX;
    use crate::Rules;
    use crate::formats::{Format, FormatReader};

    /// A map of MessagePack; each value is the number of the member.
    fn msgpack(keys: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0xDE];
        bytes.extend((keys.len() as u16).to_be_bytes());
        for (number, key) in keys.iter().enumerate() {
            bytes.push(0xDA);
            bytes.extend((key.len() as u16).to_be_bytes());
            bytes.extend(key.bytes());
            bytes.push(number as u8 & 0x7F);
        }
        bytes
    }

    fn text(reader: &mut FormatReader, value: &[u8]) -> Vec<u8> {
        let rules = Rules { format: Format::Msgpack, ..Rules::default() };
        reader.read(&rules, value, None, usize::MAX).unwrap();
        reader.json.bytes.clone()
    }

    #[test]
    fn the_text_does_not_depend_on_the_values_before() {
        let many: Vec<String> = (0..700).map(|key| format!("a key with the number {key}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "k".repeat(BYTES_MAX);
        let mut reader = FormatReader::default();
        for keys in [
            &["a", "b", "c"][..],
            &["a", "b", "c"],
            &["b", "a", "c"],
            &["ab", "", "c", "d"],
            &["a", "\"\\\n", "c"],
            &["a", "\"\\\n", "c"],
            &[],
            &[long.as_str(), "a"],
            &["a", long.as_str(), "b"],
            &many,
            &many[1..],
            &many,
        ] {
            let value = msgpack(keys);
            assert_eq!(text(&mut reader, &value), text(&mut FormatReader::default(), &value), "{keys:?}");
            assert!(reader.keys.bytes.len() <= BYTES_MAX);
        }
    }

    #[test]
    fn a_key_behind_one_that_is_too_long_is_remembered_in_its_place() {
        let (long, mut reader) = ("k".repeat(BYTES_MAX), FormatReader::default());
        for keys in [[long.as_str(), "a"], ["a", "b"], ["a", "b"]] {
            let value = msgpack(&keys);
            assert_eq!(text(&mut reader, &value), text(&mut FormatReader::default(), &value), "{keys:?}");
        }
        assert_eq!(reader.keys.keys.len(), 2);
    }
}
