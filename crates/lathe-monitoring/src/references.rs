//! References: what a deployment's windows are compared with.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Project, Result};
use lathe_db::FutureExt as _;
use serde_json::json;

use crate::columnar::{read_csv, read_parquet};
use crate::profile::{Bins, ColumnKey, ColumnKind};
use crate::settings::check_deployment;
use crate::store::references as rows;
use crate::windows::get;
use crate::{Column, Monitoring, Part, Profile, Table, report, store};

/// A reference in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The model version it is for; 0 for all.
    pub version: i64,
    /// Where it came from, in words.
    pub source: String,
    /// How many rows it has seen.
    pub rows: i64,
    /// When it was set, in milliseconds since 1970.
    pub created_at_ms: i64,
}

impl From<rows::Reference> for Reference {
    fn from(stored: rows::Reference) -> Self {
        let rows::Reference { version, source, rows, profile: _, created_at_ms } = stored;
        Self { version, source, rows, created_at_ms }
    }
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl FileKind {
    /// The form that a path's ending tells.
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        match path.rsplit('.').next() {
            Some("csv") => Some(FileKind::Csv),
            Some("parquet") => Some(FileKind::Parquet),
            _ => None,
        }
    }
}

/// Which columns of training data belong to a model, and of which kind each is, as its deployment's samples tell; without samples all
/// are inputs, of the kind that the file tells.
#[derive(Debug, Clone, Default)]
pub struct ColumnChoice {
    inputs: BTreeMap<String, ColumnKind>,
    outputs: BTreeMap<String, ColumnKind>,
}

impl ColumnChoice {
    /// Whether no samples tell of any column.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    fn kind_of(&self, column: &str) -> Option<ColumnKind> {
        self.inputs.get(column).or_else(|| self.outputs.get(column)).copied()
    }

    /// Whether a profile has rows, and all of the model's inputs. One that is empty is there; one whose values are of another kind is not.
    pub fn is_covered_by(&self, profile: &Profile) -> bool {
        let has = |name: &String| profile.columns.keys().any(|key| key.part == Part::Input && key.name == *name);
        profile.rows > 0 && self.inputs.keys().all(has)
    }
}

/// The columns that a deployment's latest samples have.
///
/// # Errors
/// What the database answers.
pub async fn sampled_columns(ctx: &Ctx, monitoring: &Monitoring, deployment: &str) -> Result<ColumnChoice> {
    ctx.authorize(Action::Read)?;
    let Some(window) =
        crate::windows::list(ctx, monitoring, deployment, crate::windows::Span { windows: 1, ..Default::default() })
            .await?
            .pop()
    else {
        return Ok(ColumnChoice::default());
    };
    let segments = store::segments::list(&monitoring.db, &ctx.project, deployment, window.start_ms).await?;
    let profile = report::merged_profile(&segments, None)?;
    let kinds = |part| {
        let mut columns: Vec<_> = profile.columns.iter().filter(|(key, _)| key.part == part).collect();
        // Of one that came in both kinds, the usual one is the last to be put into the map.
        columns.sort_by_key(|(_, column)| column.count());
        columns.into_iter().map(|(key, _)| (key.name.clone(), key.kind)).collect()
    };
    Ok(ColumnChoice { inputs: kinds(Part::Input), outputs: kinds(Part::Output) })
}

/// Adds the rows of a file to a profile, table by table. Off the reactor, please: it computes.
///
/// # Errors
/// `InvalidArgument` when it is not what its kind says.
pub fn add_file(profile: &mut Profile, kind: FileKind, bytes: Bytes, choice: &ColumnChoice) -> Result<()> {
    profile.is_of_files = true;
    let mut add = |table: Table| {
        let is_output = |column: &Column| choice.outputs.contains_key(&column.name);
        let is_input = |column: &Column| {
            choice.inputs.is_empty() && !is_output(column) || choice.inputs.contains_key(&column.name)
        };
        let pick = |wanted: &dyn Fn(&Column) -> bool| {
            Table::new(table.columns().iter().filter(|column| wanted(column)).cloned().collect())
        };
        profile.add(&pick(&is_input)?, &pick(&is_output)?)
    };
    let (kind_of, mut unread) = (|column: &str| choice.kind_of(column), BTreeSet::new());
    match kind {
        FileKind::Csv => read_csv(&bytes, &kind_of, &mut unread, &mut add)?,
        FileKind::Parquet => read_parquet(bytes, &kind_of, &mut unread, &mut add)?,
    }
    // None of its values is of the kind: it is another column.
    profile.columns.retain(|key, column| column.count() > 0 || !unread.contains(&key.name));
    Ok(())
}

