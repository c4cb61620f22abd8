//! Rounds: from accepted records to the grades that banks read, on both engines.

mod audit;
mod correct;
mod digests;
mod distribution;
mod due;
mod explained;
mod figures;
mod interrupted;
mod objections;
mod refusals;
mod replay;
mod reports;
mod rounds;
mod standing;
mod states;
mod statuses;
mod stocks;
mod voids;
mod wenzhou;

use std::collections::BTreeMap;

use medcredit::{
    domain::{Day, HalfYear},
    facts::{Chunk, ChunkBuilder, Row},
    grading::{CurrentAssessment, Library, Published, Report, Rounds, RunDone, current},
    store::{Arg, Db, facts},
    synthetic::records::{Plan, Size, SubjectSeed, records},
};

use crate::support::TestStore;

/// The half-years that are over when tests begin.
pub fn periods() -> [HalfYear; 2] {
    ["2025-H1".parse().unwrap(), "2025-H2".parse().unwrap()]
}

/// A bureau with a store, a library of models, and rounds.
pub struct Bureau {
    pub store: TestStore,
    pub library: Library,
    pub rounds: Rounds,
}

/// A subject's file as an import stores it.
#[derive(Clone)]
pub struct File {
    pub code: String,
    pub signed: Option<&'static str>,
    pub agreement: &'static str,
    pub licence: &'static str,
}

impl File {
    /// A file of an active subject with an old agreement.
    pub fn usual(code: &str) -> Self {
        Self { code: code.to_owned(), signed: Some("2016-05-04"), agreement: "active", licence: "active" }
    }
}

/// One line of records.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub code: String,
    pub measure: String,
    pub value_e4: i64,
    pub on: String,
    pub source: String,
    pub reference: String,
}

/// A line whose value is in whole units.
pub fn line(code: &str, measure: &str, value: i64, on: &str) -> Line {
    Line {
        code: code.into(),
        measure: measure.into(),
        value_e4: value * 10_000,
        on: on.into(),
        source: "医保局".into(),
        reference: format!("{measure}-{on}"),
    }
}

/// Lines as an import packs them: sorted, by half-year, in more than one chunk where there are many.
fn chunks(lines: &[Line]) -> Vec<(HalfYear, Chunk)> {
    let mut halves: BTreeMap<HalfYear, Vec<(usize, &Line)>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let day: Day = line.on.parse().unwrap();
        halves.entry(HalfYear::of(day.month())).or_default().push((at, line));
    }
    let mut chunks = Vec::new();
    for (period, mut lines) in halves {
        lines.sort_by_key(|(at, line)| (&line.code, &line.measure, &line.on, &line.source, &line.reference, *at));
        let mut open = ChunkBuilder::new(period);
        for (at, line) in lines {
            if open.rows() > 20_000 && open.code() != Some(line.code.as_str()) {
                let full = std::mem::replace(&mut open, ChunkBuilder::new(period));
                chunks.extend(full.finish().map(|chunk| (period, chunk)));
            }
            open.push(&Row {
                code: &line.code,
                measure: &line.measure,
                day: line.on.parse().unwrap(),
                source: &line.source,
                reference: &line.reference,
                value_e4: line.value_e4,
                line: u64::try_from(at + 2).unwrap(),
            })
            .unwrap();
        }
        chunks.extend(open.finish().map(|chunk| (period, chunk)));
    }
    chunks
}

impl Bureau {
    pub fn with(store: TestStore) -> Self {
        let rounds = Rounds::new(store.env());
        Self { store, library: crate::support::library(), rounds }
    }

    pub fn db(&self) -> &Db {
        &self.store.db
    }

