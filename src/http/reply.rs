//! JSON responses that carry no subject's data.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;

use super::problem::{CREATED, Problem};
use crate::domain::Failure;

/// A JSON response. Responses with subject data are made from a `ledger::Disclosed` instead.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    body: T,
    created: bool,
}

impl<T> Reply<T> {
    /// A response with status 200.
    pub const fn ok(body: T) -> Self {
        Self { body, created: false }
    }

    /// A response with status 201.
    pub const fn created(body: T) -> Self {
        Self { body, created: true }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.body) {
            Ok(body) => {
                let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
                let mut response = (headers, body).into_response();
                if self.created {
                    *response.status_mut() = CREATED;
                }
                response
            }
            Err(error) => {
                Problem::from(Failure::internal(format!("a response does not serialize: {error}"))).into_response()
            }
        }
    }
}