/// Makes a profile the reference of a version (0: of all versions). `from` are the things it came from.
///
/// # Errors
/// `InvalidArgument` for a profile that has seen nothing.
pub async fn set_reference(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    version: i64,
    source: &str,
    from: Vec<Name>,
    profile: Profile,
) -> Result<Reference> {
    ctx.authorize(Action::Write)?;
    check_deployment(deployment)?;
    if version < 0 {
        return Err(Error::invalid(format!("version is {version}; it must be a model version, or 0 for all")));
    }
    if profile.rows == 0 || profile.columns.is_empty() {
        return Err(Error::invalid(format!("{source} holds no rows of the model's columns: it cannot be a reference")));
    }
    let rows = i64::try_from(profile.rows).unwrap_or(i64::MAX);
    let (source, profile) = (source.to_owned(), profile.encode()?);
    let stored = rows::Reference { version, source, rows, profile, created_at_ms: ctx.now_ms() };
    let (ctx, deployment) = (ctx.clone(), deployment.to_owned());
    monitoring
        .db
        .write(move |tx| {
            async move {
                rows::upsert(tx, &ctx.project, &deployment, &stored).await?;
                let subject = Name::new(&ctx.project, Kind::Deployment, &deployment);
                let detail = json!({ "version": version, "source": stored.source, "rows": stored.rows });
                let event = Event::new("monitoring.reference_set", subject.clone(), detail);
                let event =
                    from.into_iter().fold(event, |event, name| event.with_edge(name, subject.clone(), "reference"));
                tx.record(&ctx, event).await?;
                Ok(Reference::from(stored))
            }
            .boxed()
        })
        .await
}

/// Makes a window of the deployment its reference.
///
/// # Errors
/// `NotFound` for the window.
pub async fn set_window_reference(
    ctx: &Ctx,
    monitoring: &Monitoring,
    deployment: &str,
    version: i64,
    start_ms: i64,
) -> Result<Reference> {
    ctx.authorize(Action::Write)?;
    let window = get(ctx, monitoring, deployment, start_ms).await?;
    let segments = store::segments::list(&monitoring.db, &ctx.project, deployment, window.start_ms).await?;
    let profile = report::merged_profile(&segments, None)?;
    let name = Name::new(&ctx.project, Kind::Window, format_args!("{deployment}/{start_ms}"));
    set_reference(ctx, monitoring, deployment, version, &format!("window {start_ms}"), vec![name], profile).await
}

/// The reference of a version (0: of all versions).
///
/// # Errors
/// `NotFound`.
pub async fn get_reference(ctx: &Ctx, monitoring: &Monitoring, deployment: &str, version: i64) -> Result<Reference> {
    ctx.authorize(Action::Read)?;
    check_deployment(deployment)?;
    let found = rows::find(&monitoring.db, &ctx.project, deployment, version).await?;
    found.map(Reference::from).ok_or_else(|| {
        Error::not_found(format!("deployment `{deployment}` has no reference")).with_hint(format!(
            "set one: lathe monitor reference {deployment} --training, --window TIME, or --data REPO@REF/PATH"
        ))
    })
}

pub(crate) async fn profile_of(
    monitoring: &Monitoring,
    project: &Project,
    deployment: &str,
    version: i64,
) -> Result<Option<(Reference, Profile)>> {
    let found = rows::find(&monitoring.db, project, deployment, version).await?;
    found.map(|stored| Ok((Reference::from(stored.clone()), Profile::decode(&stored.profile)?))).transpose()
}

/// The bins to count samples of a version over.
pub(crate) async fn bins_of(
    monitoring: &Monitoring,
    project: &Project,
    deployment: &str,
    version: i64,
) -> Result<Bins> {
    let found = profile_of(monitoring, project, deployment, version).await?;
    let mut bins: Bins = found.map(|(_, profile)| profile.bins()).transpose()?.unwrap_or_default();
    bins.retain(|key: &ColumnKey, edges| key.part == Part::Input && !edges.is_empty());
    Ok(bins)
}
