//! JSON that no library would write: hostile text, duplicate keys, lone surrogates, bytes that are not UTF-8.

use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A JSON value, with its members in order.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    /// The text of a number.
    Number(String),
    Text(Text),
    Array(Vec<Json>),
    Object(Vec<(Text, Json)>),
}

/// A string, piece by piece.
#[derive(Clone, Debug)]
pub struct Text(pub Vec<Piece>);

#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// A character, escaped only where JSON requires it.
    Char(char),
    /// A character as `\u` escapes.
    Escaped(char),
    /// Half of a surrogate pair.
    Surrogate(u16),
    /// A byte that never occurs in UTF-8.
    Byte(u8),
}

impl Text {
    pub fn plain(text: &str) -> Self {
        Self(text.chars().map(Piece::Char).collect())
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        for piece in &self.0 {
            match *piece {
                Piece::Byte(byte) => out.push(byte),
                Piece::Surrogate(unit) => push_unit(unit, out),
                Piece::Escaped(c) => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| push_unit(unit, out));
                }
                Piece::Char('\n') => out.extend_from_slice(b"\\n"),
                Piece::Char(c @ ('"' | '\\')) => out.extend_from_slice(&[b'\\', c as u8]),
                Piece::Char(c) if c < ' ' => push_unit(c as u16, out),
                Piece::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.push(b'"');
    }

