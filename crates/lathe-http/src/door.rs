//! Routes with their permissions, and the guard that runs before every handler.

use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use http::request::Parts;
use http::{HeaderValue, Method};
use lathe_access::{Access, Credentials};
use lathe_core::{Code, Ctx, Error, Project, Result};

use crate::caller::{credentials, project};
use crate::failure::Carried;
use crate::permission::{Need, Permission};
use crate::{Failure, HttpMetrics, RequestId};

/// The largest JSON body of a route that asks for no other limit.
const DEFAULT_BODY_BYTES: usize = 1024 * 1024;

/// How a dialect says that something failed: the error and the request's id become an answer.
pub type Render = fn(&Error, &str) -> Response;

/// One row of the route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// Which door.
    pub door: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path, with captures in braces.
    pub path: &'static str,
    /// What it needs.
    pub need: Need,
}

/// What all doors share.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Turns credentials into a context.
    pub access: Access,
    /// Counts requests.
    pub metrics: HttpMetrics,
}

#[derive(Clone)]
struct Guard {
    frame: Frame,
    render: Render,
}

/// The routes of one dialect, each with its permission.
#[derive(Debug)]
pub struct Door<S> {
    name: &'static str,
    render: Render,
    router: Router<S>,
    rows: Vec<RouteRow>,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident, $sized:ident, $method:ident, $route:path;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<P: Permission, T: 'static>(self, path: &'static str, handler: impl Handler<T, S>) -> Self {
            self.$sized::<P, T>(path, DEFAULT_BODY_BYTES, handler)
        }

        $(#[$doc])*
        /// The body may hold up to `max_body_bytes`; `usize::MAX` is for handlers that stream it.
        #[must_use]
        pub fn $sized<P: Permission, T: 'static>(self, path: &'static str, max_body_bytes: usize, handler: impl Handler<T, S>) -> Self {
            self.add::<P>(Method::$method, path, max_body_bytes, $route(handler))
        }
    )*};
}

impl<S: Clone + Send + Sync + 'static> Door<S> {
    /// An empty door.
    pub fn new(name: &'static str, render: Render) -> Self {
        Self { name, render, router: Router::new(), rows: Vec::new() }
    }

    methods! {
        /// Adds a GET route (which also answers HEAD).
        get, get_sized, GET, get;
        /// Adds a POST route.
        post, post_sized, POST, post;
        /// Adds a PUT route.
        put, put_sized, PUT, put;
        /// Adds a PATCH route.
        patch, patch_sized, PATCH, patch;
        /// Adds a DELETE route.
        delete, delete_sized, DELETE, delete;
    }

    fn add<P: Permission>(
        mut self,
        method: Method,
        path: &'static str,
        max_body_bytes: usize,
        route: MethodRouter<S>,
    ) -> Self {
        let limit = if max_body_bytes == usize::MAX {
            DefaultBodyLimit::disable()
        } else {
            DefaultBodyLimit::max(max_body_bytes)
        };
        self.router = self.router.route(path, route.layer(limit).layer(from_fn(check::<P>)));
        self.rows.push(RouteRow { door: self.name, method, path, need: P::NEED });
        self
    }

    /// The route table so far.
    pub fn rows(&self) -> &[RouteRow] {
        &self.rows
    }

    /// The router. Errors of handlers and of the guard are rendered in the door's dialect and logged here.
    pub fn into_router(self, state: S, frame: &Frame) -> Router {
        let guard = Guard { frame: frame.clone(), render: self.render };
        self.router
            .method_not_allowed_fallback(|| async {
                Failure(Error::new(Code::MethodNotAllowed, "this path exists, but not for this HTTP method"))
            })
            .layer(from_fn_with_state(guard, observe))
            .with_state(state)
    }
}

/// Resolves the caller and checks the route's permission; the handler runs only after both.
async fn check<P: Permission>(request: Request, next: Next) -> Response {
    match admit(P::NEED, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => Failure(error).into_response(),
    }
}

async fn admit(need: Need, request: Request) -> Result<Request> {
    if need == Need::Public {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let ctx = Admission::of(&parts)?.renew().await?;
    need.check(&ctx)?;
    parts.extensions.insert(ctx);
    Ok(Request::from_parts(parts, body))
}

/// Of an answer that goes on after its request was let in.
#[derive(Clone)]
pub struct Admission {
    access: Access,
    credentials: Credentials,
    project: Project,
    request_id: String,
}

impl Admission {
    /// The caller's context as it is now: a role may have changed since, a token been revoked.
    ///
    /// # Errors
    /// As [`Access::resolve`].
    pub async fn renew(&self) -> Result<Ctx> {
        self.access.resolve(self.credentials.clone(), self.project.clone(), self.request_id.clone()).await
    }

    fn of(parts: &Parts) -> Result<Self> {
        let Some(guard) = parts.extensions.get::<Guard>() else {
            return Err(Error::internal("a route is reachable outside its door"));
        };
        Ok(Self {
            access: guard.frame.access.clone(),
            credentials: credentials(&parts.headers)?,
            project: project(parts)?,
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admission {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> std::result::Result<Self, Failure> {
        Ok(Self::of(parts)?)
    }
}

/// Measures the request, renders a carried error in the door's dialect and writes the log line.
async fn observe(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (metrics, render) = (guard.frame.metrics.clone(), guard.render);
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    request.extensions_mut().insert(guard);

    let mut response = next.run(request).await;
    if let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() {
        response = render(&error, &request_id);
        log(&error, method.as_str(), &route, &request_id);
        if error.code() == Code::Unauthenticated {
            // HTTP wants a challenge. Basic is taken too, but naming it makes browsers open their own password box over
            // the UI's sign-in form.
            response
                .headers_mut()
                .entry(http::header::WWW_AUTHENTICATE)
                .or_insert(HeaderValue::from_static("Bearer realm=\"lathe\""));
        }
    }
    metrics.observe(method.as_str(), &route, response.status().as_u16(), started.elapsed());
    response
}

fn log(error: &Error, method: &str, route: &str, request_id: &str) {
    match error.code() {
        Code::Internal => {
            tracing::error!(error = %error.log_line(), http.method = method, http.route = route, request.id = request_id, "a request failed inside Lathe");
        }
        Code::Unavailable | Code::OutOfSpace => {
            tracing::warn!(error = %error.log_line(), http.method = method, http.route = route, request.id = request_id, "a request could not be served");
        }
        _ => {
            tracing::debug!(error = %error.log_line(), http.method = method, http.route = route, request.id = request_id, "a request was refused");
        }
    }
}
