//! S3 key pairs: what clients sign their requests with.
//!
//! Every access token has a pair for each project, and local mode has one for its only actor. A signature can only be checked by who
//! knows the secret, so a hash of it would not do; but the secret is not stored either: it is a keyed hash of the key's id
//! under the server's key, a file beside the database. It ends with its token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lathe_core::{Actor, Code, Ctx, Error, Grant, Project, Result, TokenId};

use crate::cache::Identity;
use crate::resolve::{Credentials, LOCAL_ACTOR, Proof, unknown_project};
use crate::store::identities::{TokenKey, TokenRow};
use crate::tokens::RUN;
use crate::{Access, Mode, secret};

/// Every key id begins so.
const KEY_PREFIX: &str = "LTHK";
/// The holder of local mode's pair.
const LOCAL_HOLDER: &str = "local";
/// What the keyed hash is made for, and its version.
const PURPOSE: &str = "lathe s3 secret 1:";

/// 256 secret bits of this server, from which S3 secrets and what opens the secrets of jobs are derived.
#[derive(Clone, Copy)]
pub struct ServerKey([u8; 32]);

impl ServerKey {
    /// A new key, from the operating system's random bytes.
    ///
    /// # Errors
    /// `Internal` when the operating system gives none.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::internal(format!("the operating system gave no random bytes: {error}")))?;
        Ok(Self(bytes))
    }

    /// Takes a key that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept where only the server reads.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for another purpose, which says nothing about this one.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }

    fn secret_of(&self, holder: &str) -> String {
        let hash = blake3::keyed_hash(&self.0, format!("{PURPOSE}{holder}").as_bytes());
        URL_SAFE_NO_PAD.encode(hash.as_bytes())
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// A pair that signs S3 requests.
#[derive(Clone, PartialEq, Eq)]
pub struct S3KeyPair {
    /// Public.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
}

impl fmt::Debug for S3KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3KeyPair({}, …)", self.access_key_id)
    }
}

/// A key id, read: `LTHK<token id or "local">[.<project>]`.
struct KeyId<'a> {
    holder: &'a str,
    project: Project,
}

impl<'a> KeyId<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let rest = text.strip_prefix(KEY_PREFIX).ok_or_else(unknown_key)?;
        let (holder, project) = match rest.split_once('.') {
            None => (rest, Project::default_project()),
            Some((holder, project)) => (holder, Project::parse(project).map_err(|_| unknown_key())?),
        };
        if holder != LOCAL_HOLDER && TokenId::parse(holder).is_err() {
            return Err(unknown_key());
        }
        Ok(Self { holder, project })
    }
}

impl Access {
    /// The pair of a token, or of local mode, in a project.
    ///
    /// # Errors
    /// `Unauthenticated` for a token that does not hold, `InvalidArgument` for a password or a session: they have no pair.
    pub async fn s3_key_pair(&self, credentials: &Credentials, project: &Project) -> Result<S3KeyPair> {
        let found = self.token_of(credentials, project).await;
        match (self.mode(), found) {
            // As for every request in local mode: only a run's own credentials say something.
            (Mode::Local, Ok(row)) if row.token.kind == RUN => Ok(self.key_pair(row.token.id.as_str(), project)),
            (Mode::Local, _) => Ok(self.key_pair(LOCAL_HOLDER, project)),
            (Mode::Login, found) => Ok(self.key_pair(found?.token.id.as_str(), project)),
        }
    }

    async fn token_of(&self, credentials: &Credentials, project: &Project) -> Result<TokenRow> {
        let Proof::Token(hash) = Proof::read(credentials)? else {
            return Err(Error::invalid("only access tokens have S3 keys; make one: lathe token create NAME"));
        };
        self.find_live_token(TokenKey::Hash(&hash), project, self.clock.now_ms()).await.map(|(row, _)| row)
    }

    /// The pair of a token that was just made.
    pub fn s3_key_pair_of(&self, token_id: &TokenId, project: &Project) -> S3KeyPair {
        self.key_pair(token_id.as_str(), project)
    }

    fn key_pair(&self, holder: &str, project: &Project) -> S3KeyPair {
        let suffix = if *project == Project::default_project() { String::new() } else { format!(".{project}") };
        S3KeyPair {
            access_key_id: format!("{KEY_PREFIX}{holder}{suffix}"),
            secret_access_key: self.server_key.secret_of(holder),
        }
    }

    /// The secret that belongs to a key id, for checking a signature: that the holder still holds is asked afterwards, of
    /// [`Access::resolve_s3_key`].
    ///
    /// # Errors
    /// `Unauthenticated` for a text that is no key id.
    pub fn s3_secret(&self, access_key_id: &str) -> Result<String> {
        Ok(self.server_key.secret_of(KeyId::parse(access_key_id)?.holder))
    }

    /// Makes the context of a request whose signature was checked.
    ///
    /// # Errors
    /// `Unauthenticated` when the key's token was revoked, has expired or never was; `NotFound` for its project.
    pub async fn resolve_s3_key(&self, access_key_id: &str, request_id: String) -> Result<Ctx> {
        let KeyId { holder, project } = KeyId::parse(access_key_id)?;
        let Identity { actor, grant, expires_at_ms: _ } = match self.mode() {
            Mode::Local if holder == LOCAL_HOLDER => {
                if !self.project_exists(&project).await? {
                    return Err(unknown_project(&project));
                }
                Identity { actor: Actor::user(LOCAL_ACTOR), grant: Grant::ALL, expires_at_ms: None }
            }
            _ => self.by_s3_holder(access_key_id, holder, &project).await?,
        };
        Ok(Ctx { actor, project, grant, request_id, clock: self.clock.clone(), once: None })
    }

    async fn by_s3_holder(&self, access_key_id: &str, holder: &str, project: &Project) -> Result<Identity> {
        let token_id = TokenId::parse(holder).map_err(|_| unknown_key())?;
        let key = (secret::hash(access_key_id), project.clone());
        let now_ms = self.clock.now_ms();
        let generation = match self.cache.get(&key, now_ms) {
            Ok(identity) => return Ok(identity),
            Err(generation) => generation,
        };
        let (row, identity) = self.find_live_token(TokenKey::Id(&token_id), project, now_ms).await?;
        self.note_use(&row, now_ms);
        self.cache.remember(generation, key, identity.clone(), now_ms);
        Ok(identity)
    }
}

fn unknown_key() -> Error {
    Error::new(Code::Unauthenticated, "this access key id is not known here; `lathe env` prints yours")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_name_a_holder_and_a_project() {
        let id = "0123456789abcdef0123456789abcdef";
        for (text, holder, project) in [
            ("LTHKlocal".to_owned(), "local", "default"),
            (format!("LTHK{id}"), id, "default"),
            (format!("LTHK{id}.fraud"), id, "fraud"),
        ] {
            let parsed = KeyId::parse(&text).unwrap();
            assert_eq!((parsed.holder, parsed.project.as_str()), (holder, project));
        }
        for bad in ["", "local", "LTHK", "LTHKx", "AKIAIOSFODNN7EXAMPLE", "LTHKlocal.", "LTHKlocal.NO/x"] {
            assert!(KeyId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_belongs_to_one_holder_and_one_server() {
        let (one, other) = (ServerKey::from_bytes([1; 32]), ServerKey::from_bytes([2; 32]));
        assert_eq!(one.secret_of("local"), one.secret_of("local"));
        assert_ne!(one.secret_of("local"), one.secret_of("other"));
        assert_ne!(one.secret_of("local"), other.secret_of("local"));
        assert_eq!(format!("{one:?}"), "ServerKey(…)");
    }
}
