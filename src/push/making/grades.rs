//! Compares the results of a round with what a platform was sent.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Cause, Made, Maker, NotSent, Occasion, PageBody, Plan, Scope,
    content::content,
    draft::{Draft, Head, NewRow},
    plan::LeftOutSubject,
    versions::{Next, SentVersions},
};
use crate::{
    domain::Actor,
    grading::{InForceResult, InForceRound},
    push::{
        PushError,
        grades::{RecordVersion, Terms, check_allowed, grade_fields, mapping_of, must_be_in_force, record_id},
        manifest::mapping_digest,
        platform::{Admission, Content, Exclusion, Fields, GradeValue, Operation, Platform},
    },
    scoring::Mapping,
    store::{
        push::{packages, rows, rows::SentRow},
        subjects::{self, SubjectRow},
    },
};

/// The number of subjects that are compared at a time.
const PAGE: usize = 500;

/// What a package of grades is made of.
#[derive(Debug, Clone, Copy)]
pub struct GradesOf<'a> {
    pub platform: &'a Platform,
    pub run: &'a str,
    pub scope: &'a Scope,
}

/// A comparison under way.
struct Comparison<'c> {
    maker: &'c Maker,
    terms: Terms<'c>,
    fields: &'c Fields<GradeValue>,
    /// Whether the platform may no longer have the kind: what it has is withdrawn.
    only_withdraws: bool,
    scope: &'c Scope,
    plan: Plan,
    /// The package, unless it is only planned.
    draft: Option<Draft<'c>>,
    /// The page that was last read for the fields of a record that is withdrawn.
    last_page: Option<(String, i64, PageBody)>,
}

impl Maker {
    /// What a package of grades would contain. Nothing is stored.
    pub async fn plan_grades(&self, of: GradesOf<'_>) -> Result<Plan, PushError> {
        let (round, only_withdraws) = self.round(of).await?;
        let mut comparison = self.comparison(of, (&round, only_withdraws), None)?;
        comparison.run(&round).await?;
        Ok(comparison.plan)
    }

    /// Makes a package of grades; none where the platform has everything already. The caller holds the lock.
    pub async fn make_grades(
        &self,
        of: GradesOf<'_>,
        cause: Cause,
        occasion: Option<&Occasion>,
        actor: &Actor,
    ) -> Result<Made, PushError> {
        self.discard_unfinished(of.platform).await?;
        let (round, only_withdraws) = self.round(of).await?;
        let mapping = self.mapping(of, &round, only_withdraws)?;
        let head = Head {
            cause,
            dataset: "grades",
            receiver_set: of.platform.grades.as_ref().map(|fields| fields.dataset.clone()).unwrap_or_default(),
            kind: Some(round.head.kind.clone()),
            scheme: Some(round.head.scheme.clone()),
            period: round.head.period.clone(),
            run: Some(round.head.run.clone()),
            origin: json!({
                "scheme_version": round.scheme.version,
                "model_digest": round.model_digest,
                "outcome_digest": round.outcome_digest,
                "mapping": mapping.map(|mapping| json!({ "to": mapping.to().scheme, "digest": mapping_digest(mapping) })),
            }),
        };
        let draft = Draft::new(self, of.platform, actor, head);
        let mut comparison = self.comparison(of, (&round, only_withdraws), Some(draft))?;
        comparison.run(&round).await?;
        let Comparison { plan, draft, .. } = comparison;
        let package = match draft {
            Some(draft) => draft.freeze(occasion).await?,
            None => None,
        };
        Ok(Made { plan, package })
    }

