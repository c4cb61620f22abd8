//! The wire form of a consent, as its bank sees it.

use serde::Serialize;

use crate::{
    app::App,
    consent::{Consent, ConsentState},
    domain::{
        Failure, Month, Timestamp,
        permission::{Permission, Purpose},
    },
};

/// A consent as its bank sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentView {
    /// The id of the consent.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    id: String,
    /// The version, raised by every change.
    #[schema(example = 1)]
    version: i64,
    /// The current state.
    status: ConsentState,
    /// The unified social credit code of the legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    uscc: String,
    /// The medical-insurance codes that the consent covers.
    #[schema(example = json!(["H33030200090"]))]
    codes: Vec<String>,
    /// The permissions, which decide what may be read.
    permissions: Vec<Permission>,
    /// The purposes of the readings.
    purposes: Vec<Purpose>,
    /// The bank's name for its product.
    product: String,
    /// The bank's own reference number.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// The first month of data.
    #[schema(value_type = String, example = "2024-07")]
    data_from: Month,
    /// The last month of data.
    #[schema(value_type = String, example = "2026-06")]
    data_to: Month,
    /// The time of the request.
    #[schema(value_type = String, example = "2026-07-01T01:02:03Z")]
    requested_at: Timestamp,
    /// The end of the time to grant the request.
    #[schema(value_type = String, example = "2026-07-31T01:02:03Z")]
    request_expires_at: Timestamp,
    /// The time of the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    granted_at: Option<Timestamp>,
    /// The end of validity, once granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// The time when it was revoked, rejected, replaced or recorded as expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
    /// The most fetches in total, if limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fetches: Option<i64>,
    /// The most fetches in a day, if limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_budget: Option<i64>,
    /// The fetches made, if they are limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetches: Option<Fetches>,
}

/// Fetches made under a consent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Fetches {
    /// The fetches made in total.
    pub(super) used: i64,
    /// The fetches made on the current day (UTC+8).
    pub(super) used_today: i64,
}

/// The view of a consent in its current state.
pub(super) async fn view(app: &App, consent: &Consent) -> Result<ConsentView, Failure> {
    let now = app.env.clock.now();
    // Only under a limit: the counts are further reads of the database.
    let fetches = if consent.max_fetches.is_some() || consent.daily_budget.is_some() {
        let (used, used_today) = app.consents.used(consent, now.day()).await?;
        Some(Fetches { used, used_today })
    } else {
        None
    };
    Ok(view_of(consent, now, fetches))
}

/// The view of a consent at an instant.
pub(super) fn view_of(consent: &Consent, now: Timestamp, fetches: Option<Fetches>) -> ConsentView {
    let status = consent.state_at(now);
    ConsentView {
        id: consent.id.to_string(),
        version: consent.version,
        status,
        uscc: consent.uscc.clone(),
        codes: consent.codes.clone(),
        permissions: consent.permissions.clone(),
        purposes: consent.purposes.clone(),
        product: consent.product.clone(),
        reference: consent.reference.clone(),
        data_from: consent.data_from,
        data_to: consent.data_to,
        requested_at: consent.requested_at,
        request_expires_at: consent.request_expires_at,
        granted_at: consent.granted_at,
        expires_at: consent.granted_at.map(|_| consent.expires_at),
        ended_at: consent.ended_at,
        max_fetches: consent.max_fetches,
        daily_budget: consent.daily_budget,
        fetches,
    }
}
