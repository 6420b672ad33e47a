//! What may be searched in each kind of thing.

use crate::clause::{Comparator, Entity};

use Comparator::{
    Equal, Greater, GreaterOrEqual, Ilike, In, IsNotNull, IsNull, Less, LessOrEqual, Like, NotEqual, NotIn,
};

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Number,
    Text,
}

/// An attribute and how it may be compared.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    /// Other spellings, in filters and orders.
    pub(crate) aliases: &'static [&'static str],
    /// More spellings, in filters.
    pub(crate) filter_aliases: &'static [&'static str],
    pub(crate) value_type: ValueType,
    pub(crate) comparators: &'static [Comparator],
    pub(crate) is_sortable: bool,
    pub(crate) is_searchable: bool,
}

/// What is searched; messages differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    Runs,
    Experiments,
    RegisteredModels,
    ModelVersions,
    LoggedModels,
}

/// What may be searched in one kind of thing.
#[derive(Debug)]
pub struct Language {
    pub(crate) thing: Thing,
    pub(crate) attributes: &'static [Attribute],
    /// The keyed entities, each with its comparators.
    pub(crate) entities: &'static [(Entity, &'static [Comparator])],
    /// The keys of datasets, where they can be searched.
    pub(crate) dataset_keys: &'static [&'static str],
    /// The entities an order may name besides attributes.
    pub(crate) sortable: &'static [Entity],
}

const NUMBERS: &[Comparator] = &[Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
const TEXTS: &[Comparator] = &[Equal, NotEqual, Like, Ilike];
const TEXTS_AND_LISTS: &[Comparator] = &[Equal, NotEqual, Like, Ilike, In, NotIn];
const TEXTS_OR_NULL: &[Comparator] = &[Equal, NotEqual, Like, Ilike, IsNull, IsNotNull];

const fn text(name: &'static str, comparators: &'static [Comparator]) -> Attribute {
    Attribute {
        name,
        aliases: &[],
        filter_aliases: &[],
        value_type: ValueType::Text,
        comparators,
        is_sortable: true,
        is_searchable: true,
    }
}

const fn number(name: &'static str, aliases: &'static [&'static str]) -> Attribute {
    Attribute {
        name,
        aliases,
        filter_aliases: &[],
        value_type: ValueType::Number,
        comparators: NUMBERS,
        is_sortable: true,
        is_searchable: true,
    }
}

/// Runs.
pub static RUNS: Language = Language {
    thing: Thing::Runs,
    attributes: &[
        text("artifact_uri", TEXTS_AND_LISTS),
        number("end_time", &[]),
        text("run_id", TEXTS_AND_LISTS),
        Attribute { filter_aliases: &["run name", "Run name", "Run Name"], ..text("run_name", TEXTS_AND_LISTS) },
        number("start_time", &["created", "Created"]),
        text("status", TEXTS_AND_LISTS),
        text("user_id", TEXTS_AND_LISTS),
    ],
    entities: &[
        (Entity::Metric, NUMBERS),
        (Entity::Param, TEXTS_OR_NULL),
        (Entity::Tag, TEXTS_OR_NULL),
        (Entity::Dataset, TEXTS_AND_LISTS),
    ],
    dataset_keys: &["context", "digest", "name"],
    sortable: &[Entity::Metric, Entity::Param, Entity::Tag],
};

/// Experiments.
pub static EXPERIMENTS: Language = Language {
    thing: Thing::Experiments,
    attributes: &[
        number("creation_time", &[]),
        text("experiment_id", TEXTS_AND_LISTS),
        number("last_update_time", &[]),
        text("name", TEXTS_AND_LISTS),
    ],
    entities: &[(Entity::Tag, TEXTS_OR_NULL)],
    dataset_keys: &[],
    sortable: &[],
};

/// Registered models.
pub static REGISTERED_MODELS: Language = Language {
    thing: Thing::RegisteredModels,
    attributes: &[
        Attribute { is_searchable: false, ..number("creation_timestamp", &[]) },
        Attribute { is_searchable: false, ..number("last_updated_timestamp", &["timestamp"]) },
        text("name", TEXTS_AND_LISTS),
    ],
    entities: &[(Entity::Tag, TEXTS_OR_NULL)],
    dataset_keys: &[],
    sortable: &[],
};

/// Model versions.
pub static MODEL_VERSIONS: Language = Language {
    thing: Thing::ModelVersions,
    attributes: &[
        Attribute { is_searchable: false, ..number("creation_timestamp", &[]) },
        Attribute { is_searchable: false, ..number("last_updated_timestamp", &[]) },
        text("name", TEXTS_AND_LISTS),
        Attribute { is_sortable: false, ..text("run_id", TEXTS_AND_LISTS) },
        Attribute { is_sortable: false, ..text("source_path", TEXTS) },
        number("version_number", &[]),
    ],
    entities: &[(Entity::Tag, TEXTS_OR_NULL)],
    dataset_keys: &[],
    sortable: &[],
};

/// Logged models.
pub static LOGGED_MODELS: Language = Language {
    thing: Thing::LoggedModels,
    attributes: &[
        number("creation_timestamp", &["creation_time"]),
        text("experiment_id", TEXTS_AND_LISTS),
        number("last_updated_timestamp", &["last_updated_time"]),
        text("model_id", TEXTS_AND_LISTS),
        text("model_type", TEXTS_AND_LISTS),
        text("name", TEXTS_AND_LISTS),
        text("source_run_id", TEXTS_AND_LISTS),
        text("status", TEXTS_AND_LISTS),
    ],
    entities: &[(Entity::Metric, NUMBERS), (Entity::Param, TEXTS_AND_LISTS), (Entity::Tag, TEXTS_AND_LISTS)],
    dataset_keys: &[],
    sortable: &[Entity::Metric],
};

impl Language {
    /// The attribute that a filter calls so.
    pub(crate) fn searched_attribute(&self, key: &str) -> Option<&'static Attribute> {
        let attributes: &'static [Attribute] = self.attributes;
        attributes.iter().find(|attribute| {
            attribute.is_searchable
                && (attribute.name == key
                    || attribute.aliases.contains(&key)
                    || attribute.filter_aliases.contains(&key))
        })
    }

    /// The attribute that an order calls so.
    pub(crate) fn sorted_attribute(&self, key: &str) -> Option<&'static Attribute> {
        let attributes: &'static [Attribute] = self.attributes;
        attributes
            .iter()
            .find(|attribute| attribute.is_sortable && (attribute.name == key || attribute.aliases.contains(&key)))
    }

    pub(crate) fn comparators(&self, entity: Entity) -> Option<&'static [Comparator]> {
        self.entities.iter().find(|(known, _)| *known == entity).map(|(_, comparators)| *comparators)
    }

    /// The entities that this language knows, as MLflow's messages list them.
    pub(crate) fn entity_names(&self) -> String {
        let order = [Entity::Metric, Entity::Param, Entity::Tag, Entity::Attribute, Entity::Dataset];
        let known =
            order.into_iter().filter(|entity| *entity == Entity::Attribute || self.comparators(*entity).is_some());
        known.map(|entity| format!("'{}'", entity.as_str())).collect::<Vec<_>>().join(", ")
    }
}