    /// The round, and whether what the platform has of it is only to be withdrawn: its file no longer names the kind, or may no
    /// longer show it.
    async fn round(&self, of: GradesOf<'_>) -> Result<(InForceRound, bool), PushError> {
        let round = self.rounds().in_force(of.run).await.map_err(PushError::Grading)?;
        // A correction of an earlier round reaches those who have it.
        if matches!(of.scope, Scope::All) || round.head.state != "superseded" {
            must_be_in_force(&round)?;
        }
        let kind = &round.head.kind;
        match check_allowed(&round, self.kinds().find(kind), of.platform) {
            Ok(_) => Ok((round, false)),
            Err(refused @ PushError::NoGrades { .. }) => Err(refused),
            Err(refused) => {
                if self.has_kind(of.platform, kind).await? {
                    Ok((round, true))
                } else {
                    Err(refused)
                }
            }
        }
    }

    /// Whether a platform was sent results of a kind.
    pub async fn has_kind(&self, platform: &Platform, kind: &str) -> Result<bool, PushError> {
        let has = packages::has_kind(&self.env.db.read("push::has_kind"), &platform.id, kind).await;
        has.map_err(PushError::store("looking for what a platform was sent of a kind"))
    }

    /// The mapping table of a round's scheme. A withdrawal needs none.
    fn mapping<'c>(
        &'c self,
        of: GradesOf<'_>,
        round: &InForceRound,
        only_withdraws: bool,
    ) -> Result<Option<&'c Mapping>, PushError> {
        if only_withdraws { Ok(None) } else { mapping_of(&self.tables.library, round, of.platform) }
    }

    fn comparison<'c>(
        &'c self,
        of: GradesOf<'c>,
        (round, only_withdraws): (&'c InForceRound, bool),
        draft: Option<Draft<'c>>,
    ) -> Result<Comparison<'c>, PushError> {
        let GradesOf { platform, scope, .. } = of;
        let kind = self.kinds().find(&round.head.kind);
        let fields = grade_fields(platform)?;
        let mapping = self.mapping(of, round, only_withdraws)?;
        let (evaluator, regions) = (&self.tables.evaluator, &self.tables.regions);
        let terms = Terms { round, kind, platform, mapping, evaluator, regions, today: self.env.now().day() };
        let mut plan = Plan::empty(&platform.id, "grades", &round.head.period);
        plan.run = Some(round.head.run.clone());
        plan.kind = Some(round.head.kind.clone());
        Ok(Comparison { maker: self, terms, fields, only_withdraws, scope, plan, draft, last_page: None })
    }
}

