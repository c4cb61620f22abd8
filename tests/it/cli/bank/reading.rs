//! A bank reads grades and settlements, and sees nothing that did not verify.

use medcredit::{
    cli,
    domain::permission::{Permission, Purpose, Scope},
    identity::signature::content_digest,
};

use super::{
    BankMachine,
    fake_gateway::{FakeGateway, Lie},
};
use crate::support::{TestStore, app::TestApp, block_on, both_engines, command::medcredit};

/// What a command printed above its foot, which has keys, times and ids.
fn head(said: &str, id: &str) -> String {
    said.split("\n  政务信息").next().unwrap().replace(id, "CONSENT")
}

both_engines! {
    a_grade_is_a_table,
    settlements_are_a_table_and_a_chart,
}

/// A bank with a consent.
async fn a_grade_is_a_table(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("bank-a").await;
    let id = app.consent(&bank, |_| {}).await.id.to_string();
    let said = BankMachine::new(&app, &bank).bank(&["grade", &id]).await.done();
    let expected = "
信用等级 grade of 91330302MA2AB3C47J, under CONSENT for pre_loan_review

  编码          名称          等级                          状态         评价期   公布        有效至
  code          name          grade                         status       period   published   valid until
  H33030200001  合成鹿城医院  良好 good (wenzhou-951)       已评 graded  2025-H2  2026-04-01  2026-07-31
  H33030200002  合成鹿城门诊  优秀 excellent (wenzhou-951)  已评 graded  2025-H2  2026-04-01  2026-07-31
";
    assert_eq!(head(&said, &id), expected.trim_start());
    assert!(said.contains("Verified: body, status and request are what key "), "{said}");
}

/// A bank with a consent; one row has few visits, the last month may still change.
async fn settlements_are_a_table_and_a_chart(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("bank-a").await;
    let id = app.consent(&bank, |_| {}).await.id.to_string();
    let said =
        BankMachine::new(&app, &bank).bank(&["settlements", &id, "--from", "2025-03", "--to", "2025-05"]).await.done();
    let expected = "
医保月度结算 monthly settlements of 91330302MA2AB3C47J, 2025-03 to 2025-05, under CONSENT for pre_loan_review
金额单位: 元 (amounts in yuan, exact to the fen)

  月份       人次       结算      扣留       拨付       应付  备注
  month    visits    settled  withheld       paid    payable  note
  2025-03     408  40,000.00    960.00  39,040.00  39,040.00
  2025-04       -          -         -          -          -  隐去 suppressed
  2025-05     416  40,000.00    960.00  39,040.00  39,040.00
  隐去 suppressed: a row in it has fewer than 10 visits or 10 persons, and could be computed from the total

  结算 settled by month
  2025-03  40,000.00  ############################################################
  2025-04              隐去 suppressed
  2025-05  40,000.00  ############################################################
";
    assert_eq!(head(&said, &id), expected.trim_start());
    let last = BankMachine::new(&app, &bank).bank(&["settlements", &id, "--from", "2026-02", "--each"]).await.done();
    assert!(last.contains("暂定 provisional"), "{last}");
}

/// A bank whose consent allows everything, and one whose consent allows grades alone.
#[test]
fn former_grades_scorecards_and_reports_are_read_and_proved() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        super::evidence::sealing(&app);
        let bank = app.bank("bank-a").await;
        let all = [Permission::Grade, Permission::GradeHistory, Permission::Scorecard, Permission::Settlements];
        let id = app.consent(&bank, |wish| wish.permissions = all.to_vec()).await.id.to_string();
        let machine = BankMachine::new(&app, &bank);
        for (what, words) in [
            ("history", &["历史等级", "合成鹿城医院"][..]),
            ("scorecard", &["一级指标得分", "合成鹿城门诊", "已评 graded"]),
            (
                "report",
                &["信用等级 grade", "历史等级", "一级指标得分", "医保月度结算", "40,000.00", "暂定 provisional"],
            ),
        ] {
            let file = machine.name(&format!("{what}.json"));
            let said = machine.bank(&[what, &id, "--save", &file]).await.done();
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
            let proved = machine.bank(&["verify", &file]).await.done();
            assert!(super::line(&proved, "contents").starts_with("ok"), "{proved}");
            assert!(super::line(&proved, "inclusion").starts_with("ok"), "{proved}");
        }
        let grades = app.consent(&bank, |wish| wish.permissions = vec![Permission::Grade]).await.id.to_string();
        let said = machine.bank(&["report", &grades]).await.done();
        assert!(said.contains("settlements: not permitted") && !said.contains("医保月度结算"), "{said}");
    });
}

