//! One line an operation: the line that mounts its handler also documents it.
//!
//! An operation is a module with one function `handle`, whose `#[utoipa::path]` has the method and the path. A list of
//! operations gives the router and the OpenAPI paths, so a route cannot be served without its description, nor described
//! without being served. (The crate `utoipa-axum` does the same for plain handlers. It has no place for handlers that may
//! only return a `Disclosed`, nor for a path parameter that contains slashes.)

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};
use utoipa::openapi::HttpMethod;

use crate::app::App;

/// The routes of a listener, before they get their state.
pub(super) type Routes = Router<Arc<App>>;

/// Where an operation is mounted: what its `#[utoipa::path]` states.
pub(super) struct Route {
    /// The path, in the form that axum and OpenAPI share.
    pub(super) path: String,
    pub(super) method: MethodFilter,
}

impl Route {
    /// The route that a handler's `#[utoipa::path]` states.
    pub(super) fn of<P: utoipa::Path>() -> Self {
        let methods = P::methods();
        let filters = methods.iter().map(filter);
        // Every operation states a method, so the default is not reached.
        Self { path: P::path(), method: filters.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET) }
    }
}

const fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}

/// Mounts an ordinary handler.
pub(super) fn plain<H: Handler<T, Arc<App>>, T: 'static>(routes: Routes, route: &Route, handler: H) -> Routes {
    routes.route(&route.path, on(route.method, handler))
}

/// Mounts a handler whose last path parameter may contain slashes. OpenAPI has no notation for that.
pub(super) fn path_with_slashes<H: Handler<T, Arc<App>>, T: 'static>(
    routes: Routes,
    route: &Route,
    handler: H,
) -> Routes {
    let path = match route.path.rsplit_once('{') {
        Some((before, name)) => format!("{before}{{*{name}"),
        None => route.path.clone(),
    };
    routes.route(&path, on(route.method, handler))
}

/// Lists operations, one line each: the module of the operation, and the function that mounts it.
///
/// Makes `router()`, and `Documented`, whose `openapi()` has the same operations.
macro_rules! operations {
    ($($($module:ident)::+ => $mount:path;)+) => {
        /// The routes.
        pub fn router() -> $crate::http::operations::Routes {
            let routes = axum::Router::new();
            $(let routes = $mount(
                routes,
                &$crate::http::operations::Route::of::<$($module)::+::__path_handle>(),
                $($module)::+::handle,
            );)+
            routes
        }

        /// The OpenAPI paths and schemas of the same operations.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($module)::+::handle),+))]
        pub(in crate::http) struct Documented;
    };
}
pub(super) use operations;
