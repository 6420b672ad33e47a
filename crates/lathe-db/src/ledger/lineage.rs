//! The lineage graph: a neighbourhood of one name, walked level by level over the ledger's edges.

use std::collections::{BTreeMap, BTreeSet};

use lathe_core::{Action, Ctx, Edge, Name, Result};

use crate::{Db, query};

/// Which way to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards causes: why is this so?
    Up,
    /// Towards results: what does this touch?
    Down,
    /// Both ways.
    Both,
}

/// A part of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbourhood {
    /// Each name with its distance from the centre: negative upwards, positive downwards.
    pub nodes: BTreeMap<Name, i64>,
    /// The edges between them, without repeats.
    pub edges: Vec<Edge>,
    /// Whether there was more than the walk may show.
    pub is_truncated: bool,
}

/// No screen shows more at once, and no request may walk further.
const MAX_NODES: usize = 500;

/// Walks from `center` up to `depth` steps. An unknown name is a neighbourhood of one.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn walk(ctx: &Ctx, db: &Db, center: &Name, direction: Direction, depth: u32) -> Result<Neighbourhood> {
    ctx.authorize(Action::Read)?;
    let mut found =
        Neighbourhood { nodes: BTreeMap::from([(center.clone(), 0)]), edges: Vec::new(), is_truncated: false };
    if direction != Direction::Down {
        walk_one_way(ctx, db, center, depth, -1, &mut found).await?;
    }
    if direction != Direction::Up {
        walk_one_way(ctx, db, center, depth, 1, &mut found).await?;
    }
    Ok(found)
}

async fn walk_one_way(
    ctx: &Ctx,
    db: &Db,
    center: &Name,
    depth: u32,
    step: i64,
    found: &mut Neighbourhood,
) -> Result<()> {
    let mut seen: BTreeSet<(Name, Name, String)> = BTreeSet::new();
    let mut frontier = vec![center.clone()];
    for level in 1..=i64::from(depth) {
        let mut next = BTreeSet::new();
        for edge in edges_of(ctx, db, &frontier, step).await? {
            let far = if step < 0 { &edge.from } else { &edge.to };
            if !found.nodes.contains_key(far) {
                if found.nodes.len() >= MAX_NODES {
                    found.is_truncated = true;
                    continue;
                }
                found.nodes.insert(far.clone(), level * step);
                next.insert(far.clone());
            }
            if seen.insert((edge.from.clone(), edge.to.clone(), edge.kind.clone())) {
                found.edges.push(edge);
            }
        }
        frontier = next.into_iter().collect();
        if frontier.is_empty() {
            return Ok(());
        }
    }
    // Whether anything lies beyond the asked depth is worth saying.
    found.is_truncated |= !edges_of(ctx, db, &frontier, step).await?.is_empty();
    Ok(())
}

async fn edges_of(ctx: &Ctx, db: &Db, names: &[Name], step: i64) -> Result<Vec<Edge>> {
    let mut q = query("SELECT DISTINCT from_name, to_name, kind FROM edges WHERE project = ");
    q.push_bind(ctx.project.as_str());
    q.push(if step < 0 { " AND to_name IN " } else { " AND from_name IN " });
    q.push_list(names.iter().map(Name::as_str)).push(" ORDER BY from_name, to_name, kind LIMIT 2000");
    let rows = db.fetch_all(q).await?;
    rows.iter()
        .map(|row| {
            let (from, to): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(Edge { from: Name::parse(&from)?, to: Name::parse(&to)?, kind: row.get(2)? })
        })
        .collect()
}
