//! Deliveries of files that are killed at every step, or fail, and are repeated.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use medcredit::push::carrier::{
    FailureReason,
    file::{DiskFaults, DiskStep},
};
use proptest::prelude::*;

use super::{
    directory::{Directory, STEM, page},
    package, rows,
};
use crate::support::block_on;

/// Interrupts at the step of this number, and keeps the steps before it.
#[derive(Debug, Clone, Default)]
struct Interrupter(Arc<Mutex<(Option<usize>, Vec<DiskStep>)>>);

impl Interrupter {
    /// From now on: at which step, if at any.
    fn at(&self, step: Option<usize>) {
        *self.0.lock().unwrap() = (step, Vec::new());
    }

    fn steps(&self) -> Vec<DiskStep> {
        self.0.lock().unwrap().1.clone()
    }

    fn faults(&self, kind: io::ErrorKind) -> DiskFaults {
        let state = Arc::clone(&self.0);
        DiskFaults::new(move |step| {
            let mut state = state.lock().unwrap();
            state.1.push(step);
            if state.0 == Some(state.1.len()) { Err(kind.into()) } else { Ok(()) }
        })
    }
}

/// What a receiver sees of a package of two pages that was never interrupted.
async fn expected() -> BTreeMap<String, Vec<u8>> {
    let (directory, package) = (Directory::new(), package(2, 3));
    for (number, rows) in [(1, rows(0..2)), (2, rows(2..3))] {
        page(&directory.carrier(), &package, number, &rows).await.unwrap();
    }
    directory.seen()
}

#[test]
fn a_delivery_killed_at_any_step_is_completed_by_the_next() {
    block_on(async {
        let (package, expected) = (package(2, 3), expected().await);
        let interrupter = Interrupter::default();
        let mut interrupted = 0;
        // Every step of both pages, until there are no more.
        for number in 1..=2 {
            for step in 1.. {
                let directory = Directory::new();
                let carrier = directory.carrier_with(interrupter.faults(io::ErrorKind::Other));
                interrupter.at(None);
                if number == 2 {
                    page(&carrier, &package, 1, &rows(0..2)).await.unwrap();
                }
                interrupter.at(Some(step));
                let part = if number == 1 { rows(0..2) } else { rows(2..3) };
                if page(&carrier, &package, number, &part).await.is_ok() {
                    break;
                }
                interrupted += 1;
                let manifest = directory.join(&format!("{STEM}.manifest.json"));
                if manifest.exists() {
                    assert_eq!(directory.seen(), expected, "with the manifest the data is complete, at step {step}");
                }
                interrupter.at(None);
                for (number, part) in [(1, rows(0..2)), (2, rows(2..3))] {
                    page(&carrier, &package, number, &part).await.unwrap();
                }
                assert_eq!(directory.seen(), expected, "page {number}, step {step}");
                assert_eq!(directory.unfinished(), [format!("{STEM}.closed.json")], "page {number}, step {step}");
            }
        }
        assert!(interrupted > 20, "the steps were there: {interrupted}, the last {:?}", interrupter.steps());
    });
}

#[test]
fn a_full_disk_at_any_step_is_said_and_delivery_continues_when_there_is_room() {
    block_on(async {
        let (package, interrupter) = (package(1, 1), Interrupter::default());
        let directory = Directory::new();
        let carrier = directory.carrier_with(interrupter.faults(io::ErrorKind::StorageFull));
        let mut full = 0;
        for step in 1.. {
            interrupter.at(Some(step));
            match page(&carrier, &package, 1, &rows(0..1)).await {
                Ok(_) => break,
                Err(failed) => {
                    assert_eq!((failed.reason, failed.permanent), (FailureReason::DiskFull, false), "{failed}");
                    assert!(failed.detail.contains("make room"), "{failed}");
                    full += 1;
                }
            }
        }
        assert!(full > 8, "{full}");
        assert_eq!((directory.seen().len(), directory.unfinished().len()), (2, 1));
    });
}

#[test]
fn leftovers_of_any_content_are_replaced_or_removed() {
    block_on(async {
        let (package, expected) = (package(2, 3), expected().await);
        let directory = Directory::new();
        let work = directory.join(".medcredit");
        std::fs::create_dir(&work).unwrap();
        let leftovers =
            [".csv.new", ".page-000001", ".page-000002", ".page-000001.new", ".manifest.json.new", ".closed.json.new"];
        for name in leftovers {
            std::fs::write(work.join(format!("{STEM}{name}")), "{\"rows\": 1").unwrap();
        }
        // Of another package: not touched.
        let other = format!("{STEM}3.page-000001");
        std::fs::write(work.join(&other), "x").unwrap();
        for (number, rows) in [(1, rows(0..2)), (2, rows(2..3))] {
            page(&directory.carrier(), &package, number, &rows).await.unwrap();
        }
        assert_eq!(directory.seen(), expected);
        assert_eq!(directory.unfinished(), [format!("{STEM}.closed.json"), other]);
    });
}

#[test]
fn two_attempts_at_the_same_time_write_one_file() {
    block_on(async {
        let (package, expected) = (package(2, 3), expected().await);
        for _ in 0..20 {
            let directory = Directory::new();
            let (one, other) = (directory.carrier(), directory.carrier());
            let (first, second) = (rows(0..2), rows(2..3));
            // The last page may be there first, and is then tried again as by the outbox.
            let last = async {
                loop {
                    match page(&other, &package, 2, &second).await {
                        Err(failed) if failed.reason == FailureReason::Incomplete => tokio::task::yield_now().await,
                        outcome => break outcome,
                    }
                }
            };
            let (a, b, c) = tokio::join!(page(&one, &package, 1, &first), page(&other, &package, 1, &first), last);
            a.and(b).and(c).unwrap();
            assert_eq!(directory.seen(), expected);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Pages in any order, each interrupted at some step or not, and each repeated some times: the receiver always ends with the
    /// same two files, and never sees a manifest without its data.
    #[test]
    fn any_sequence_of_interruptions_and_attempts_gives_the_same_directory(
        attempts in proptest::collection::vec((1..=4_u32, proptest::option::weighted(0.7, 1..14_usize)), 0..24)
    ) {
        block_on(async {
            let package = package(4, 9);
            let part = |number: u32| rows((number - 1) * 2..if number == 4 { 9 } else { number * 2 });
            let calm = Directory::new();
            for number in 1..=4 {
                page(&calm.carrier(), &package, number, &part(number)).await.unwrap();
            }
            let (directory, interrupter) = (Directory::new(), Interrupter::default());
            let carrier = directory.carrier_with(interrupter.faults(io::ErrorKind::Other));
            for (number, step) in &attempts {
                interrupter.at(*step);
                let _ = page(&carrier, &package, *number, &part(*number)).await;
                let seen = directory.seen();
                assert!(seen.iter().all(|(name, bytes)| calm.seen().get(name) == Some(bytes)), "{attempts:?}");
                assert!(!seen.contains_key(&format!("{STEM}.manifest.json")) || seen.len() == 2, "{attempts:?}");
            }
            interrupter.at(None);
            for number in 1..=4 {
                page(&carrier, &package, number, &part(number)).await.unwrap();
            }
            assert_eq!(directory.seen(), calm.seen(), "{attempts:?}");
            assert_eq!(directory.unfinished(), calm.unfinished(), "{attempts:?}");
        });
    }
}
