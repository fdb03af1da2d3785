//! Decoding plan of a schema: what the decoder needs to know about each message, in tables.

use super::super::json_text::JsonText;
use super::wire::WireType;
use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use std::collections::{HashMap, VecDeque};

/// Decoding plan of a schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    messages: Vec<Message>,
    enums: Vec<Enum>,
}

/// A message type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    pub form: Form,
    /// Fields by number.
    pub fields: Vec<Field>,
    /// Places in `fields` by number, for numbers below [`DENSE_MAX`]; [`NONE`] where no field has the number.
    dense: Vec<u16>,
    /// Slots of a value: one for each field, then one for each oneof.
    pub slots: usize,
    /// Messages that are declared inside.
    nested: Vec<usize>,
}

/// Numbers below this one are looked up in a table. Frequent fields have small numbers.
const DENSE_MAX: u32 = 1_024;
const NONE: u16 = u16::MAX;

/// The JSON value that a message becomes. All forms but the first are well-known types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Object,
    Timestamp,
    Duration,
    /// The value of its only field, such as `google.protobuf.DoubleValue`.
    Wrapper,
    Struct,
    Value,
    ListValue,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub number: u32,
    /// JSON text before the value: a comma, the name, and a colon.
    pub key: Vec<u8>,
    pub kind: FieldKind,
    pub label: Label,
    /// Slot of the oneof, behind those of the fields.
    pub oneof: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The field is written with its default where the record has none.
    Implicit,
    /// The field is left out where the record has none.
    Presence,
    Repeated,
    /// The entries are messages with a key and a value.
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(usize),
    /// `google.protobuf.NullValue`.
    Null,
    Message(usize),
    Group(usize),
}

/// An enum type.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// Names by number; the first one where several have the same number.
    names: Vec<(i32, Vec<u8>)>,
    /// Number of a field that the record does not have.
    default: i32,
}

impl FieldKind {
    pub fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Bytes,
            Self::Group(_) => WireType::GroupStart,
            _ => WireType::Varint,
        }
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Double => "a double",
            Self::Float => "a float",
            Self::Int32 => "an int32",
            Self::Int64 => "an int64",
            Self::Uint32 => "a uint32",
            Self::Uint64 => "a uint64",
            Self::Sint32 => "a sint32",
            Self::Sint64 => "a sint64",
            Self::Fixed32 => "a fixed32",
            Self::Fixed64 => "a fixed64",
            Self::Sfixed32 => "an sfixed32",
            Self::Sfixed64 => "an sfixed64",
            Self::Bool => "a bool",
            Self::String => "a string",
            Self::Bytes => "bytes",
            Self::Enum(_) | Self::Null => "an enum",
            Self::Message(_) => "a message",
            Self::Group(_) => "a group",
        }
    }
}

impl Message {
    /// The field with a number, and its place. `guess` is the place behind the field before: serializers write fields by number.
    pub fn find(&self, number: u32, guess: usize) -> Option<(usize, &Field)> {
        if let Some(field) = self.fields.get(guess).filter(|field| field.number == number) {
            return Some((guess, field));
        }
        let place = if number < DENSE_MAX {
            self.dense.get(number as usize).copied().filter(|place| *place != NONE)?.into()
        } else {
            self.fields.binary_search_by_key(&number, |field| field.number).ok()?
        };
        Some((place, self.fields.get(place)?))
    }

    /// The message at an index among those that are declared inside.
    pub fn nested(&self, index: u64) -> Option<usize> {
        self.nested.get(usize::try_from(index).ok()?).copied()
    }
}

impl Enum {
    pub fn name(&self, number: i32) -> Option<&[u8]> {
        let place = self.names.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.names.get(place).map(|(_, name)| name.as_slice())
    }

    pub fn default_number(&self) -> i32 {
        self.default
    }
}

