//! The first argument of every public function of a room: who asks, in which project, with what rights.

use crate::{Action, Actor, Clock, Code, Error, Grant, Project, Result};

/// The context of one request, made once at the door.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Who acts.
    pub actor: Actor,
    /// The project of the request. A room never touches another one.
    pub project: Project,
    /// What the actor may do there.
    pub grant: Grant,
    /// The request's id, in logs, errors and events.
    pub request_id: String,
    /// Where "now" comes from.
    pub clock: Clock,
    /// Names the one change that is asked for, when who asks may have to ask again: it is then made once.
    pub once: Option<String>,
}

impl Ctx {
    /// The context of Lathe's own work in a project.
    pub fn system(part: &str, project: Project) -> Self {
        Self {
            actor: Actor::system(part),
            project,
            grant: Grant::ALL,
            request_id: String::new(),
            clock: Clock::System,
            once: None,
        }
    }

    /// The same context for a change that is made once, however often it is asked for under this key. Of use only with functions
    /// that say so: others know no keys.
    #[must_use]
    pub fn once(&self, key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..self.clone() }
    }

    /// Milliseconds since 1970 (UTC).
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Fails unless the action is granted in the request's project.
    ///
    /// # Errors
    /// `PermissionDenied`, naming the role that is missing.
    pub fn authorize(&self, action: Action) -> Result<()> {
        if self.grant.allows(action) {
            return Ok(());
        }
        let message = match action.needs() {
            _ if !self.grant.scope.covers(action) => {
                let scope = self.grant.scope.as_str();
                format!("this token may only {scope}; `{}` needs a token of scope all", action.as_str())
            }
            Some(role) => format!(
                "{} may not {} in project {}; the role {} is needed",
                self.actor.name,
                action.as_str(),
                self.project,
                role.as_str()
            ),
            None => format!("{} is not a server administrator", self.actor.name),
        };
        Err(Error::new(Code::PermissionDenied, message))
    }
}
