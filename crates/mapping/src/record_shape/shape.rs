//! One record shape: finds the values of an object.

use crate::decode::{Scanner, Token, is_whitespace};
use crate::drop_reason::DropReason;
use crate::formats::BinaryObject;
use crate::line::{LineLayout, LineValues};
use crate::padded_bytes::{ExactGap, Gap, Prefix};
use crate::plan::{PlainText, Plan, ScalarUse};
use crate::replacements::Replaced;
use crate::rules::Rules;
use crate::scalar::{Scalar, Texts};
use crate::seen_keys::{NodeId, SeenKeys};
use line_protocol::encode;

/// The bytes between the scalars of an object, and the use of each scalar.
#[derive(Debug)]
pub struct RecordShape {
    pub slots: Box<[Slot]>,
    /// The bytes from the last scalar to the object's end.
    pub end: Gap,
    /// Where the record is one object in a binary format: the bytes before each scalar there, and those behind the last one. Otherwise empty.
    pub binary_gaps: Box<[ExactGap]>,
    /// Number of scalars that are tags.
    pub tags: usize,
    /// Number of the values that are copied.
    pub copies: usize,
    pub layout: LineLayout,
}

/// What a shape needs to know beside the object's bytes.
#[derive(Debug)]
pub struct Facts<'f> {
    pub keys: &'f SeenKeys,
    pub rules: &'f Rules,
    pub texts: Texts<'f>,
}

/// A scalar and the bytes before it.
#[derive(Debug)]
pub struct Slot {
    pub gap: Gap,
    pub node: NodeId,
    pub plan: Plan,
    /// `,key=` of a field.
    pub prefix: Prefix,
    /// Index of a tag in [`LineValues::tags`].
    pub tag: usize,
}

/// The part of the point that the scalar of a known key becomes.
#[derive(Debug)]
pub struct PlannedScalar<'s> {
    pub node: NodeId,
    pub plan: &'s Plan,
    /// `,key=` of a field.
    pub prefix: &'s [u8],
    /// Index of a tag in [`LineValues::tags`].
    pub tag: usize,
}

impl RecordShape {
    /// Approximate memory of the shape.
    pub fn bytes(&self) -> usize {
        let slots =
            self.slots.iter().map(|slot| size_of::<Slot>() + slot.gap.bytes() + slot.prefix.bytes().len());
        let binary_gaps = self.binary_gaps.iter().map(|gap| size_of::<ExactGap>() + gap.bytes());
        let gaps = self.end.bytes() + binary_gaps.sum::<usize>();
        size_of::<Self>() + slots.sum::<usize>() + gaps + self.layout.bytes()
    }

    /// Reads an object after its opening bracket. Returns whether the object has this shape and needs no decision of the parser;
    /// otherwise the scanner stays.
    pub fn find(&self, scanner: &mut Scanner<'_>, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        self.find_with::<false>(scanner, facts, values)
    }

    /// Reads an object like [`RecordShape::find`], with any white space between its tokens.
    pub fn find_spaced(&self, scanner: &mut Scanner<'_>, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        self.find_with::<true>(scanner, facts, values)
    }

    fn find_with<const ANY_SPACE: bool>(
        &self,
        scanner: &mut Scanner<'_>,
        facts: &Facts<'_>,
        values: &mut LineValues,
    ) -> bool {
        values.clear(self.tags, self.copies);
        let (bytes, start) = (scanner.bytes(), scanner.position());
        let end = self.slots.iter().try_fold(start, |at, slot| {
            let at = slot.gap.end_in::<ANY_SPACE>(bytes, at)?;
            if slot.plan.copies_numbers
                && let Some(end) = slot.prefix.push_with_number(bytes, at, &mut values.fields)
            {
                return Some(end);
            }
            slot.scalar().find(scanner.at(at), facts, values)
        });
        let end = end.and_then(|at| self.end.end_in::<ANY_SPACE>(bytes, at));
        // An object without fields is not a point.
        let Some(end) = end.filter(|_| values.has_fields()) else { return false };
        *scanner = scanner.at(end);
        true
    }

    /// Reads a record that is one object in a binary format. Returns whether the object has this shape and needs no decision of the
    /// parser. Its line is that of its JSON text: fixed bytes before each scalar make a fixed text before the scalar's own.
    pub fn find_binary(
        &self,
        object: &mut BinaryObject<'_, '_>,
        keys: &SeenKeys,
        rules: &Rules,
        values: &mut LineValues,
    ) -> bool {
        let Some((end, gaps)) = self.binary_gaps.split_last() else { return false };
        values.clear(self.tags, self.copies);
        object.restart();
        let fits = self.slots.iter().zip(gaps).all(|(slot, gap)| {
            object.skip(gap)
                && (slot.push_number(object, values) || slot.find_in(object, keys, rules, values))
        });
        // An object without fields is not a point.
        fits && object.skip(end) && object.is_at_end() && values.has_fields()
    }
}