    /// The decoded text by Go's rules: U+FFFD for each invalid byte and for each half of a surrogate pair.
    pub fn meaning(&self) -> String {
        let mut units = Vec::new();
        for piece in &self.0 {
            match *piece {
                Piece::Byte(_) => units.push(0xFFFD),
                Piece::Surrogate(unit) => units.push(unit),
                Piece::Char(c) | Piece::Escaped(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
        String::from_utf16_lossy(&units)
    }

    /// The text between the quotes, if nothing in it had to be escaped.
    pub fn unescaped(&self) -> Option<String> {
        let mut raw = Vec::new();
        self.write(&mut raw);
        let raw = String::from_utf8(raw).ok()?;
        Some(raw[1..raw.len() - 1].to_owned()).filter(|raw| !raw.contains('\\'))
    }
}

fn push_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
}

impl Json {
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Self::Number(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) => text.write(out),
            Self::Array(elements) => {
                out.push(b'[');
                for (place, element) in elements.iter().enumerate() {
                    out.extend_from_slice(if place > 0 { b" ,\n" } else { b"" });
                    element.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.extend_from_slice(b"{ ");
                for (place, (key, value)) in members.iter().enumerate() {
                    out.extend_from_slice(if place > 0 { b"," } else { b"" });
                    key.write(out);
                    out.extend_from_slice(b":\t");
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The same shape with other scalars: each is replaced by the next of `others`, where there is one.
    pub fn with_scalars(&self, others: &mut impl Iterator<Item = Option<Json>>) -> Self {
        match self {
            Self::Array(elements) => {
                Self::Array(elements.iter().map(|element| element.with_scalars(others)).collect())
            }
            Self::Object(members) => {
                let member = |(key, value): &(Text, Json)| (key.clone(), value.with_scalars(others));
                Self::Object(members.iter().map(member).collect())
            }
            scalar => others.next().flatten().unwrap_or_else(|| scalar.clone()),
        }
    }

    /// The same members in another order.
    pub fn shuffled(&self, rng: &mut Rng) -> Self {
        match self {
            Self::Array(elements) => {
                Self::Array(elements.iter().map(|element| element.shuffled(rng)).collect())
            }
            Self::Object(members) => {
                let mut members: Vec<_> =
                    members.iter().map(|(key, value)| (key.clone(), value.shuffled(rng))).collect();
                rng.shuffle(&mut members);
                Self::Object(members)
            }
            scalar => scalar.clone(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// The JSON text with other white space between its tokens.
    pub fn spaced_bytes(&self, rng: &mut Rng) -> Vec<u8> {
        let (mut out, mut in_text, mut is_escaped) = (Vec::new(), false, false);
        let space = |rng: &mut Rng, out: &mut Vec<u8>| {
            let white = [&b""[..], b"", b"", b" ", b"\n", b"\t\r\n  "];
            out.extend_from_slice(rng.choice(white).unwrap());
        };
        for byte in self.bytes() {
            let is_structure = !in_text && b"{}[],:".contains(&byte);
            if is_structure {
                space(rng, &mut out);
            }
            // No number stands next to another token without a structural character between them.
            if in_text || !byte.is_ascii_whitespace() {
                out.push(byte);
            }
            if is_structure {
                space(rng, &mut out);
            }
            in_text ^= byte == b'"' && !is_escaped;
            is_escaped = in_text && byte == b'\\' && !is_escaped;
        }
        out
    }
}

const HOSTILE: [char; 20] = [
    '\n', '\r', '\t', '\u{c}', '\0', '\u{1b}', '"', '\\', ',', '=', ' ', '#', 'a', 'i', '1', '{', '온', '🌡',
    '\u{2028}', '\u{FEFF}',
];

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        8 => select(&HOSTILE[..]).prop_map(Piece::Char),
        4 => select(&HOSTILE[..]).prop_map(Piece::Escaped),
        4 => any::<char>().prop_map(Piece::Char),
        1 => (0xD800_u16..0xE000).prop_map(Piece::Surrogate),
        1 => select(&[0xFF_u8, 0xFE, 0xC0, 0x80][..]).prop_map(Piece::Byte),
    ]
}

pub fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        3 => vec(piece(), 0..8).prop_map(Text),
        1 => select(&["x", "1.5", " 42 ", "1e400", "-0", "007", "m", "#m", "time"][..]).prop_map(Text::plain),
    ]
}

/// Few names, so that rules match and keys collide.
pub const KEYS: [&str; 26] = [
    "a",
    "b",
    "c",
    "a_b",
    "t",
    "t_1",
    "name",
    "s",
    "s_1",
    // Names that are indexes of an array.
    "0",
    "1",
    "time",
    "_field",
    "_measurement",
    "",
    "\\",
    "\0",
    "time\0",
    "a\\",
    "a\\b",
    "a\\\\b",
    "b\n",
    "b\\n",
    "x y",
    "k=1",
    "q\"",
];

fn key() -> impl Strategy<Value = Text> {
    prop_oneof![6 => select(&KEYS[..]).prop_map(Text::plain), 1 => text()]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-1000_i64..1000).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite()).prop_map(|f| format!("{f:e}")),
        select(&["-0", "-0.0", "1.50", "1E+2", "9223372036854775808", "1e-400", "0.1e1"][..])
            .prop_map(str::to_owned),
    ]
}

/// A scalar value.
pub fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        4 => number().prop_map(Json::Number),
        3 => text().prop_map(Json::Text),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    scalar().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            vec((key(), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

/// The time of an element, under `clock`: mostly one that can be used.
fn clock() -> impl Strategy<Value = Option<Json>> {
    prop_oneof![
        6 => (0_i64..4_000_000_000).prop_map(|s| Some(Json::Number(s.to_string()))),
        1 => (-9_000_000_000_i64..0).prop_map(|s| Some(Json::Text(Text::plain(&s.to_string())))),
        1 => Just(Some(Json::Text(Text::plain("noon")))),
        1 => Just(None),
    ]
}

fn element() -> impl Strategy<Value = Json> {
    (vec((key(), value()), 0..8), clock()).prop_map(|(mut members, clock)| {
        members.extend(clock.map(|clock| (Text::plain("clock"), clock)));
        Json::Object(members)
    })
}

/// A record: mostly an object or several.
pub fn record() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => element(),
        3 => vec(element(), 0..4).prop_map(Json::Array),
        1 => vec(prop_oneof![element(), value()], 0..4).prop_map(Json::Array),
        1 => value(),
    ]
}

/// A record with lists of names and values, parallel arrays, rows, and JSON in strings.
pub fn record_of_lists() -> impl Strategy<Value = Json> {
    let text = |text: &'static str| Json::Text(Text::plain(text));
    let object = |members: Vec<(&'static str, Json)>| {
        Json::Object(members.into_iter().map(|(key, value)| (Text::plain(key), value)).collect())
    };
    let item = (select(&KEYS[..]), scalar(), scalar())
        .prop_map(move |(name, value, other)| object(vec![("t", text(name)), ("b", value), ("s", other)]));
    let item = prop_oneof![4 => item, 1 => value()];
    let held = value().prop_filter_map("a string holds UTF-8", |value| {
        let held = String::from_utf8(value.bytes()).ok()?;
        Some(Json::Text(Text(held.chars().map(Piece::Char).collect())))
    });
    let list = prop_oneof![
        vec(item, 0..5).prop_map(Json::Array),
        vec(scalar(), 0..4).prop_map(Json::Array),
        vec(vec(scalar(), 0..4).prop_map(Json::Array), 0..4).prop_map(Json::Array),
        held,
        value(),
    ];
    let members = vec((select(&["a", "b", "c", "s", "t_1", "a_b"][..]), list.clone()), 0..6);
    prop_oneof![3 => members.prop_map(object), 1 => list]
}

/// A record whose keys collide: after flattening, also with the indexes of arrays, by `rename`, with tags from Kafka and static ones, or
/// after escaping.
pub fn record_of_colliding_keys() -> impl Strategy<Value = Json> {
    let text = |text: &str| Json::Text(Text::plain(text));
    let number = || Json::Number("7".to_owned());
    let inner = |key: &str, value| Json::Object(vec![(Text::plain(key), value)]);
    let member = |(key, value): (&str, Json)| (Text::plain(key), value);
    let list = |item| Json::Array(vec![item]);
    let surrogate = || Json::Text(Text(vec![Piece::Char('x'), Piece::Surrogate(0xD83C)]));
    let members = vec![
        ("a_b", number()),
        ("a", inner("b", number())),
        ("a", list(number())),
        ("a", inner("0", number())),
        ("a_0", number()),
        ("a_0", surrogate()),
        ("a", list(inner("b", number()))),
        ("a_0_b", number()),
        ("a", number()),
        ("b", text("x")),
        ("b", number()),
        ("b\n", number()),
        ("b\\n", number()),
        ("name", text("m")),
        ("name", text("n")),
        ("t_1", text("y")),
        ("t", inner("1", text("z"))),
        ("t", list(surrogate())),
        ("t_0", text("w")),
        ("s", text("u")),
        ("c", text("v")),
    ];
    let members = Just(members.into_iter().map(member).collect::<Vec<_>>()).prop_shuffle();
    (members, 2_usize..9).prop_map(|(mut members, count)| {
        members.truncate(count);
        members.push((Text::plain("clock"), Json::Number("1700000000".to_owned())));
        members.push((Text::plain("x y"), Json::Number("1".to_owned())));
        Json::Object(members)
    })
}
