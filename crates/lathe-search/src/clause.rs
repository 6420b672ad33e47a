//! What a filter says, after parsing.

/// What kind of thing a clause looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entity {
    /// The latest value of a metric.
    Metric,
    /// A param.
    Param,
    /// A tag.
    Tag,
    /// A fixed attribute, such as `status` or `name`.
    Attribute,
    /// A dataset that was read.
    Dataset,
}

impl Entity {
    /// The entity as MLflow's messages name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Entity::Metric => "metric",
            Entity::Param => "parameter",
            Entity::Tag => "tag",
            Entity::Attribute => "attribute",
            Entity::Dataset => "dataset",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "metric" | "metrics" => Some(Entity::Metric),
            "param" | "params" | "parameter" | "parameters" => Some(Entity::Param),
            "tag" | "tags" => Some(Entity::Tag),
            "attribute" | "attributes" | "attr" | "run" => Some(Entity::Attribute),
            "dataset" | "datasets" => Some(Entity::Dataset),
            _ => None,
        }
    }
}

/// How a clause compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `LIKE`: `%` and `_` are wildcards, case counts.
    Like,
    /// `ILIKE`: as `LIKE`, case does not count.
    Ilike,
    /// `IN (…)`
    In,
    /// `NOT IN (…)`
    NotIn,
    /// `IS NULL`: there is no such key.
    IsNull,
    /// `IS NOT NULL`
    IsNotNull,
}

impl Comparator {
    /// The comparator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparator::Equal => "=",
            Comparator::NotEqual => "!=",
            Comparator::Less => "<",
            Comparator::LessOrEqual => "<=",
            Comparator::Greater => ">",
            Comparator::GreaterOrEqual => ">=",
            Comparator::Like => "LIKE",
            Comparator::Ilike => "ILIKE",
            Comparator::In => "IN",
            Comparator::NotIn => "NOT IN",
            Comparator::IsNull => "IS NULL",
            Comparator::IsNotNull => "IS NOT NULL",
        }
    }
}

/// What a clause compares with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: `IS NULL`, `IS NOT NULL`.
    None,
    /// A number.
    Number(f64),
    /// A quoted text.
    Text(String),
    /// The texts of `IN` and `NOT IN`.
    List(Vec<String>),
}

/// One condition; all clauses of a filter must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// What kind of thing.
    pub entity: Entity,
    /// Which one: a metric's, param's or tag's key, or an attribute's name as the language spells it.
    pub key: String,
    /// How.
    pub comparator: Comparator,
    /// With what. Numbers stand where the key is numeric, texts elsewhere: the parser saw to it.
    pub value: Value,
}
