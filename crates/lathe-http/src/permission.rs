//! What a route needs, as types: a route is registered as `door.get::<Read, _>(…)`.

use lathe_core::{Action, Code, Ctx, Error, Result, Scope};

/// What a route needs, as a value for tables and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Nothing: anyone may call.
    Public,
    /// Some valid credentials, whatever the role.
    SignedIn,
    /// An action granted in the request's project.
    Can(Action),
}

impl Need {
    /// Fails unless the context satisfies the need.
    ///
    /// # Errors
    /// `PermissionDenied`.
    pub fn check(self, ctx: &Ctx) -> Result<()> {
        match self {
            Need::Public => Ok(()),
            // What needs no role is still not what a token for asking models was made for.
            Need::SignedIn if ctx.grant.scope == Scope::Infer => Err(Error::new(
                Code::PermissionDenied,
                "this token may only infer; this needs a token of another scope",
            )),
            Need::SignedIn => Ok(()),
            Need::Can(action) => ctx.authorize(action),
        }
    }

    /// The need as a word for the route table.
    pub fn as_str(self) -> &'static str {
        match self {
            Need::Public => "public",
            Need::SignedIn => "signed in",
            Need::Can(action) => action.as_str(),
        }
    }
}

/// A permission as a type.
pub trait Permission: 'static {
    /// What it needs.
    const NEED: Need;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident => $need:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Permission for $name {
            const NEED: Need = $need;
        }
    )*};
}

permissions! {
    /// Anyone may call.
    Public => Need::Public;
    /// Some valid credentials.
    SignedIn => Need::SignedIn;
    /// Reads something of the project.
    Read => Need::Can(Action::Read);
    /// Asks a deployed model.
    Infer => Need::Can(Action::Infer);
    /// Adds to the project.
    Write => Need::Can(Action::Write);
    /// Changes what is shared by all of the project.
    Manage => Need::Can(Action::Manage);
    /// Changes who may do what in the project.
    Administer => Need::Can(Action::Administer);
    /// Changes the server.
    Server => Need::Can(Action::Server);
}