impl Comparison<'_> {
    async fn run(&mut self, round: &InForceRound) -> Result<(), PushError> {
        let rounds = self.maker.rounds();
        match self.scope {
            Scope::All => {
                let mut after = String::new();
                // By pages, so that the files of all subjects are never in memory together.
                loop {
                    let results = rounds.results_in_force(round, &after).await.map_err(PushError::Grading)?;
                    let Some(last) = results.last() else { break };
                    after.clone_from(&last.code);
                    for page in results.chunks(PAGE) {
                        self.compare(page).await?;
                    }
                }
                self.withdraw_uncovered().await?;
            }
            Scope::Subjects { codes, .. } => {
                for codes in codes.chunks(PAGE) {
                    let results = rounds.results_in_force_of(round, codes).await.map_err(PushError::Grading)?;
                    self.compare(&results).await?;
                }
            }
        }
        Ok(())
    }

    /// Compares a page of results.
    async fn compare(&mut self, page: &[InForceResult]) -> Result<(), PushError> {
        let during = || PushError::store("comparing with what the platform was sent");
        let db = &self.maker.env.db;
        let codes: Vec<&str> = page.iter().map(|result| result.code.as_str()).collect();
        let files = subjects::list(&db.read("push::files"), &codes).await.map_err(during())?;
        let files: BTreeMap<&str, &SubjectRow> = files.iter().map(|file| (file.code.as_str(), file)).collect();
        let ids: Vec<String> = page.iter().map(|result| record_id(self.terms.round, &result.code)).collect();
        let sent = self.sent(&ids).await?;
        for (result, id) in page.iter().zip(&ids) {
            let sent = sent.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
            match files.get(result.code.as_str()).copied() {
                Some(file) => self.compare_one(result, file, id, sent).await?,
                None => self.leave_out(&result.code, NotSent::Unregistered, id, sent).await?,
            }
        }
        Ok(())
    }

    /// What the platform was sent of records, by record.
    async fn sent(&self, ids: &[String]) -> Result<BTreeMap<String, Vec<SentRow>>, PushError> {
        let asked: Vec<_> = ids.iter().map(|id| json!([id])).collect();
        let read = self.maker.env.db.read("push::sent");
        let all = rows::sent(&read, &self.terms.platform.id, serde_json::Value::from(asked).to_string()).await;
        let all = all.map_err(PushError::store("comparing with what the platform was sent"))?;
        let mut sent: BTreeMap<String, Vec<SentRow>> = BTreeMap::new();
        for row in all {
            sent.entry(row.record_id.clone()).or_default().push(row);
        }
        Ok(sent)
    }

    async fn compare_one(
        &mut self,
        result: &InForceResult,
        file: &SubjectRow,
        id: &str,
        sent: &[SentRow],
    ) -> Result<(), PushError> {
        if self.only_withdraws {
            return self.leave_out(&result.code, NotSent::KindNotNamed, id, sent).await;
        }
        let named = match self.terms.admission(file) {
            Admission::LeftOut(why) => return self.leave_out(&result.code, why.into(), id, sent).await,
            Admission::Named => true,
            // A sole trader's code and a person's name are personal; the national code identifies it to a department.
            Admission::CodeOnly => false,
        };
        let platform = self.terms.platform;
        let first = RecordVersion { record_id: id, version: 1, operation: Operation::Insert };
        let mut rendered = match platform.render_grade(&self.terms.row(first, result, file, named)?) {
            Ok(rendered) => rendered,
            Err(error) => {
                self.plan.does_not_fit(&error);
                return Ok(());
            }
        };
        let content = content(self.fields, &rendered, own);
        let (operation, version) = match SentVersions::of(sent).next(Some(&content), self.scope.is_again()) {
            Next::Send(operation, version) => (operation, version),
            other => {
                self.count(other);
                return Ok(());
            }
        };
        if (operation, version) != (Operation::Insert, 1)
            && (self.fields.has(GradeValue::Version) || self.fields.has(GradeValue::Operation))
        {
            let of = RecordVersion { record_id: id, version, operation };
            rendered = match platform.render_grade(&self.terms.row(of, result, file, named)?) {
                Ok(rendered) => rendered,
                Err(error) => {
                    self.plan.does_not_fit(&error);
                    return Ok(());
                }
            };
        }
        let fields = rendered.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        let code = Some(result.code.clone());
        self.send(NewRow { record_id: id.to_owned(), version, operation, code, fields, content }).await
    }

    /// Counts what needs no row.
    fn count(&mut self, next: Next) {
        match next {
            Next::Unchanged => self.plan.unchanged += 1,
            Next::Rejected => self.plan.rejected += 1,
            Next::Waived => self.plan.waived += 1,
            Next::Nothing | Next::Send(..) => {}
        }
    }

    async fn send(&mut self, row: NewRow) -> Result<(), PushError> {
        match row.operation {
            Operation::Insert => self.plan.new += 1,
            Operation::Update => self.plan.changed += 1,
            Operation::Delete => self.plan.withdrawn += 1,
        }
        match &mut self.draft {
            Some(draft) => draft.add(row).await,
            None => Ok(()),
        }
    }

    /// Leaves a subject out; what the platform has of it is withdrawn.
    async fn leave_out(&mut self, code: &str, because: NotSent, id: &str, sent: &[SentRow]) -> Result<(), PushError> {
        self.plan.left_out.push(LeftOutSubject { code: code.to_owned(), because });
        match SentVersions::of(sent).next(None, self.scope.is_again()) {
            Next::Send(operation, version) => {
                let fields = self.last_fields(sent, version, operation).await?;
                let content = content(self.fields, &fields, own);
                let code = Some(code.to_owned());
                self.send(NewRow { record_id: id.to_owned(), version, operation, code, fields, content }).await
            }
            other => {
                self.count(other);
                Ok(())
            }
        }
    }

    /// The fields that the platform was last sent of a record, with another version and operation: a withdrawal sends nothing new.
    async fn last_fields(
        &mut self,
        sent: &[SentRow],
        version: i64,
        operation: Operation,
    ) -> Result<Vec<(String, String)>, PushError> {
        let last = sent.last().map(|row| (row.package_id.clone(), row.page, row.record_id.clone(), row.version));
        let Some((package, page, record, last_version)) = last else { return Ok(Vec::new()) };
        let is_there = matches!(&self.last_page, Some((of, number, _)) if *of == package && *number == page);
        if !is_there {
            let read = self.maker.env.db.read("push::page");
            let row = packages::page(&read, &package, page).await.map_err(PushError::store("reading a page"))?;
            let text = row.map(|row| row.body).unwrap_or_default();
            let body = serde_json::from_str(&text)
                .map_err(|error| PushError::Form(format!("page {page} of {package}: {error}")))?;
            self.last_page = Some((package, page, body));
        }
        let former = self.last_page.as_ref().and_then(|(.., body)| body.fields(&record, last_version));
        let former: BTreeMap<String, String> = former.unwrap_or_default().into_iter().collect();
        let fields = self.fields.fields.iter().map(|field| {
            let text = match field.content {
                Content::Value(GradeValue::Version) => version.to_string(),
                Content::Value(GradeValue::Operation) => {
                    let ours = operation.as_str();
                    field.codes.get(ours).cloned().unwrap_or_else(|| ours.to_owned())
                }
                _ => former.get(&field.name).cloned().unwrap_or_default(),
            };
            (field.name.clone(), text)
        });
        Ok(fields.collect())
    }

    /// Withdraws what earlier runs of the same kind, scheme and period sent about subjects that this one does not cover.
    async fn withdraw_uncovered(&mut self) -> Result<(), PushError> {
        let during = || PushError::store("looking for what earlier runs sent");
        let (round, platform) = (self.terms.round, &self.terms.platform.id);
        let head = [round.head.kind.as_str(), &round.head.scheme, &round.head.period, &round.head.run];
        let rounds = self.maker.rounds();
        let mut after = String::new();
        loop {
            let read = self.maker.env.db.read("push::of_other_runs");
            let most = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let sent = rows::of_other_runs(&read, platform, head, &after, most).await.map_err(during())?;
            let Some(last) = sent.last() else { return Ok(()) };
            after.clone_from(&last.record_id);
            let mut codes: Vec<String> = sent.into_iter().filter_map(|row| row.code).collect();
            codes.dedup();
            let covered = rounds.results_in_force_of(round, &codes).await.map_err(PushError::Grading)?;
            codes.retain(|code| !covered.iter().any(|result| result.code == *code));
            let ids: Vec<String> = codes.iter().map(|code| record_id(round, code)).collect();
            let sent = self.sent(&ids).await?;
            for (code, id) in codes.iter().zip(&ids) {
                let rows = sent.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
                self.leave_out(code, NotSent::NotCovered, id, rows).await?;
            }
        }
    }
}

impl From<Exclusion> for NotSent {
    fn from(why: Exclusion) -> Self {
        match why {
            Exclusion::UnderObjection => Self::UnderObjection,
            Exclusion::NaturalPerson => Self::NaturalPerson,
            Exclusion::Closed => Self::Closed,
        }
    }
}

/// Values that differ in every row of a record.
fn own(value: GradeValue) -> bool {
    matches!(value, GradeValue::Version | GradeValue::Operation)
}
