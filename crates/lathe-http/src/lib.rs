//! The frame of every HTTP door: who calls, what each route needs, what is refused before a handler runs.
//!
//! A door (`lathe-mlflow`, `lathe-api`) collects its routes in a [`Door`], each with its permission in its type; the binary
//! joins the doors and puts the [`frame`] around them. No wire format of any dialect lives here.
//!
//! **Invariant:** a route cannot be made without a permission, and a handler runs only after it was granted.

mod caller;
mod door;
mod expect;
mod failure;
pub mod file;
pub mod frame;
mod metrics;
pub mod permission;
pub mod scan;
mod self_wakes;
pub mod serve;
mod small_body;

pub mod upload;

pub use caller::{Caller, RequestId, SESSION_COOKIE, credentials, session_cookie};
pub use door::{Admission, Door, Frame, RouteRow};
pub use failure::{Failure, problem};
pub use metrics::HttpMetrics;
