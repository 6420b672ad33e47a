//! SQL of datasets that runs read, and of logged models that they read or made.

use std::collections::{BTreeMap, HashMap};

use lathe_core::{Error, LoggedModelId, Project, Result};
use lathe_db::{Db, Tx, Value, query};

use super::{IDS_PER_STATEMENT, ROWS_PER_STATEMENT, padded};
use crate::inputs::CONTEXT_TAG;
use crate::{Dataset, DatasetInput, ModelOutput, Tag};

/// Whether a run read a logged model or made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Direction::Input => "input",
            Direction::Output => "output",
        }
    }
}

/// Stores datasets that are new to the project, and notes that the run read them. What is there already stays.
pub(crate) async fn insert_datasets(
    tx: &mut Tx,
    project: &Project,
    run_key: i64,
    first_ordinal: i64,
    inputs: &[DatasetInput],
) -> Result<()> {
    let mut ordered: Vec<(i64, &DatasetInput)> = (first_ordinal..).zip(inputs).collect();
    ordered.sort_unstable_by_key(|(_, input)| (&input.dataset.name, &input.dataset.digest));
    for chunk in ordered.chunks(ROWS_PER_STATEMENT) {
        let mut statement =
            query("INSERT INTO datasets (project, name, digest, source_type, source, schema, profile) VALUES ");
        statement.push_rows(chunk.iter().map(|(_, input)| {
            let Dataset { name, digest, source_type, source, schema, profile } = &input.dataset;
            [
                Value::from(project.as_str()),
                Value::from(name),
                Value::from(digest),
                Value::from(source_type),
                Value::from(source),
                Value::from(schema.clone()),
                Value::from(profile.clone()),
            ]
        }));
        statement.push(" ON CONFLICT DO NOTHING");
        tx.execute(statement).await?;

        let mut statement = query("INSERT INTO run_datasets (run_key, name, digest, ordinal, context, tags) VALUES ");
        let mut rows: Vec<[Value; 6]> = Vec::with_capacity(chunk.len());
        for (ordinal, input) in chunk {
            rows.push([
                Value::from(run_key),
                Value::from(&input.dataset.name),
                Value::from(&input.dataset.digest),
                Value::from(*ordinal),
                Value::from(input.tags.iter().find(|tag| tag.key == CONTEXT_TAG).map(|tag| tag.value.clone())),
                Value::from(tags_to_json(&input.tags)?),
            ]);
        }
        statement.push_rows(rows);
        statement.push(" ON CONFLICT DO NOTHING");
        tx.execute(statement).await?;
    }
    Ok(())
}

fn tags_to_json(tags: &[Tag]) -> Result<String> {
    let pairs: Vec<(&str, &str)> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    serde_json::to_string(&pairs).map_err(|error| Error::internal("tags of an input to JSON").with_source(error))
}

fn tags_from_json(text: &str) -> Result<Vec<Tag>> {
    let pairs: Vec<(String, String)> =
        serde_json::from_str(text).map_err(|error| Error::internal("tags of an input from JSON").with_source(error))?;
    Ok(pairs.into_iter().map(|(key, value)| Tag { key, value }).collect())
}

/// Notes that a run read or made logged models; one that is there gets the new step.
pub(crate) async fn upsert_models(
    tx: &mut Tx,
    run_key: i64,
    direction: Direction,
    first_ordinal: i64,
    models: &[ModelOutput],
) -> Result<()> {
    let by_id: BTreeMap<&str, (i64, i64)> = (first_ordinal..)
        .zip(models)
        .map(|(ordinal, model)| (model.model_id.as_str(), (model.step, ordinal)))
        .collect();
    let mut rows: Vec<[Value; 5]> = by_id
        .into_iter()
        .map(|(model_id, (step, ordinal))| {
            [
                Value::from(run_key),
                Value::from(direction.as_str()),
                Value::from(model_id),
                Value::from(step),
                Value::from(ordinal),
            ]
        })
        .collect();
    while !rows.is_empty() {
        let chunk = rows.drain(..rows.len().min(ROWS_PER_STATEMENT));
        let mut statement = query("INSERT INTO run_models (run_key, direction, model_id, step, ordinal) VALUES ");
        statement.push_rows(chunk);
        statement.push(" ON CONFLICT (run_key, direction, model_id) DO UPDATE SET step = excluded.step");
        tx.execute(statement).await?;
    }
    Ok(())
}

/// The datasets that runs read, in the order they were logged.
pub(crate) async fn load_datasets(
    db: &Db,
    project: &Project,
    run_keys: &[i64],
) -> Result<HashMap<i64, Vec<DatasetInput>>> {
    let mut found: HashMap<i64, Vec<DatasetInput>> = HashMap::new();
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement = query(
            "SELECT i.run_key, i.tags, d.name, d.digest, d.source_type, d.source, d.schema, d.profile \
             FROM run_datasets i JOIN datasets d ON d.project = $1 AND d.name = i.name AND d.digest = i.digest \
             WHERE i.run_key IN ",
        )
        .bind(project.as_str());
        statement.push_list(padded(chunk));
        statement.push(" ORDER BY i.run_key, i.ordinal");
        for row in db.fetch_all(statement).await? {
            let tags: String = row.get(1)?;
            let dataset = Dataset {
                name: row.get(2)?,
                digest: row.get(3)?,
                source_type: row.get(4)?,
                source: row.get(5)?,
                schema: row.get(6)?,
                profile: row.get(7)?,
            };
            found.entry(row.get(0)?).or_default().push(DatasetInput { dataset, tags: tags_from_json(&tags)? });
        }
    }
    Ok(found)
}

/// The logged models that runs read, and those that they made, in the order they were logged.
pub(crate) async fn load_models(
    db: &Db,
    run_keys: &[i64],
) -> Result<HashMap<i64, (Vec<LoggedModelId>, Vec<ModelOutput>)>> {
    let mut found: HashMap<i64, (Vec<LoggedModelId>, Vec<ModelOutput>)> = HashMap::new();
    for chunk in run_keys.chunks(IDS_PER_STATEMENT) {
        let mut statement = query("SELECT run_key, direction, model_id, step FROM run_models WHERE run_key IN ");
        statement.push_list(padded(chunk));
        statement.push(" ORDER BY run_key, ordinal");
        for row in db.fetch_all(statement).await? {
            let (inputs, outputs) = found.entry(row.get(0)?).or_default();
            let model_id = LoggedModelId::from_trusted(row.get(2)?);
            if row.get::<String>(1)? == Direction::Input.as_str() {
                inputs.push(model_id);
            } else {
                outputs.push(ModelOutput { model_id, step: row.get(3)? });
            }
        }
    }
    Ok(found)
}