impl Plan {
    /// Allocated memory in bytes, about.
    pub fn memory(&self) -> usize {
        let field = |field: &Field| size_of::<Field>() + field.key.capacity();
        let message = |message: &Message| {
            size_of::<Message>()
                + message.fields.iter().map(field).sum::<usize>()
                + message.dense.capacity() * size_of::<u16>()
                + message.nested.capacity() * size_of::<usize>()
        };
        let name = |(_, name): &(i32, Vec<u8>)| size_of::<(i32, Vec<u8>)>() + name.capacity();
        let names = self.enums.iter().flat_map(|of| &of.names).map(name).sum::<usize>();
        self.messages.iter().map(message).sum::<usize>() + names
    }

    #[expect(clippy::indexing_slicing, reason = "the builder gave the index")]
    pub fn message(&self, index: usize) -> &Message {
        &self.messages[index]
    }

    #[expect(clippy::indexing_slicing, reason = "the builder gave the index")]
    pub fn enumeration(&self, index: usize) -> &Enum {
        &self.enums[index]
    }
}

/// Builds the plan of messages, and of all messages that they refer to.
#[derive(Default)]
pub struct Builder {
    plan: Plan,
    messages: HashMap<String, usize>,
    enums: HashMap<String, usize>,
    pending: VecDeque<MessageDescriptor>,
}

impl Builder {
    /// The place of a message in the plan.
    pub fn place(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(place) = self.messages.get(message.full_name()) {
            return *place;
        }
        let place = self.messages.len();
        self.messages.insert(message.full_name().to_owned(), place);
        self.pending.push_back(message.clone());
        place
    }

    pub fn build(mut self) -> Plan {
        while let Some(descriptor) = self.pending.pop_front() {
            let message = self.message(&descriptor);
            self.plan.messages.push(message);
        }
        self.plan
    }

    fn message(&mut self, descriptor: &MessageDescriptor) -> Message {
        // A oneof of a single optional field is only the way in which descriptors express presence.
        let oneofs: Vec<_> = descriptor.oneofs().filter(|oneof| oneof.fields().len() > 1).collect();
        let fields: Vec<Field> = descriptor
            .fields()
            .map(|field| {
                let of = field.containing_oneof();
                let oneof = of.and_then(|of| oneofs.iter().position(|oneof| *oneof == of));
                let oneof = oneof.map(|oneof| descriptor.fields().len() + oneof);
                self.field(&field, oneof)
            })
            .collect();
        let numbers = fields.iter().map(|field| field.number).filter(|number| *number < DENSE_MAX);
        let mut dense = vec![NONE; numbers.max().map_or(0, |number| number as usize + 1)];
        for (place, field) in fields.iter().enumerate() {
            if let (Some(entry), Ok(place)) = (dense.get_mut(field.number as usize), u16::try_from(place)) {
                *entry = place;
            }
        }
        let nested = descriptor.child_messages().map(|nested| self.place(&nested)).collect();
        let form = self.form(descriptor.full_name(), &fields);
        Message { form, slots: fields.len() + oneofs.len(), fields, dense, nested }
    }

    fn field(&mut self, descriptor: &FieldDescriptor, oneof: Option<usize>) -> Field {
        let mut key = JsonText::default();
        key.push(b",\"");
        key.push_escaped(descriptor.name().as_bytes());
        key.push(b"\":");
        let label = if is_map(descriptor) {
            Label::Map
        } else if descriptor.cardinality() == Cardinality::Repeated {
            Label::Repeated
        } else if descriptor.supports_presence() {
            Label::Presence
        } else {
            Label::Implicit
        };
        let kind = self.kind(descriptor);
        Field { number: descriptor.number(), key: key.bytes, kind, label, oneof }
    }