impl Slot {
    /// Appends the field of a number that stays as it is. Returns false, and appends nothing, where another value follows, or a rule
    /// changes it.
    #[inline]
    fn push_number(&self, object: &mut BinaryObject<'_, '_>, values: &mut LineValues) -> bool {
        if !self.plan.copies_numbers {
            return false;
        }
        let before = values.fields.len();
        self.prefix.push(&mut values.fields);
        let is_number = object.push_number(&mut values.fields).is_some();
        if !is_number {
            values.fields.truncate(before);
        }
        is_number
    }

    /// Treats the next scalar of an object in a binary format like the parser.
    #[inline(never)]
    fn find_in(
        &self,
        object: &mut BinaryObject<'_, '_>,
        keys: &SeenKeys,
        rules: &Rules,
        values: &mut LineValues,
    ) -> bool {
        let Some(scanner) = object.scalar() else { return false };
        let texts = Texts { record: scanner.bytes(), element: b"", values: b"", outside: b"" };
        self.scalar().find(scanner, &Facts { keys, rules, texts }, values).is_some()
    }

    fn scalar(&self) -> PlannedScalar<'_> {
        PlannedScalar { node: self.node, plan: &self.plan, prefix: self.prefix.bytes(), tag: self.tag }
    }
}

impl PlannedScalar<'_> {
    /// Treats a scalar like the parser, and returns its end. Returns none for drops that the parser has not reported yet, for text that the
    /// parser counts as changed, and for white space, because the next gap mostly has other white space, too.
    #[inline(never)]
    pub fn find(
        &self,
        mut scanner: Scanner<'_>,
        facts: &Facts<'_>,
        values: &mut LineValues,
    ) -> Option<usize> {
        if scanner.rest().first().is_none_or(|byte| is_whitespace(*byte)) {
            return None;
        }
        let start = scanner.position();
        let plain = scanner.plain_text();
        if plain.is_some() && self.put_plain_text(start, &scanner, values) {
            return Some(scanner.position());
        }
        let token = plain.map_or_else(|| scanner.value(), |text| Ok(Token::Text(text))).ok()?;
        if matches!(token, Token::Text(text) if text.has_lone_surrogate()) {
            return None;
        }
        let end = scanner.position();
        let Some(scalar) = Scalar::of(token, scanner.source(), end) else {
            return self.find_no_value(token, facts, values).then_some(end);
        };
        if self.plan.roots.is_any() {
            // The value itself, whatever `values` makes of it.
            self.plan.roots.copy(Some(scalar), &mut values.copies);
        }
        let fits = if self.plan.values.is_none() {
            self.put(token, scalar, facts, values)
        } else {
            self.put_replaced(token, scalar, facts, values)
        };
        fits.then_some(end)
    }

    /// Treats the plain text between `start` and the scanner's position if its key alone decides what it becomes, as for most text: then
    /// it needs no token. Returns whether that is so.
    #[inline]
    fn put_plain_text(&self, start: usize, scanner: &Scanner<'_>, values: &mut LineValues) -> bool {
        let end = scanner.position();
        match self.plan.plain_text {
            PlainText::Tag => {
                let scalar = Scalar::plain_text(scanner.source(), start..end);
                if !scalar.is_empty_text() {
                    values.set_tag(self.tag, scalar);
                }
                true
            }
            PlainText::Field => {
                let quoted = scanner.bytes().get(start..end).unwrap_or_default();
                if quoted.len() > encode::STRING_BYTES_MAX {
                    return false;
                }
                // Plain text has no quote and no backslash, the only bytes that line protocol escapes in strings.
                values.push_text_field(self.prefix, quoted);
                true
            }
            PlainText::Undecided => false,
        }
    }

    /// Treats a value that is no scalar.
    fn find_no_value(&self, token: Token<'_>, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        let Some(lost) = DropReason::of_token(token) else { return token == Token::Null };
        match self.plan.use_of_lost(lost) {
            ScalarUse::Dropped(drop) => self.drop(drop, facts, values),
            _ => true,
        }
    }

    /// Treats a scalar for which `values` has a table; few keys have one.
    #[inline(never)]
    fn put_replaced(
        &self,
        token: Token<'_>,
        scalar: Scalar,
        facts: &Facts<'_>,
        values: &mut LineValues,
    ) -> bool {
        match self.plan.replaced(token, facts.rules, &mut values.scratch) {
            Replaced::Unchanged => self.put(token, scalar, facts, values),
            Replaced::By(token, scalar) => self.put(token, scalar, facts, values),
            Replaced::LeftOut => true,
        }
    }

    #[expect(clippy::inline_always, reason = "passing a token through memory costs more than its use")]
    #[inline(always)]
    fn put(&self, token: Token<'_>, scalar: Scalar, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        if self.plan.copies.is_any() {
            values.copy(self.plan.copies, scalar);
        }
        match self.plan.use_of(token, scalar) {
            ScalarUse::Tag(_) => values.set_tag(self.tag, scalar),
            ScalarUse::Field(_, scalar) => {
                return values.push_field(self.prefix, scalar, &facts.texts).is_ok();
            }
            ScalarUse::Nothing => {}
            ScalarUse::Dropped(drop) => return self.drop(drop, facts, values),
        }
        true
    }

    fn drop(&self, drop: DropReason, facts: &Facts<'_>, values: &mut LineValues) -> bool {
        values.drops.add(drop);
        facts.keys.has_dropped(self.node, drop)
    }
}