/// A bank with a consent.
#[test]
fn json_is_the_exact_body_and_nothing_else() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let bank = app.bank("bank-a").await;
        let id = app.consent(&bank, |_| {}).await.id.to_string();
        let machine = BankMachine::new(&app, &bank);
        let body = machine.bank(&["grade", &id, "--json", "--save"]).await.done();
        let saved = std::fs::read_dir(machine.path("answers")).unwrap();
        let saved =
            saved.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().contains("dis_")).unwrap();
        let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
        assert_eq!(saved["answer"]["headers"]["content-digest"], content_digest(body.as_bytes()));
    });
}

/// A bank whose consent allows two purposes.
#[test]
fn the_purpose_is_the_commands_or_the_profiles() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let bank = app.bank("bank-a").await;
        let purposes = vec![Purpose::PreLoanReview, Purpose::LoanApproval];
        let id = app.consent(&bank, |wish| wish.purposes = purposes).await.id.to_string();
        let machine = BankMachine::new(&app, &bank);
        assert!(machine.refused(&["grade", &id]).await.contains("purpose"), "neither says it");
        let said = machine.bank(&["grade", &id, "--purpose", "loan_approval"]).await.done();
        assert!(said.contains("for loan_approval"), "{said}");
        machine.profile(&app.origin, "purpose = 'pre_loan_review'");
        assert!(machine.bank(&["grade", &id]).await.done().contains("for pre_loan_review"));
    });
}

/// Banks without the consent, without the permission and without the scope.
#[test]
fn a_refusal_is_reported_with_its_code() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let bank = app.bank("bank-a").await;
        let grades = app.consent(&bank, |wish| wish.permissions = vec![Permission::Grade]).await.id.to_string();
        let stranger = BankMachine::new(&app, &app.bank("bank-b").await);
        assert!(stranger.refused(&["grade", &grades]).await.contains("404 consent_not_found"));
        let said = BankMachine::new(&app, &bank).refused(&["settlements", &grades]).await;
        assert!(said.contains("403 permission_not_granted"), "{said}");
        let narrow = app.bank_with("bank-c", |new| new.scopes = vec![Scope::ConsentsRead]).await;
        let said = BankMachine::new(&app, &narrow).refused(&["grade", &grades]).await;
        assert!(said.contains("invalid_scope") && said.contains("bank doctor"), "{said}");
    });
}

/// A bank that is answered by somebody who has the gateway's certificate and changes what is said.
#[test]
fn what_does_not_verify_is_not_shown() {
    block_on(async {
        for (lie, why) in [
            (Lie::Body, "body: its SHA-256 is not the one in Content-Digest"),
            (Lie::Digest, "signature: it does not match"),
            (Lie::Target, "signature: it does not match"),
            (Lie::Receipt, "signature: it does not match"),
            (Lie::Key, "key: none of the given keys is the one the signature names"),
            (Lie::Purpose, "is the gateway's for token_signing, and not for answer_signing"),
            (Lie::NoPurpose, "does not say what key"),
            (Lie::Disclosure, "receipt: it belongs to dis_"),
            (Lie::Unsigned, "the answer has no signature"),
        ] {
            let liar = FakeGateway::start(lie).await;
            let said = liar.machine().bank(&["grade", "con_06fzgv9a41wdkxs8q2e7mtb3rc"]).await;
            assert_eq!(said.code, cli::FAILED, "{lie:?}: {}", said.out);
            assert!(
                said.err.contains("does not verify and is not shown") && said.err.contains(why),
                "{lie:?}: {}",
                said.err
            );
            assert!(!said.out.contains("excellent"), "{lie:?}");
        }
        let honest = FakeGateway::start(Lie::None).await;
        assert!(honest.machine().bank(&["grade", "con_06fzgv9a41wdkxs8q2e7mtb3rc"]).await.done().contains("excellent"));
    });
}

