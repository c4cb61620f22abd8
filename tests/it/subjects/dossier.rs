//! Dossiers: what an officer sees of a subject, and what the ledger records of the access.

use medcredit::{
    cli,
    importing::{Importer, Options, References, Template},
    store::ledger::audit,
};

use crate::{
    importing::{ADVERSE, AFFILIATIONS, RECORDS, SUBJECTS},
    support::{
        TestStore,
        app::{Bank, CLINIC, ENTITY, HOSPITAL, TestApp},
        both_engines,
        command::{Outcome, medcredit_at, medcredit_with_input},
        logs::never_logged,
    },
};

const DOCTOR: &str = "D330302000123";
const NAME: &str = "合成欧阳医师";
const NUMBER: &str = "33030319660704005X";

struct Bureau {
    app: TestApp,
    config: String,
}

impl Bureau {
    async fn new(store: TestStore) -> Self {
        let app = TestApp::start(store).await;
        let config = app.config_file("desk");
        let bureau = Self { app, config };
        bureau
            .import(
                Template::Subjects,
                &format!("{SUBJECTS}doctor,{DOCTOR},,{NAME},330302,,,01,{NUMBER},,,active,active\n"),
            )
            .await;
        bureau.import(Template::Affiliations, &format!("{AFFILIATIONS}{DOCTOR},{HOSPITAL},1,2024-01-01,\n")).await;
        bureau
    }

    async fn import(&self, template: Template, text: &str) {
        let path = self.app.path(&format!("{template}-dossier.csv"));
        std::fs::write(&path, text).unwrap();
        let store = &self.app.store;
        let references = References::built_in(self.app.app.library.catalogues().cloned()).unwrap();
        let crypter = medcredit::authority::crypter(&self.app.app.config.secrets).unwrap();
        let importer =
            Importer::new(store.env(), crate::support::operator("tester"), std::sync::Arc::new(crypter), references);
        let report = importer.import(template, &path, &Options::default(), &mut |_| {}).await.unwrap();
        assert_eq!(report.rejected, 0, "{:?}", report.findings);
    }

    async fn run(&self, args: &[&str]) -> Outcome {
        medcredit_at(self.app.store.clock.clone(), &[args, &["--config", &self.config]].concat()).await
    }

    async fn find(&self, by: &str, input: &str) -> Outcome {
        let args = ["subject", "find", by, "--purpose", "objection 2026-18", "--config", &self.config];
        medcredit_with_input(self.app.store.clock.clone(), &args, input).await
    }

    async fn entries(&self, action: &str) -> Vec<String> {
        let rows = audit::outside_tree(&self.app.store.db, "", 1_000).await.unwrap();
        let of = rows.into_iter().filter(|row| row.body.as_ref().is_some_and(|body| body.contains(action)));
        of.map(|row| row.opening.unwrap()).collect()
    }
}

both_engines! {
    a_persons_dossier_is_masked_until_a_purpose_is_in_the_ledger,
    a_search_by_number_or_name_is_in_the_ledger_with_its_purpose,
    a_person_is_found_by_exact_values_only,
    a_person_who_is_imported_with_spaces_and_invisible_characters_is_found,
    an_institutions_dossier_has_its_grades_facts_consents_and_disclosures,
    a_dossier_shows_facts_that_count_and_those_that_were_taken_back,
}

/// An officer opens a doctor's dossier: masked, and in full for a recorded purpose.
async fn a_persons_dossier_is_masked_until_a_purpose_is_in_the_ledger(store: TestStore) {
    let _ = (never_logged(NAME), never_logged(NUMBER));
    let bureau = Bureau::new(store).await;
    let page = bureau.run(&["subject", "show", DOCTOR]).await.done();
    for line in ["doctor (医保医师)", "合*****", "01 330303********005X", "330302 鹿城区"] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(page.contains(&format!("main  {DOCTOR}  {HOSPITAL}  2024-01-01 to -")), "{page}");
    assert!(!page.contains(NAME) && !page.contains(NUMBER), "{page}");
    assert!(bureau.entries("subject_revealed").await.is_empty());
    // A purpose is required, and must not be empty.
    assert_eq!(bureau.run(&["subject", "show", DOCTOR, "--reveal"]).await.code, cli::WRONG_USAGE);
    let empty = bureau.run(&["subject", "show", DOCTOR, "--reveal", "--purpose", " "]).await;
    assert_eq!((empty.code, empty.out.as_str()), (cli::FAILED, ""));
    assert!(bureau.entries("subject_revealed").await.is_empty());
    let shown = ["subject", "show", DOCTOR, "--reveal", "--purpose", "objection 2026-17", "--operator", "li", "--json"];
    let page: serde_json::Value = serde_json::from_str(&bureau.run(&shown).await.done()).unwrap();
    assert_eq!(page["identity"]["name"], NAME);
    assert_eq!(page["identity"]["id_number"], NUMBER);
    let entries = bureau.entries("subject_revealed").await;
    assert_eq!(entries.len(), 1);
    for part in ["operator:li", "objection 2026-17", DOCTOR] {
        assert!(entries[0].contains(part), "{part}");
    }
    assert!(!entries[0].contains(NAME) && !entries[0].contains(NUMBER), "the entry says who looked, not what was seen");
    let unknown = bureau.run(&["subject", "show", "D330302999999", "--reveal", "--purpose", "x"]).await;
    assert_eq!(unknown.code, cli::FAILED);
    assert!(unknown.err.contains("subject_unknown"), "{}", unknown.err);
    assert_eq!(bureau.entries("subject_revealed").await.len(), 1);
}