    /// Accepts subjects' files.
    pub async fn accept_files(&self, files: &[File]) {
        let rows: Vec<_> = files
            .iter()
            .map(|file| {
                serde_json::json!({ "code": file.code, "signed": file.signed, "agreement": file.agreement,
                                    "licence": file.licence })
            })
            .collect();
        let mut tx = self.db().begin("test").await.unwrap();
        tx.execute(
            "INSERT INTO subjects (code, kind, name, region, agreement_signed_on, agreement_status, licence_status,
                                   under_objection, version, import_seq, updated_at)
             SELECT value->>'code', 'medical_institution', 'synthetic', '330302', value->>'signed', value->>'agreement',
                    value->>'licence', 0, 1, 1, 1 FROM json_rows($1)",
            vec![Arg::Text(serde_json::Value::Array(rows).to_string())],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Registers a bank, `cli_1`, whose answers may rest on grades.
    pub async fn register_bank(&self) {
        let mut tx = self.db().begin("test").await.unwrap();
        for sql in [
            "INSERT INTO authorities (id, name, kind, certificate, crl_number, added_at) VALUES ('aut_1', 'a', 'own', '', 1, 1)",
            "INSERT INTO clients (id, name, kind, authority_id, subject, auth_methods, scopes, limits, max_pending, epoch,
                                  state, registered_at, state_changed_at)
             VALUES ('cli_1', 'bank', 'bank', 'aut_1', 'CN=bank', '[]', '[]', '{}', 1, 1, 'active', 1, 1)",
        ] {
            tx.execute(sql, vec![]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Stages records under an import, and accepts it or not.
    pub async fn import(&self, seq: i64, lines: &[Line], accepted: bool) {
        for (part, (period, chunk)) in (0..).zip(chunks(lines)) {
            let mut tx = self.db().begin_bulk("test").await.unwrap();
            let new = facts::NewChunk {
                part,
                kind: "medical_institution",
                period: &period.to_string(),
                first_code: &chunk.first_code,
                last_code: &chunk.last_code,
                rows: i64::try_from(chunk.rows).unwrap(),
                digest: &chunk.digest,
                totals: chunk.totals,
                facts: chunk.facts,
            };
            facts::insert(&mut tx, seq, new).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = self.db().begin("test").await.unwrap();
        tx.execute(
            "INSERT INTO imports (seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at)
             VALUES ($1, $2, 'records', 'records.csv', $2, 1, 1, 0, $3, 1)",
            vec![
                Arg::Int(seq),
                Arg::Text(format!("imp_{seq}")),
                Arg::Text(if accepted { "accepted" } else { "staging" }.into()),
            ],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Changes a subject's file.
    pub async fn set(&self, code: &str, sql: &'static str) {
        let mut tx = self.db().begin("test").await.unwrap();
        assert_eq!(tx.execute(sql, vec![Arg::Text(code.into())]).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    pub async fn run(&self, period: HalfYear) -> RunDone {
        let model = self.library.get("wenzhou-institution").unwrap();
        self.rounds.run(crate::support::tester(), model, period, &|_, _| ()).await.unwrap()
    }

    pub async fn publish(&self, run: &RunDone) -> Published {
        self.rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap()
    }

    pub async fn report(&self, run: &RunDone) -> Report {
        self.rounds.report(&run.id.to_string()).await.unwrap()
    }

    /// The assessment of one subject that a bank would read on a day.
    pub async fn assessment_of(&self, code: &str, today: &str) -> CurrentAssessment {
        let today: Day = today.parse().unwrap();
        let (_, mut assessments) = current(self.db(), &[code.to_owned()], today).await.unwrap();
        assert_eq!(assessments.len(), 1, "{code} is not known");
        assessments.remove(0)
    }
}

/// The files and records of a synthetic city of institutions, with the proportions of sizes of a real one.
pub fn city(count: usize, seed: u64) -> (Vec<File>, Vec<Line>) {
    let seeds: Vec<SubjectSeed> = (0..count)
        .map(|nth| SubjectSeed {
            code: format!("H330302{nth:05}"),
            size: match nth * 2000 / count {
                0..14 => Size::Tertiary,
                14..74 => Size::Secondary,
                74..294 => Size::Primary,
                _ => Size::Clinic,
            },
            agreement_signed_on: "2016-05-04".parse().unwrap(),
            rated: true,
        })
        .collect();
    let library = Library::shipped().unwrap();
    let in_force = library.get("wenzhou-institution").unwrap();
    let plan = Plan {
        model: in_force.model,
        catalogue: in_force.catalogue,
        subjects: &seeds,
        periods: &periods(),
        seed,
        rows: None,
    };
    let mut lines = Vec::new();
    records::<std::convert::Infallible>(&plan, |row| {
        lines.push(Line {
            code: row.subject_code.into(),
            measure: row.measure.into(),
            value_e4: row.value.0,
            on: row.occurred_on.to_string(),
            source: row.source.into(),
            reference: row.reference.into(),
        });
        Ok(())
    })
    .unwrap();
    (seeds.iter().map(|seed| File::usual(&seed.code)).collect(), lines)
}

/// The counts of a report by grade, in the scheme's order.
pub fn counts(report: &Report) -> Vec<i64> {
    report.grades.iter().map(|grade| grade.count).collect()
}

/// The grade of each subject that a bank would read on a day.
pub async fn grades(bureau: &Bureau, codes: &[String], today: &str) -> BTreeMap<String, String> {
    let (_, assessments) = current(bureau.db(), codes, today.parse().unwrap()).await.unwrap();
    assessments
        .into_iter()
        .map(|one| (one.subject_code, one.grade.map(|grade| grade.code).unwrap_or_default()))
        .collect()
}
