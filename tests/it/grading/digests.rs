//! I5: the same records under the same model give the same points, grades, explanations and digests, in any order, in any
//! number of files, on either engine.

use medcredit::grading::RunDone;

use super::{Bureau, Line, city, periods};
use crate::support::{TestStore, block_on};

/// Rates a city from imports in the given order; returns the run with one subject's explanation as text.
async fn rate(store: TestStore, imports: &[Vec<Line>], backwards: bool) -> (RunDone, String) {
    let bureau = Bureau::with(store);
    let (mut files, _) = city(30, 3);
    if backwards {
        files.reverse();
    }
    bureau.accept_files(&files).await;
    for (seq, lines) in (1..).zip(imports) {
        bureau.import(seq, lines, true).await;
    }
    let run = bureau.run(periods()[1]).await;
    let first = bureau.rounds.explain(&files[0].code.clone(), Some(&run.id.to_string())).await.unwrap();
    let explained = bureau.rounds.explain("H33030200007", Some(&run.id.to_string())).await.unwrap();
    assert_eq!(first.run, run.id.to_string());
    (run, serde_json::to_string(&(explained.assessment, explained.model_digest)).unwrap())
}

fn digests(run: &RunDone) -> (&str, &str) {
    (&run.input_digest, &run.outcome_digest)
}

#[test]
fn the_same_records_give_the_same_digests_in_any_order_on_both_engines() {
    block_on(async {
        let (_, lines) = city(30, 3);
        let mut shuffled = lines.clone();
        shuffled.sort_by_key(|line| (line.reference.clone(), line.measure.clone(), line.code.clone()));
        let (odd, even): (Vec<_>, Vec<_>) = shuffled.iter().cloned().enumerate().partition(|(at, _)| at % 2 == 1);
        let halves: Vec<Vec<Line>> = [even, odd].map(|half| half.into_iter().map(|(_, line)| line).collect()).into();

        let (one, explained) = rate(TestStore::sqlite().await, std::slice::from_ref(&lines), false).await;
        let (other, other_explained) = rate(TestStore::postgres().await, &halves, true).await;
        assert_eq!(digests(&one), digests(&other));
        assert_eq!(explained, other_explained);

        // One value differs by a ten-thousandth: the inputs are different.
        let mut changed = lines;
        changed[17].value_e4 += 1;
        let (different, _) = rate(TestStore::sqlite().await, &[changed], false).await;
        assert_ne!(one.input_digest, different.input_digest);
    });
}

#[test]
fn an_import_that_is_not_accepted_is_not_read() {
    block_on(async {
        let (_, lines) = city(30, 3);
        let (one, _) = rate(TestStore::sqlite().await, std::slice::from_ref(&lines), false).await;
        let bureau = Bureau::with(TestStore::postgres().await);
        let (files, _) = city(30, 3);
        bureau.accept_files(&files).await;
        let mut worse = lines.clone();
        for line in &mut worse {
            line.value_e4 /= 2;
        }
        bureau.import(2, &worse, false).await;
        bureau.import(1, &lines, true).await;
        let other = bureau.run(periods()[1]).await;
        assert_eq!(digests(&one), digests(&other));
    });
}