/// A bank whose name for a terminal's escape sequences came over the network.
#[test]
fn nothing_moves_the_terminals_cursor() {
    block_on(async {
        let liar = FakeGateway::start(Lie::Escapes).await;
        let said = liar.machine().bank(&["grade", "con_06fzgv9a41wdkxs8q2e7mtb3rc"]).await.done();
        assert!(!said.contains('\u{1b}') && said.contains("[2Jexcellent"), "{said:?}");
    });
}

/// Somebody who has no profile yet, or a wrong one.
#[test]
fn a_profile_that_cannot_be_used_says_why() {
    block_on(async {
        let none = medcredit(&["bank", "token"]).await;
        assert_eq!(none.code, cli::WRONG_USAGE);
        assert!(none.err.contains("--profile bank.toml"), "{}", none.err);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bank.toml");
        for (text, why) in [
            ("origin = 'https://gateway.test'", "missing field"),
            ("origin = 'https://g.test/'\nca='a'\ncertificate='b'\nkey='c'", "without a path"),
            ("origin = 'http://g.test'\nca='a'\ncertificate='b'\nkey='c'", "https://host"),
            ("origin = 'https://g.test'\nca='a'\ncertificate='b'\nkey='c'\npassword='d'", "unknown field"),
            ("origin = 'https://g.test'\nca='a'\ncertificate='b'\nkey='c'\nsign_requests=true", "needs a signing_key"),
        ] {
            std::fs::write(&path, text).unwrap();
            let outcome = medcredit(&["bank", "--profile", path.to_str().unwrap(), "token"]).await;
            assert_eq!(outcome.code, cli::BAD_CONFIGURATION, "{text}: {}", outcome.err);
            assert!(outcome.err.contains(why), "{text}: {}", outcome.err);
        }
    });
}

/// A bank with two consents for what comes after the loan, and one that is not for it.
#[test]
fn a_month_is_delivered_kept_and_proved() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        super::evidence::sealing(&app);
        let bank = app.bank("bank-a").await;
        for purpose in [Purpose::PostLoanManagement, Purpose::PostLoanManagement, Purpose::LoanApproval] {
            app.consent(&bank, |wish| wish.purposes = vec![purpose]).await;
        }
        let machine = BankMachine::new(&app, &bank);
        let line = ["deliveries", "--month", "2026-01", "--purpose", "post_loan_management"];
        let said = machine.bank(&line).await.done();
        assert!(said.starts_with("2026-01: 2 lines on 1 pages in"), "{said}");
        let folder = "answers/deliveries/2026-01-post_loan_management";
        let lines = std::fs::read_to_string(machine.path(&format!("{folder}/page-0001.ndjson"))).unwrap();
        assert_eq!(lines.lines().count(), 3);
        let page = machine.name(&format!("{folder}/page-0001.json"));
        let proved = machine.bank(&["proof", &page]).await.done();
        for check in ["signature", "contents", "inclusion"] {
            assert!(super::line(&proved, check).starts_with("ok"), "{proved}");
        }
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let alone = machine.bank(&["proof", first["disclosure"].as_str().unwrap()]).await.done();
        assert!(super::line(&alone, "record").contains(first["consent"].as_str().unwrap()), "{alone}");
        let again = machine.bank(&line).await;
        assert!(again.err.contains("complete already") && again.out == said, "{again:?}");
        // As a page that was lost on the way leaves it: nothing is complete, and the next run begins where it says.
        let cursor = machine.path(&format!("{folder}/cursor.json"));
        let text = std::fs::read_to_string(&cursor).unwrap().replace("\"next\": null", "\"next\": \"nonsense\"");
        std::fs::write(&cursor, text).unwrap();
        assert!(machine.refused(&line).await.contains("invalid_cursor"), "it continues at the cursor");
    });
}
