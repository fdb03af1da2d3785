//! JSON text of keys, remembered from the last value.

use super::input::Input;
use super::json_text::JsonText;
use crate::rejection::Rejection;
use line_protocol::runs;

/// Bytes that are remembered: some hundred keys. More keys are written anew for each value.
const BYTES_MAX: usize = 16 << 10;

/// Remembers the keys of the last value with their JSON text: producers write the same keys in the same order, and two comparisons and a
/// copy cost a third of decoding and escaping a key.
#[derive(Debug, Default)]
pub(super) struct KeyTexts {
    /// The bytes of each key as they were read, and then its JSON text. Zeros behind the last one allow to read beyond the end.
    bytes: Vec<u8>,
    /// In the order of the last value.
    keys: Vec<KeyText>,
    /// Number of keys that were read of this value.
    next: usize,
}

/// A range of the bytes, which are fewer than [`BYTES_MAX`].
#[derive(Clone, Copy, Debug)]
struct KeyText {
    start: u16,
    /// Length of the key as it was read.
    read: u16,
    /// Length of its JSON text, which stands behind it.
    written: u16,
}

/// Reads the next key, and appends its JSON text with the quotes.
type PushKey = fn(input: &mut Input<'_>, text: &mut JsonText) -> Result<(), Rejection>;

impl KeyTexts {
    /// Allocated memory in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.keys.capacity() * size_of::<KeyText>()
    }

    /// Begins a value.
    pub fn begin(&mut self) {
        self.next = 0;
    }

    /// Reads the next key, and appends a comma, its text and a colon. `push_key` reads a key that the last value did not have at this place.
    #[inline]
    pub fn push_next(
        &mut self,
        input: &mut Input<'_>,
        text: &mut JsonText,
        push_key: PushKey,
    ) -> Result<(), Rejection> {
        if self.push_known(input, text) { Ok(()) } else { self.push_other(input, text, push_key) }
    }

    /// Reads the next key and appends its text, if the last value had the same key at this place. Returns whether it had.
    #[inline]
    fn push_known(&mut self, input: &mut Input<'_>, text: &mut JsonText) -> bool {
        let Some(&KeyText { start, read, written }) = self.keys.get(self.next) else { return false };
        let key = self.bytes.get(usize::from(start)..).unwrap_or_default();
        if !input.skip(key, read.into()) {
            return false;
        }
        self.next += 1;
        text.push_first(key.get(usize::from(read)..).unwrap_or_default(), written.into());
        true
    }

    /// Reads the next key, appends its text, and remembers it.
    #[inline(never)]
    fn push_other(
        &mut self,
        input: &mut Input<'_>,
        text: &mut JsonText,
        push_key: PushKey,
    ) -> Result<(), Rejection> {
        let (read, start) = (input.position(), text.bytes.len());
        text.push(b",");
        push_key(input, text)?;
        text.push(b":");
        self.remember(input.since(read), text.bytes.get(start..).unwrap_or_default());
        Ok(())
    }

    fn remember(&mut self, key: &[u8], text: &[u8]) {
        let start = self.bytes.len().saturating_sub(runs::READ_BEYOND);
        let end = start + key.len() + text.len() + runs::READ_BEYOND;
        if end > BYTES_MAX {
            self.bytes.clear();
            self.keys.clear();
        } else if self.next <= self.keys.len() {
            // The bytes of a key that is replaced stay until no more fit.
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(text);
            self.bytes.resize(end, 0);
            let key = KeyText { start: start as u16, read: key.len() as u16, written: text.len() as u16 };
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
            &["a", "a", "a"],
            &["온도", "a", "습도"],
            &["온도", "a", "습도"],
            &["온도", "a", "습기"],
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

    /// Reads a value with a reader that has read others, and with a new one. Returns whether the first one knew all keys.
    fn knows_keys(reader: &mut FormatReader, value: &[u8]) -> bool {
        let remembered = reader.keys.bytes.len();
        assert_eq!(
            text(reader, value),
            text(&mut FormatReader::default(), value),
            "{}",
            value.escape_ascii()
        );
        reader.keys.bytes.len() == remembered
    }

    #[test]
    fn keys_of_each_length_are_known_again() {
        for length in 1..100 {
            let mut reader = FormatReader::default();
            let key = "k".repeat(length);
            let other = [&key[..length - 1], "o"].concat();
            // The last key, and the value behind it, are the end of the record.
            for (keys, is_known) in [
                ([&key, &key], false),
                ([&key, &key], true),
                ([&key, &other], false),
                ([&key, &other], true),
                ([&other, &other], false),
            ] {
                let value = msgpack(&keys.map(String::as_str));
                assert_eq!(knows_keys(&mut reader, &value), is_known, "{keys:?}");
            }
        }
    }

    #[test]
    fn a_key_may_be_the_first_one_of_an_object_or_a_later_one() {
        let mut reader = FormatReader::default();
        let inner_first = &b"\x82\xA1a\x81\xA1b\x01\xA1c\x02"[..];
        let outer_alone = &b"\x83\xA1a\x01\xA1b\x02\xA1c\x03"[..];
        let in_a_list = &b"\x81\xA1a\x92\x81\xA1b\x01\x81\xA1c\x02"[..];
        for (value, is_known) in
            [(inner_first, false), (outer_alone, true), (in_a_list, true), (inner_first, true)]
        {
            assert_eq!(knows_keys(&mut reader, value), is_known);
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_not_known() {
        let (rules, value) =
            (Rules { format: Format::Msgpack, ..Rules::default() }, msgpack(&["a", "temperature"]));
        let mut reader = FormatReader::default();
        for end in (1..value.len()).rev() {
            assert!(knows_keys(&mut reader, &value) || end == value.len() - 1);
            assert!(reader.read(&rules, &value[..end], None, usize::MAX).is_err(), "{end}");
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