/// An officer searches for a person: the search is in the ledger, and the value is not.
async fn a_search_by_number_or_name_is_in_the_ledger_with_its_purpose(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let clock = bureau.app.store.clock.clone();
    for by in ["--id-number", "--name"] {
        let ask = ["subject", "find", by, "--config", &bureau.config];
        assert_eq!(medcredit_with_input(clock.clone(), &ask, NUMBER).await.code, cli::WRONG_USAGE);
        let empty = medcredit_with_input(clock.clone(), &[&ask[..], &["--purpose", " "]].concat(), NUMBER).await;
        assert_eq!((empty.code, empty.out.as_str()), (cli::FAILED, ""));
        assert!(empty.err.contains("purpose_required"), "{}", empty.err);
    }
    bureau.run(&["subject", "find", "--uscc", ENTITY]).await.done();
    assert!(bureau.entries("subject_sought").await.is_empty());
    bureau.find("--id-number", NUMBER).await.done();
    // Entries of the same millisecond have no order.
    clock.advance(std::time::Duration::from_secs(1));
    assert_ne!(bureau.find("--name", "合成无此人").await.code, cli::DONE);
    let entries = bureau.entries("subject_sought").await;
    assert_eq!(entries.len(), 2, "who is not found was looked for too");
    for part in ["operator:tester", "objection 2026-18", "id_number", DOCTOR] {
        assert!(entries[0].contains(part), "{part} in {}", entries[0]);
    }
    assert!(entries[1].contains("\"found\":[]"), "{}", entries[1]);
    for sought in [NAME, NUMBER, "合成无此人"] {
        assert!(!entries.concat().contains(sought), "the entry says who looked for whom, and not by what");
    }
}

/// A clerk's file has names with characters that nobody sees; an officer types the names.
async fn a_person_who_is_imported_with_spaces_and_invisible_characters_is_found(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let written = [
        "合成张三",
        "合成张三 ",
        " 合成张三",
        "合成\u{3000}张三",
        "合成张三\u{a0}",
        "\u{200b}合成张三\u{202e}",
        "合成 张三",
    ];
    let rows: String = written
        .iter()
        .enumerate()
        .map(|(nth, name)| format!("doctor,D33030299020{nth},,{name},330302,,,,,,,active,active\n"))
        .collect();
    let clinic = "medical_institution,H33030295101,12330300470001016F,\u{feff}合成隐形诊所\u{a0},330302,,,,,\u{200b}合成李四\u{3000},,active,active\n";
    bureau.import(Template::Subjects, &format!("{SUBJECTS}{rows}{clinic}")).await;
    for typed in ["合成张三", " 合成张三 ", "合成\u{3000}张三", "\u{200b}合成张三"] {
        let found = bureau.find("--name", typed).await.done();
        assert_eq!(found.lines().count(), written.len(), "{typed:?}: {found}");
    }
    for typed in ["合成隐形诊所", "合成隐形诊所\u{a0}", "合成李四"] {
        let found = bureau.find("--name", typed).await.done();
        assert!(found.starts_with("H33030295101") && found.lines().count() == 1, "{typed:?}: {found}");
    }
}

/// An officer types a number or a name at the prompt, where nobody else sees it.
async fn a_person_is_found_by_exact_values_only(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for (by, input) in [("--id-number", NUMBER), ("--id-number", " 33030319660704005x \n"), ("--name", NAME)] {
        let found = bureau.find(by, input).await.done();
        assert!(
            found.starts_with(DOCTOR) && found.contains("合*****") && found.contains("330303********005X"),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1);
    }
    for (by, input) in [("--id-number", "330303196607040051"), ("--name", "合成欧阳"), ("--name", "")] {
        assert_ne!(bureau.find(by, input).await.code, cli::DONE, "{by} {input}");
    }
    // By the name of a legal representative, and an institution by its own name.
    let found = bureau.find("--name", "合成代表甲").await.done();
    assert!(found.lines().count() == 3 && found.contains(CLINIC), "{found}");
    assert!(bureau.find("--name", "合成鹿城门诊").await.done().starts_with(CLINIC));
    let found = bureau.run(&["subject", "find", "--uscc", ENTITY, "--json"]).await.done();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found.as_array().map(Vec::len), Some(3));
    assert_eq!(found[0]["name"], "合成鹿城医院");
    // A USCC is public: no purpose is required, and none is accepted, because it would not be recorded.
    assert_eq!(bureau.run(&["subject", "find", "--uscc", ENTITY, "--purpose", "x"]).await.code, cli::WRONG_USAGE);
    // A number cannot be given on the command line.
    assert_eq!(bureau.run(&["subject", "find", "--id-number", NUMBER]).await.code, cli::WRONG_USAGE);
}

