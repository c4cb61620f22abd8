//! The results of a round as a platform may have them.

use super::{
    NotCovered, PushError,
    platform::{Admission, Evaluator, Exclusion, Fields, GradeRow, GradeValue, Operation, PackageRow, Platform},
};
use crate::{
    domain::{Day, Kind, Region, region::RegionTable},
    grading::{InForceResult, InForceRound, Library},
    scoring::{Mapping, ReceiverGrade, SchemeRef},
    store::subjects::SubjectRow,
};

/// The remark of a record with the mark of an open objection.
const UNDER_OBJECTION: &str = "异议处理中";

/// A round with what its records for a platform are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) round: &'a InForceRound,
    pub(super) kind: Option<&'a Kind>,
    pub(super) platform: &'a Platform,
    /// The mapping table, where the file of the platform names a mapping.
    pub(super) mapping: Option<&'a Mapping>,
    pub(super) evaluator: &'a Evaluator,
    pub(super) regions: &'a RegionTable,
    pub(super) today: Day,
}

/// The version of a record, and what it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordVersion<'a> {
    pub(super) record_id: &'a str,
    pub(super) version: i64,
    pub(super) operation: Operation,
}

/// The id of a subject's record: the same over all versions of a result, and where a round of the same period is published again.
pub(super) fn record_id(round: &InForceRound, code: &str) -> String {
    let head = &round.head;
    format!("{}:{}:{code}", head.scheme, head.period)
}

/// Refuses a round that the platform may not have, before anything is read. Returns the fields of its records.
pub(super) fn check_allowed<'p>(
    round: &InForceRound,
    kind: Option<&Kind>,
    platform: &'p Platform,
) -> Result<&'p Fields<GradeValue>, PushError> {
    let fields = grade_fields(platform)?;
    let (id, of_kind) = (platform.id.clone(), round.head.kind.clone());
    if !platform.kinds.contains(&of_kind) {
        return Err(PushError::NotForPlatform { platform: id, kind: of_kind, allowed: platform.kinds.join(", ") });
    }
    if !platform.may_show(kind) {
        return Err(PushError::NotPublishable { platform: id, kind: of_kind });
    }
    Ok(fields)
}

/// The fields of a platform's records.
pub(super) fn grade_fields(platform: &Platform) -> Result<&Fields<GradeValue>, PushError> {
    platform.grades.as_ref().ok_or_else(|| PushError::NoGrades { platform: platform.id.clone() })
}

/// Refuses a run that is not the round in force: a trial or an open round may still change, and a superseded one is over.
pub(super) fn must_be_in_force(round: &InForceRound) -> Result<(), PushError> {
    if round.head.state == "published" {
        return Ok(());
    }
    Err(PushError::NotInForce { run: round.head.run.clone(), state: round.head.state.clone() })
}

/// The mapping table for the scheme of a round. Refused where the platform's mapping does not cover the scheme.
pub(super) fn mapping_of<'l>(
    library: &'l Library,
    round: &InForceRound,
    platform: &Platform,
) -> Result<Option<&'l Mapping>, PushError> {
    let Some(mapping) = platform.mapping.as_deref() else { return Ok(None) };
    let from = SchemeRef { scheme: round.scheme.id.clone(), version: round.scheme.version };
    let not_covered = |why: String| {
        let (run, scheme) = (round.head.run.clone(), from.clone());
        let (platform, mapping) = (platform.id.clone(), mapping.to_owned());
        PushError::NotCovered(Box::new(NotCovered { run, scheme, platform, mapping, why }))
    };
    let table = library.mapping(&from, mapping).ok_or_else(|| {
        let tables = library.mappings().filter(|table| table.receiver() == mapping);
        let schemes: Vec<String> = tables.map(|table| table.from().to_string()).collect();
        not_covered(match schemes.as_slice() {
            [] => "no table in force belongs to it".to_owned(),
            some => format!("it has tables for {}", some.join(", ")),
        })
    })?;
    table.check_against(&round.scheme).map_err(|refused| {
        not_covered(format!("the scheme was changed since the run, and its version was not raised: {refused}"))
    })?;
    Ok(Some(table))
}

/// What a platform may have of a subject: judged on the present file, and not on the round, which knows nothing of what came later.
pub(super) fn admission(platform: &Platform, kind: Option<&Kind>, file: &SubjectRow) -> Admission {
    if file.agreement_status == "ended_by_subject" || file.licence_status == "revoked" {
        return Admission::LeftOut(Exclusion::Closed);
    }
    platform.admission(kind, file.uscc.as_deref(), file.under_objection != 0)
}

impl Terms<'_> {
    /// What the platform may have of a subject of the round.
    pub(super) fn admission(&self, file: &SubjectRow) -> Admission {
        admission(self.platform, self.kind, file)
    }

    /// The row of a subject, with its name and code only where the platform may have them.
    pub(super) fn row<'r>(
        &'r self,
        of: RecordVersion<'r>,
        result: &'r InForceResult,
        file: &'r SubjectRow,
        named: bool,
    ) -> Result<GradeRow<'r>, PushError> {
        let Self { round, platform, .. } = self;
        let theirs = match (self.mapping, &result.grade) {
            (Some(mapping), Some(grade)) => Some(receiver_grade(mapping, &grade.code)?),
            _ => None,
        };
        let head = &round.head;
        let region = file.region.parse::<Region>().ok().and_then(|code| self.regions.find(code, self.today));
        let objected = file.under_objection != 0;
        Ok(GradeRow {
            // The evaluation is the batch (评价批次): corrections belong to it too.
            package: PackageRow { batch: &head.run, evaluator: self.evaluator, period: &head.period, kind: &head.kind },
            record_id: of.record_id,
            version: of.version,
            operation: of.operation,
            evaluation_name: &round.model_name,
            scheme: &head.scheme,
            object_type: self.kind.and_then(|kind| kind.object_type),
            code: &result.code,
            uscc: file.uscc.as_deref().filter(|_| named),
            name: Some(file.name.as_str()).filter(|_| named),
            region: &file.region,
            region_name: region.map(|region| region.name.as_str()),
            status: &result.status,
            reason: result.reason.as_deref(),
            grade: result.grade.as_ref().filter(|_| platform.own_grade),
            receiver_grade: theirs,
            points: result.points.filter(|_| platform.points),
            evaluated_on: result.evaluated_on,
            valid_from: round.published_on,
            valid_until: round.valid_until.as_deref().and_then(|day| day.parse().ok()),
            published_on: round.published_on,
            under_objection: objected,
            remark: objected.then_some(UNDER_OBJECTION),
        })
    }
}

/// The platform's grade for a grade. The table was checked against the scheme of the round, so a missing grade is an internal
/// error; it must not lead to a record without a grade.
fn receiver_grade<'m>(mapping: &'m Mapping, grade: &str) -> Result<&'m ReceiverGrade, PushError> {
    let missing = || format!("the table from {} for {} lacks the grade {grade}", mapping.from(), mapping.receiver());
    mapping.grade(grade).ok_or_else(|| PushError::Form(missing()))
}
