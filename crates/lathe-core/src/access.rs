//! Roles and actions: one small table, deny by default.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A role in one project. Each role may do all that the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May read everything in the project.
    Viewer,
    /// May log runs and artifacts, and register models.
    Contributor,
    /// May also delete and restore what others made, and move aliases and stages.
    Maintainer,
    /// May also manage the project's members.
    Admin,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Contributor, Role::Maintainer, Role::Admin];

    /// The role as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Contributor => "contributor",
            Role::Maintainer => "maintainer",
            Role::Admin => "admin",
        }
    }

    /// Parses a role's name.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            Error::invalid(format!("role {text:?} does not exist; roles are viewer, contributor, maintainer and admin"))
        })
    }
}

/// What a request does, as declared in its route's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads something of the project.
    Read,
    /// Asks a deployed model.
    Infer,
    /// Adds to the project: runs, metrics, artifacts, models, versions.
    Write,
    /// Changes what is shared by all of the project: deletes, restores, aliases, stages.
    Manage,
    /// Changes who may do what in the project.
    Administer,
    /// Changes the server: users, projects.
    Server,
}

impl Action {
    /// The weakest role that may do this in its project; `None` when no project role suffices.
    pub fn needs(self) -> Option<Role> {
        match self {
            Action::Read | Action::Infer => Some(Role::Viewer),
            Action::Write => Some(Role::Contributor),
            Action::Manage => Some(Role::Maintainer),
            Action::Administer => Some(Role::Admin),
            Action::Server => None,
        }
    }

    /// The action as a verb for messages and the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Infer => "infer",
            Action::Write => "write",
            Action::Manage => "manage",
            Action::Administer => "administer",
            Action::Server => "server",
        }
    }
}

/// How much a token may do of what its owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// Only reading.
    Read,
    /// Only asking deployed models.
    Infer,
}

impl Scope {
    /// All scopes, widest first.
    pub const ALL: [Scope; 3] = [Scope::All, Scope::Read, Scope::Infer];

    /// The scope as it stands in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Read => "read",
            Scope::Infer => "infer",
        }
    }

    /// Parses a scope.
    ///
    /// # Errors
    /// `InvalidArgument` for any other word.
    pub fn parse(text: &str) -> Result<Self> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("scope {text:?} does not exist; scopes are all, read and infer")))
    }

    /// Whether an action is within the scope.
    pub fn covers(self, action: Action) -> bool {
        match self {
            Scope::All => true,
            Scope::Read => action == Action::Read,
            Scope::Infer => action == Action::Infer,
        }
    }
}

/// What an actor may do in the project of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The role in the project, if any.
    pub role: Option<Role>,
    /// Server administrators may do everything in every project.
    pub is_server_admin: bool,
    /// A token's scope narrows whatever its owner may do.
    pub scope: Scope,
}

impl Grant {
    /// Nothing at all.
    pub const NONE: Grant = Grant { role: None, is_server_admin: false, scope: Scope::All };
    /// Everything: the single actor of local mode, and Lathe itself.
    pub const ALL: Grant = Grant { role: Some(Role::Admin), is_server_admin: true, scope: Scope::All };

    /// Whether the action is granted. Pure; the table is [`Action::needs`].
    pub fn allows(&self, action: Action) -> bool {
        if !self.scope.covers(action) {
            return false;
        }
        if self.is_server_admin {
            return true;
        }
        match (action.needs(), self.role) {
            (Some(needed), Some(role)) => role >= needed,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [Action; 6] =
        [Action::Read, Action::Infer, Action::Write, Action::Manage, Action::Administer, Action::Server];

    #[test]
    fn nothing_is_granted_by_default() {
        assert!(ACTIONS.iter().all(|action| !Grant::NONE.allows(*action)));
    }

    #[test]
    fn roles_grant_what_the_table_says() {
        let granted = |role| {
            let grant = Grant { role: Some(role), ..Grant::NONE };
            ACTIONS.iter().filter(|a| grant.allows(**a)).count()
        };
        assert_eq!(Role::ALL.map(granted), [2, 3, 4, 5]);
    }

    #[test]
    fn a_scope_narrows_even_a_server_admin_to_one_action() {
        for (scope, allowed) in [(Scope::Read, Action::Read), (Scope::Infer, Action::Infer)] {
            let grant = Grant { scope, ..Grant::ALL };
            assert!(ACTIONS.iter().all(|action| grant.allows(*action) == (*action == allowed)), "{scope:?}");
        }
    }

    #[test]
    fn a_scope_is_read_back_as_it_was_written() {
        assert!(Scope::ALL.into_iter().all(|scope| Scope::parse(scope.as_str()).unwrap() == scope));
        assert!(Scope::parse("write").is_err());
    }
}
