//! The scanner never panics, and accepts the same JSON as serde_json. Exceptions on purpose are a byte order mark, lone
//! surrogates, bytes that are not UTF-8, and `NaN` and `Infinity`, which are read as no value.

#![no_main]

use mapping::decode::{DEPTH_MAX, Path, Query, Scanner, Syntax, SyntaxError, Token, find, select};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

static PATH: LazyLock<Path> = LazyLock::new(|| Path::parse("$.a[1].b").expect("a path"));
static TREE: LazyLock<Query> = LazyLock::new(|| Query::parse("$..a[?@.b > 1]").expect("a query"));

fuzz_target!(|bytes: &[u8]| {
    let mut scanner = Scanner::new(bytes);
    let scanned = read(&mut scanner, 0).and_then(|value| scanner.end().map(|()| value));
    check_queries(bytes, scanned.is_ok());
    // serde_json reads neither a byte order mark nor bytes that are not UTF-8.
    if bytes.starts_with(b"\xEF\xBB\xBF") || str::from_utf8(bytes).is_err() {
        return;
    }
    match (scanned, serde_json::from_slice::<Value>(bytes)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(SyntaxError { why: Syntax::Depth, .. }), _) | (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => {
            assert!(has_lone_surrogate(bytes) || has_not_finite(bytes), "refused by serde_json: {error}");
        }
        (Err(error), Ok(_)) => panic!("refused only here: {error}"),
    }
});

/// Checks that queries accept the same records as a complete scan.
fn check_queries(bytes: &[u8], accepted: bool) {
    let (scanner, mut spans) = (Scanner::new(bytes), Vec::new());
    assert_eq!(find(&PATH, &scanner).is_ok(), accepted);
    assert_eq!(select(&TREE, &scanner, &mut spans).is_ok(), accepted);
    assert!(spans.iter().all(|span| bytes.get(span.clone()).is_some()));
}

fn read(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, SyntaxError> {
    let token = scanner.value()?;
    scanner.check_depth(token, depth)?;
    assert!(depth <= DEPTH_MAX);
    let mut first = true;
    Ok(match token {
        Token::Null | Token::NotFinite | Token::Binary => Value::Null,
        Token::True => Value::Bool(true),
        Token::False => Value::Bool(false),
        Token::Number(number) => {
            serde_json::from_slice(number.text()).expect("what is a number here is one there")
        }
        Token::Text(text) => Value::String(text.to_string_lossy().into_owned()),
        Token::Object => {
            let mut members = serde_json::Map::new();
            while let Some(key) = scanner.key(first)? {
                first = false;
                members.insert(key.to_string_lossy().into_owned(), read(scanner, depth + 1)?);
            }
            Value::Object(members)
        }
        Token::Array => {
            let mut elements = Vec::new();
            while scanner.element(first)? {
                first = false;
                elements.push(read(scanner, depth + 1)?);
            }
            Value::Array(elements)
        }
    })
}

fn has_not_finite(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|window| window == b"NaN" || window == b"Inf")
}

/// Whether there is some escape in the range of surrogates.
fn has_lone_surrogate(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|w| w[..2] == *b"\\u" && w[2].eq_ignore_ascii_case(&b'd') && w[3] > b'7')
}
