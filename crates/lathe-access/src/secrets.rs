//! Secrets of a project: what its jobs may know and nobody may read. People set and delete them, and see their names; a value
//! leaves the room for a job that the server starts, and for nothing else.

use std::collections::BTreeMap;
use std::fmt;

use lathe_core::variables::reserved_secret;
use lathe_core::{Action, Ctx, Error, Event, Kind, Name, Project, Result};
use lathe_db::FutureExt as _;
use serde_json::json;

use crate::{Access, sealed, store};

/// How long a value may be.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// How short a value may be: a shorter one would be found all over a log, where it is covered.
pub const MIN_VALUE_BYTES: usize = 4;
/// How many secrets a project may have.
pub const MAX_SECRETS: usize = 200;
const MAX_NAME_BYTES: usize = 63;

/// The name of a secret: also the name of the variable in which a job finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// Reads a name.
    ///
    /// # Errors
    /// `InvalidArgument` unless it has 1-63 letters, digits and `_`, and begins with no digit.
    pub fn parse(text: &str) -> Result<Self> {
        let is_inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_valid = (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(is_inner)
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if is_valid {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "the secret's name {text:?} is not valid: 1-{MAX_NAME_BYTES} letters, digits and _, the first no digit"
        )))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value, which `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Takes a value.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is too short, too long, or holds a NUL, which no environment variable can.
    pub fn new(text: String) -> Result<Self> {
        if text.contains('\0') || !(MIN_VALUE_BYTES..=MAX_VALUE_BYTES).contains(&text.len()) {
            return Err(Error::invalid(format!(
                "a secret's value has {MIN_VALUE_BYTES}-{MAX_VALUE_BYTES} bytes and no NUL; a shorter one could not be covered in logs"
            )));
        }
        Ok(Self(text))
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub name: SecretName,
    /// When it was first set, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was last set.
    pub updated_at_ms: i64,
}

/// The project's secrets, by name.
///
/// # Errors
/// `PermissionDenied`, or what the database answers.
pub async fn list_secrets(ctx: &Ctx, access: &Access) -> Result<Vec<Secret>> {
    ctx.authorize(Action::Write)?;
    store::secrets::list(&access.db, &ctx.project).await
}

/// Sets a secret of the project, in place of an earlier value. Jobs that start from now on get it.
///
/// # Errors
/// `PermissionDenied` for all but maintainers, `InvalidArgument` when the project has too many, and for a name that no job could get it by.
pub async fn set_secret(ctx: &Ctx, access: &Access, name: SecretName, value: SecretValue) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    if let Some((why, instead)) = reserved_secret(name.as_str()) {
        return Err(Error::invalid(why).with_hint(instead));
    }
    let sealed = sealed::seal(&access.server_key, &place(&ctx.project, &name), value.expose().as_bytes())?;
    let ctx = ctx.clone();
    access
        .db
        .write(move |tx| {
            async move {
                let known = store::secrets::list_in(tx, &ctx.project).await?;
                let is_new = known.iter().all(|secret| secret.name != name);
                if is_new && known.len() >= MAX_SECRETS {
                    return Err(Error::invalid(format!(
                        "project `{}` has {MAX_SECRETS} secrets, the most it may",
                        ctx.project
                    ))
                    .with_hint("delete one that no job needs"));
                }
                store::secrets::set(tx, &ctx.project, &name, &sealed, ctx.now_ms()).await?;
                tx.record(&ctx, Event::new("secret.set", subject(&ctx, &name), json!({ "is_new": is_new }))).await
            }
            .boxed()
        })
        .await
}

/// Deletes a secret of the project. Jobs at work keep what they got.
///
/// # Errors
/// `PermissionDenied` for all but maintainers, `NotFound`.
pub async fn delete_secret(ctx: &Ctx, access: &Access, name: SecretName) -> Result<()> {
    ctx.authorize(Action::Manage)?;
    let ctx = ctx.clone();
    access
        .db
        .write(move |tx| {
            async move {
                if !store::secrets::delete(tx, &ctx.project, &name).await? {
                    return Err(unknown(&ctx.project, &name));
                }
                tx.record(&ctx, Event::new("secret.deleted", subject(&ctx, &name), json!({}))).await
            }
            .boxed()
        })
        .await
}

/// The values of secrets, for a job of the project that the server starts.
///
/// # Errors
/// `PermissionDenied` for all but the server itself; `NotFound` for a secret that is not set; `Unavailable` for one that this
/// server's key does not open.
pub async fn reveal_secrets(
    ctx: &Ctx,
    access: &Access,
    names: &[SecretName],
) -> Result<BTreeMap<SecretName, SecretValue>> {
    ctx.authorize(Action::Server)?;
    let mut values = BTreeMap::new();
    for name in names {
        let found = store::secrets::find(&access.db, &ctx.project, name).await?;
        let found = found.ok_or_else(|| unknown(&ctx.project, name))?;
        let opened = sealed::open(&access.server_key, &place(&ctx.project, name), &found);
        let value = opened.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
            let message = format!("the secret `{name}` does not open: it was set under another server key");
            Error::new(lathe_core::Code::Unavailable, message)
                .with_hint(format!("put the server's key back, or set the secret again: lathe secret set {name}"))
        })?;
        values.insert(name.clone(), SecretValue(value));
    }
    Ok(values)
}

/// What a value is bound to: it does not open under another name or in another project.
fn place(project: &Project, name: &SecretName) -> String {
    format!("{project}/{name}")
}

fn subject(ctx: &Ctx, name: &SecretName) -> Name {
    Name::new(&ctx.project, Kind::Secret, name)
}

fn unknown(project: &Project, name: &SecretName) -> Error {
    Error::not_found(format!("project `{project}` has no secret `{name}`"))
        .with_hint(format!("set it: lathe secret set {name} --project {project}"))
}
