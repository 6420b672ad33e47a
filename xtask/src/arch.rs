//! The layer rules, read from `cargo metadata`: who may depend on whom, and which foreign crates belong to which room.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// The layer of each crate. A crate depends on lower layers only, except where [`SIDEWAYS`] allows it.
const LAYERS: &[(&str, u8)] = &[
    ("lathe-core", 0),
    ("lathe-db", 1),
    ("lathe-objects", 1),
    ("lathe-search", 1),
    ("lathe-access", 2),
    ("lathe-data", 2),
    ("lathe-models", 2),
    ("lathe-monitoring", 2),
    ("lathe-serving", 2),
    ("lathe-tracking", 2),
    ("lathe-workflows", 2),
    ("lathe-http", 3),
    ("lathe-api", 3),
    ("lathe-mlflow", 3),
    ("lathe-oip", 3),
    ("lathe-onnx", 3),
    ("lathe-s3", 3),
    ("lathe", 4),
];

/// Dependencies within one layer. Rooms (layer 2) have none: what crosses between them is an id, an event or an edge.
const SIDEWAYS: &[(&str, &str)] = &[
    ("lathe-objects", "lathe-db"),
    ("lathe-search", "lathe-db"),
    ("lathe-api", "lathe-http"),
    ("lathe-mlflow", "lathe-http"),
    ("lathe-oip", "lathe-http"),
    ("lathe-s3", "lathe-http"),
];

/// Crates that stand outside the layers: they build and test, and nothing ships with them.
const TOOLS: &[&str] = &["lathe-testkit", "xtask"];

/// Foreign crates and the only crates of ours that may use them.
const BELONGS_TO: &[(&str, &[&str])] = &[
    ("sqlx", &["lathe-db"]),
    ("rusqlite", &["lathe-db"]),
    ("object_store", &["lathe-objects"]),
    ("axum", &["lathe-http", "lathe-api", "lathe-mlflow", "lathe-oip", "lathe-s3", "lathe"]),
    ("s3s", &["lathe-s3"]),
    ("hyper", &["lathe-http", "lathe"]),
    ("tower", &["lathe-http", "lathe-api", "lathe-mlflow", "lathe-oip", "lathe"]),
    ("utoipa", &["lathe-api", "lathe"]),
    ("tonic", &["lathe-oip"]),
    ("ort", &["lathe-onnx"]),
    ("clap", &["lathe", "xtask"]),
    ("argon2", &["lathe-access"]),
    ("parquet", &["lathe-monitoring", "lathe-oip"]),
    ("winnow", &["lathe-search", "lathe-workflows"]),
    ("datasketches", &["lathe-monitoring"]),
];

/// Checks every rule and names each breach.
pub fn check() -> Result<()> {
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut breaches = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if TOOLS.contains(&name) {
            continue;
        }
        let Some(layer) = layers.get(name) else {
            breaches.push(format!("{name} has no layer; give it one in xtask/src/arch.rs and in ARCHITECTURE.md"));
            continue;
        };
        breaches.extend(own_breaches(package, *layer, &layers));
        breaches.extend(foreign_breaches(package));
    }
    if breaches.is_empty() {
        println!("arch: {} crates keep the layer rules", metadata.packages.len());
        return Ok(());
    }
    bail!("the layer rules are broken:\n  {}", breaches.join("\n  "))
}

fn shipped_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

fn own_breaches(package: &Package, layer: u8, layers: &BTreeMap<&str, u8>) -> Vec<String> {
    let name = package.name.as_str();
    shipped_dependencies(package)
        .filter(|dependency| {
            let is_tool = TOOLS.contains(dependency);
            let is_upwards =
                layers.get(dependency).is_some_and(|other| *other >= layer) && !SIDEWAYS.contains(&(name, dependency));
            is_tool || is_upwards
        })
        .map(|dependency| format!("{name} (layer {layer}) may not depend on {dependency}"))
        .collect()
}

fn foreign_breaches(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    shipped_dependencies(package)
        .filter_map(|dependency| BELONGS_TO.iter().find(|(foreign, _)| *foreign == dependency))
        .filter(|(_, owners)| !owners.contains(&name))
        .map(|(foreign, owners)| format!("{name} may not depend on {foreign}; it belongs to {}", owners.join(", ")))
        .collect()
}