    fn kind(&mut self, descriptor: &FieldDescriptor) -> FieldKind {
        match descriptor.kind() {
            Kind::Double => FieldKind::Double,
            Kind::Float => FieldKind::Float,
            Kind::Int32 => FieldKind::Int32,
            Kind::Int64 => FieldKind::Int64,
            Kind::Uint32 => FieldKind::Uint32,
            Kind::Uint64 => FieldKind::Uint64,
            Kind::Sint32 => FieldKind::Sint32,
            Kind::Sint64 => FieldKind::Sint64,
            Kind::Fixed32 => FieldKind::Fixed32,
            Kind::Fixed64 => FieldKind::Fixed64,
            Kind::Sfixed32 => FieldKind::Sfixed32,
            Kind::Sfixed64 => FieldKind::Sfixed64,
            Kind::Bool => FieldKind::Bool,
            Kind::String => FieldKind::String,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => FieldKind::Null,
            Kind::Enum(of) => FieldKind::Enum(self.enumeration(&of)),
            Kind::Message(of) if descriptor.is_group() => FieldKind::Group(self.place(&of)),
            Kind::Message(of) => FieldKind::Message(self.place(&of)),
        }
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> usize {
        if let Some(place) = self.enums.get(descriptor.full_name()) {
            return *place;
        }
        let place = self.plan.enums.len();
        self.enums.insert(descriptor.full_name().to_owned(), place);
        let declared = &descriptor.enum_descriptor_proto().value;
        let mut names: Vec<(i32, Vec<u8>)> =
            declared.iter().map(|value| (value.number(), value.name().as_bytes().to_vec())).collect();
        // Stable, so that the first of several names is kept.
        names.sort_by_key(|(number, _)| *number);
        names.dedup_by_key(|(number, _)| *number);
        self.plan.enums.push(Enum { names, default: descriptor.default_value().number() });
        place
    }

    /// The form of a message. A well-known name counts only with the fields of the well-known type.
    fn form(&self, name: &str, fields: &[Field]) -> Form {
        let Some(name) = name.strip_prefix("google.protobuf.") else { return Form::Object };
        let of_kinds = |kinds: &[FieldKind]| {
            let numbered = (1..).zip(kinds);
            fields.len() == kinds.len()
                && fields
                    .iter()
                    .zip(numbered)
                    .all(|(field, (number, kind))| field.number == number && field.kind == *kind)
        };
        let have = |label: Label| fields.iter().all(|field| field.label == label);
        let is_only =
            fields.len() == 1 && of_kinds(&[fields.first().map_or(FieldKind::Null, |field| field.kind)]);
        let message = |name: &str| FieldKind::Message(self.messages.get(name).copied().unwrap_or(usize::MAX));
        match name {
            "Timestamp" if of_kinds(&[FieldKind::Int64, FieldKind::Int32]) && have(Label::Implicit) => {
                Form::Timestamp
            }
            "Duration" if of_kinds(&[FieldKind::Int64, FieldKind::Int32]) && have(Label::Implicit) => {
                Form::Duration
            }
            "Struct" if is_only && have(Label::Map) => Form::Struct,
            "ListValue" if is_only && have(Label::Repeated) => Form::ListValue,
            "Value" => {
                // Both messages inside are objects or arrays, whose depth is limited.
                let kinds = [
                    FieldKind::Null,
                    FieldKind::Double,
                    FieldKind::String,
                    FieldKind::Bool,
                    message("google.protobuf.Struct"),
                    message("google.protobuf.ListValue"),
                ];
                if of_kinds(&kinds) && have(Label::Presence) { Form::Value } else { Form::Object }
            }
            name if name.ends_with("Value") && is_only && have(Label::Implicit) => Form::Wrapper,
            _ => Form::Object,
        }
    }
}

/// Whether a field is a map. Descriptors of a file can declare as a map what is none.
fn is_map(field: &FieldDescriptor) -> bool {
    let Some(entry) = field.kind().as_message().filter(|_| field.is_map()).cloned() else { return false };
    let mut fields = entry.fields();
    let (Some(key), Some(value), None) = (fields.next(), fields.next(), fields.next()) else { return false };
    let is_key =
        !matches!(key.kind(), Kind::Double | Kind::Float | Kind::Bytes | Kind::Message(_) | Kind::Enum(_));
    let are_single = [&key, &value].iter().all(|field| field.cardinality() == Cardinality::Optional);
    (key.number(), value.number()) == (1, 2) && is_key && are_single
}
