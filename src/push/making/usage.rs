//! Counts the use made of the grades in a period: consents granted and withdrawn, by kind. Nothing about a subject.

use serde_json::json;

use super::{
    Cause, Made, Maker, Occasion, Plan,
    draft::{Draft, Head, NewRow},
    versions::{Next, SentVersions},
};
use crate::{
    domain::{Actor, Day, HalfYear, Month},
    push::{
        PushError,
        making::content::content,
        platform::{Operation, PackageRow, Platform, UsageRow, UsageValue},
    },
    store::push::{rows, usage},
};

/// A period of counts: a half-year or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePeriod {
    text: String,
    from: Day,
    until: Day,
}

impl std::str::FromStr for UsagePeriod {
    type Err = crate::domain::Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = match text.parse::<HalfYear>() {
            Ok(half) => (half.first_month(), half.last_month()),
            Err(_) => text.parse::<Month>().map(|month| (month, month))?,
        };
        Ok(Self { text: text.to_owned(), from: first.first_day(), until: last.last_day() })
    }
}

/// What a package of counts is made of.
#[derive(Debug, Clone, Copy)]
pub struct UsageOf<'a> {
    pub platform: &'a Platform,
    pub period: &'a UsagePeriod,
    /// Whether rows that the platform rejected are sent again though nothing changed.
    pub again: bool,
}

impl Maker {
    /// What a package of counts would contain. Nothing is stored.
    pub async fn plan_usage(&self, of: UsageOf<'_>) -> Result<Plan, PushError> {
        self.compare_usage(of).await.map(|(plan, _)| plan)
    }

    /// Makes a package of counts; none where the platform has everything already. The caller holds the lock.
    pub async fn make_usage(
        &self,
        of: UsageOf<'_>,
        cause: Cause,
        occasion: Option<&Occasion>,
        actor: &Actor,
    ) -> Result<Made, PushError> {
        self.discard_unfinished(of.platform).await?;
        let (plan, rows) = self.compare_usage(of).await?;
        let head = Head {
            cause,
            dataset: "usage",
            receiver_set: of.platform.usage.as_ref().map(|fields| fields.dataset.clone()).unwrap_or_default(),
            kind: None,
            scheme: None,
            period: of.period.text.clone(),
            run: None,
            origin: json!({ "from": of.period.from, "until": of.period.until }),
        };
        let mut draft = Draft::new(self, of.platform, actor, head);
        for row in rows {
            draft.add(row).await?;
        }
        Ok(Made { plan, package: draft.freeze(occasion).await? })
    }

    async fn compare_usage(&self, of: UsageOf<'_>) -> Result<(Plan, Vec<NewRow>), PushError> {
        let during = || PushError::store("counting the use of grades");
        let UsageOf { platform, period, again } = of;
        let fields = platform.usage.as_ref().ok_or_else(|| PushError::NoUsage { platform: platform.id.clone() })?;
        let (from, until) = (period.from.start(), period.until.plus_days(1).start());
        let counted = usage::count(&self.env.db.read("push::count_usage"), from, until).await.map_err(during())?;
        let mut plan = Plan::empty(&platform.id, "usage", &period.text);
        let mut new = Vec::new();
        for kind in &platform.kinds {
            let count = |event: &str| {
                let row = counted.iter().find(|row| row.kind == *kind && row.event == event);
                row.map_or(0, |row| u64::try_from(row.consents).unwrap_or_default())
            };
            let record_id = format!("usage:{}:{kind}", period.text);
            let sent = rows::find(&self.env.db.read("push::row"), &platform.id, &record_id).await.map_err(during())?;
            let mut row = UsageRow {
                package: PackageRow {
                    batch: &period.text,
                    evaluator: &self.tables.evaluator,
                    period: &period.text,
                    kind,
                },
                record_id: &record_id,
                version: 1,
                operation: Operation::Insert,
                period_from: period.from,
                period_until: period.until,
                counted_on: self.env.now().day(),
                consents_granted: count("granted"),
                consents_withdrawn: count("revoked"),
                loans: None,
                remark: None,
            };
            let own = |value: UsageValue| {
                matches!(value, UsageValue::Version | UsageValue::Operation | UsageValue::CountedOn)
            };
            let digest = match platform.render_usage(&row) {
                Ok(rendered) => content(fields, &rendered, own),
                Err(error) => {
                    plan.does_not_fit(&error);
                    continue;
                }
            };
            match SentVersions::of(&sent).next(Some(&digest), again) {
                Next::Send(operation, version) => {
                    (row.operation, row.version) = (operation, version);
                    if operation == Operation::Insert {
                        plan.new += 1;
                    } else {
                        plan.changed += 1;
                    }
                    let rendered = platform.render_usage(&row);
                    let rendered = rendered.map_err(|error| PushError::Form(error.to_string()))?;
                    let fields = rendered.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
                    let (record_id, content) = (record_id.clone(), digest);
                    new.push(NewRow { record_id, version, operation, code: None, fields, content });
                }
                Next::Unchanged => plan.unchanged += 1,
                Next::Rejected => plan.rejected += 1,
                Next::Waived => plan.waived += 1,
                Next::Nothing => {}
            }
        }
        Ok((plan, new))
    }
}
