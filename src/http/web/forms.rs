//! Forms: their fields, and what is wrong with them.

use axum::{
    Form, RequestExt as _,
    extract::{FromRequest, Request},
};

use crate::{domain::Failure, http::problem::Problem};

/// The fields of a form. The listener bounds its size.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field, without surrounding space; empty where it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The value of a field as it was typed, for passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        // The rejection's text may repeat what was sent.
        let refused = |_| Failure::invalid("form", "invalid_request", "The form could not be read. Send it again.");
        let Form(fields) = request.extract::<Form<Vec<(String, String)>>, _>().await.map_err(refused)?;
        Ok(Self(fields))
    }
}

/// What is wrong with a form: by field, in the order of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors(Vec<(&'static str, String)>);

impl Errors {
    /// Adds an error of a field.
    pub fn add(&mut self, field: &'static str, text: impl Into<String>) {
        self.0.push((field, text.into()));
    }

    /// An error of one field.
    pub fn of(field: &'static str, text: impl Into<String>) -> Self {
        Self(vec![(field, text.into())])
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All errors, with the fields that the summary links to.
    pub fn all(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// The error of a field.
    pub fn on(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, text)| &**text)
    }
}
