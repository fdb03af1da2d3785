//! Types of fields, as `types` names them.

/// Type of all values of a field: values of other types are converted, or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Whole numbers in any spelling, also quoted, and booleans as 1 and 0.
    Int,
    /// Like `Int`, from 0 to 2^64 - 1.
    Uint,
    /// Numbers, quoted numbers, and booleans as 1 and 0.
    Float,
    /// `true` and `false`, 1 and 0, also quoted.
    Bool,
    /// Strings, and the text of numbers and booleans as written.
    String,
}

impl FieldType {
    pub const ALL: [Self; 5] = [Self::Int, Self::Uint, Self::Float, Self::Bool, Self::String];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::String => "string",
        }
    }
}