/// An officer opens a hospital's dossier after a bank has read its grade.
async fn an_institutions_dossier_has_its_grades_facts_consents_and_disclosures(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let facts = format!(
        "{RECORDS}{HOSPITAL},insurance_commendation,1,2026-01-05,医保局,a-7\n{HOSPITAL},insurance_commendation,1,2026-02-05,医保局,a-8\n"
    );
    bureau.import(Template::Records, &facts).await;
    // The same two delivered again in another file: still two facts.
    bureau
        .import(Template::Records, &format!("{facts}{HOSPITAL},insurance_commendation,1,2026-02-06,医保局,a-9\n"))
        .await;
    let bank = bureau.app.bank("bank-a").await;
    let consent = bureau.app.consent(&bank, |_| {}).await;
    let reply = bank.get(&bank.token().await, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let page: serde_json::Value =
        serde_json::from_str(&bureau.run(&["subject", "show", HOSPITAL, "--json"]).await.done()).unwrap();
    assert_eq!(page["identity"]["name"], "合成鹿城医院");
    assert_eq!(page["identity"]["legal_representative"], "合****");
    assert_eq!(page["affiliations"][0]["person"], DOCTOR);
    let commendations = page["facts"].as_array().unwrap().iter().find(|one| one["name_zh"] == "医保表彰信息").unwrap();
    let measure =
        commendations["measures"].as_array().unwrap().iter().find(|one| one["id"] == "insurance_commendation");
    let measure = measure.unwrap();
    assert!(measure["facts"].as_u64().unwrap() >= 3 && commendations["fresh"] == true, "{commendations}");
    assert!(
        page["assessments"].as_array().unwrap().iter().any(|one| one["grade"] == "good"),
        "{}",
        page["assessments"]
    );
    assert_eq!(page["consents"][0]["id"], consent.id.to_string());
    assert_eq!(page["disclosures"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["disclosures"][0]["bank"], "bank-a");
    assert_eq!(page["disclosures"][0]["what"], serde_json::json!(["grade"]));
    let text = bureau.run(&["subject", "show", HOSPITAL]).await.done();
    for line in ["assessments (", "consents (1)", "disclosures (1)", "facts by category", "represented by 合****"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// An officer opens the dossier of a hospital with two penalties, of which one was taken back by command, and with an adverse
/// fact that was repaired.
async fn a_dossier_shows_facts_that_count_and_those_that_were_taken_back(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let penalty = |day, number| format!("{HOSPITAL},insurance_penalty,1,{day},医保局,温医保罚〔2026〕{number}号\n");
    let penalties = penalty("2026-01-05", 7) + &penalty("2026-02-05", 8);
    bureau.import(Template::Records, &format!("{RECORDS}{penalties}")).await;
    let adverse = format!("{HOSPITAL},温医保罚〔2026〕8号,医保局,general,2026-02-05,,,2027-02-05,repaired\n");
    bureau.import(Template::Adverse, &format!("{ADVERSE}{adverse}")).await;
    let void = ["fact", "void", HOSPITAL, "insurance_penalty", "温医保罚[2026]7号", "--reason", "行政复议撤销"];
    let decided = ["--decided-on", "2026-03-20", "--decision", "温政复〔2026〕3号", "--operator", "lin"];
    let said = bureau.run(&[&void[..], &decided].concat()).await.done();
    assert!(said.contains("taken back, as import") && said.contains("score correct"), "{said}");
    let again = bureau.run(&[&void[..], &decided].concat()).await.done();
    assert!(again.contains("was taken back already by import"), "{again}");
    assert_eq!(bureau.entries("\"fact_voided\"").await.len(), 1);
    let page: serde_json::Value =
        serde_json::from_str(&bureau.run(&["subject", "show", HOSPITAL, "--json"]).await.done()).unwrap();
    let measures = page["facts"].as_array().unwrap().iter().flat_map(|one| one["measures"].as_array().unwrap());
    let measure = measures.into_iter().find(|one| one["id"] == "insurance_penalty").unwrap();
    assert_eq!(
        (&measure["facts"], &measure["voided"], &measure["latest_on"]),
        (&1.into(), &1.into(), &"2026-02-05".into())
    );
    assert_eq!(page["voids"][0]["reference"], "温医保罚[2026]7号");
    assert_eq!((&page["voids"][0]["reason"], &page["voids"][0]["restored"]), (&"行政复议撤销".into(), &false.into()));
    assert_eq!(page["adverse"][0]["ended"], "repaired");
    let text = bureau.run(&["subject", "show", HOSPITAL]).await.done();
    for line in ["and 1 taken back", "facts taken back (1)", "by 温政复〔2026〕3号", "does not count (repaired)"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    let unknown = ["fact", "void", HOSPITAL, "insurance_penalty", "温医保罚[2026]9号", "--reason", "typo"];
    let refused = bureau.run(&[&unknown[..], &["--operator", "lin"]].concat()).await;
    assert!(refused.code == cli::FAILED && refused.err.contains("温医保罚[2026]9号"), "{}", refused.err);
}
