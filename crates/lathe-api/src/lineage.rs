//! `/lineage`: where a thing comes from and what came from it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use lathe_core::{Ctx, Error, Kind, Name};
use lathe_db::ledger::lineage::{self, Direction, Neighbourhood};
use lathe_http::{Caller, Failure};
use lathe_monitoring::quality::list_prediction_origins;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::events::Edge;
use crate::extract::Query;
use crate::state::ApiState;

const MAX_DEPTH: u32 = 50;

/// Which way to walk.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Towards causes.
    Up,
    /// Towards results.
    Down,
    /// Both ways.
    Both,
}

/// Which part of the graph.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LineageQuery {
    /// The canonical name in the middle.
    name: String,
    /// `up`, `down` or `both` (if absent).
    direction: Option<Way>,
    /// How many steps (0 to 50; 2 if absent).
    depth: Option<u32>,
}

/// One thing of the graph.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineageNode {
    /// Its canonical name.
    pub name: String,
    /// Its kind: `run`, `model`, `dataset`, …
    pub kind: String,
    /// What a person reads: the name without project and kind.
    pub label: String,
    /// Steps from the middle: negative towards causes, positive towards results.
    pub depth: i64,
}

/// A part of the lineage graph.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lineage {
    /// The name in the middle.
    pub center: String,
    /// The things.
    pub nodes: Vec<LineageNode>,
    /// What came from what.
    pub edges: Vec<Edge>,
    /// Whether there is more than was asked for or may be shown.
    pub truncated: bool,
}

/// The neighbourhood of one name.
#[utoipa::path(get, path = "/api/v1/lineage", tag = "ledger", params(LineageQuery), responses((status = 200, body = Lineage)))]
pub(crate) async fn get_lineage(
    State(api): State<ApiState>,
    Caller(ctx): Caller,
    Query(query): Query<LineageQuery>,
) -> Result<Json<Lineage>, Failure> {
    let center = Name::parse(&query.name)?;
    if center.project() != ctx.project.as_str() {
        return Err(Error::not_found(format!("{center} is not in project {}", ctx.project)).into());
    }
    let depth = query.depth.unwrap_or(2);
    if depth > MAX_DEPTH {
        return Err(Error::invalid(format!("depth is {depth}; it must be from 0 to {MAX_DEPTH}")).into());
    }
    let direction = match query.direction.unwrap_or(Way::Both) {
        Way::Up => Direction::Up,
        Way::Down => Direction::Down,
        Way::Both => Direction::Both,
    };
    let prediction = Name::new(&ctx.project, Kind::Prediction, "");
    let found = match center.as_str().strip_prefix(prediction.as_str()) {
        Some(request_id) => walk_prediction(&ctx, &api, &center, request_id, depth).await?,
        None => lineage::walk(&ctx, &api.db, &center, direction, depth).await?,
    };
    Ok(Json(Lineage {
        center: center.to_string(),
        nodes: found.nodes.into_iter().map(|(name, depth)| node(&name, depth)).collect(),
        edges: found.edges.into_iter().map(Edge::from).collect(),
        truncated: found.is_truncated,
    }))
}

/// The causes of a prediction, which is no event of the ledger but a sample: its deployment, the version that answered, and on.
async fn walk_prediction(
    ctx: &Ctx,
    api: &ApiState,
    center: &Name,
    request_id: &str,
    depth: u32,
) -> lathe_core::Result<Neighbourhood> {
    let origins = list_prediction_origins(ctx, &api.monitoring, request_id).await?;
    if origins.is_empty() {
        return Err(Error::not_found(format!("no deployment of project {} kept a request {request_id}", ctx.project))
            .with_hint("samples come about a second after the answer; a deployment may keep only a share of them"));
    }
    let mut found =
        Neighbourhood { nodes: BTreeMap::from([(center.clone(), 0)]), edges: Vec::new(), is_truncated: depth < 2 };
    for origin in origins {
        let deployment = Name::new(&ctx.project, Kind::Deployment, &origin.deployment);
        let version = Name::new(&ctx.project, Kind::Model, format_args!("{}/{}", origin.model, origin.version));
        let edge = |from: &Name, to: &Name, kind: &str| lathe_core::Edge {
            from: from.clone(),
            to: to.clone(),
            kind: kind.to_owned(),
        };
        if depth >= 1 {
            found.nodes.insert(deployment.clone(), -1);
            found.edges.push(edge(&deployment, center, "answered"));
        }
        if depth >= 2 {
            found.edges.push(edge(&version, &deployment, "serves"));
            let further = lineage::walk(ctx, &api.db, &version, Direction::Up, depth - 2).await?;
            found.nodes.extend(further.nodes.into_iter().map(|(name, steps)| (name, steps - 2)));
            found.edges.extend(further.edges);
            found.is_truncated |= further.is_truncated;
        }
    }
    Ok(found)
}

fn node(name: &Name, depth: i64) -> LineageNode {
    let mut parts = name.as_str().splitn(3, '/').skip(1);
    LineageNode {
        name: name.to_string(),
        kind: parts.next().unwrap_or_default().to_owned(),
        label: parts.next().unwrap_or_default().to_owned(),
        depth,
    }
}
