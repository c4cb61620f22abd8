//! Totals exactly on the bound of a grade.

use medcredit::{config::Config, domain::money::MilliPoints, grading::Library};

#[test]
fn a_total_exactly_on_the_bound_has_the_better_grade() {
    let library = Library::shipped().unwrap();
    let good = Config::defaults(std::path::Path::new(".")).unwrap().disclosure.good_standing;
    let mut seen = 0;
    for model in library.models().filter(|model| model.scheme().id == "wenzhou-951") {
        seen += 1;
        for (points, on, below) in [
            (850_000, "excellent", "good"),
            (800_000, "good", "medium"),
            (750_000, "medium", "poor"),
            (700_000, "poor", "bad"),
        ] {
            assert_eq!(model.grade_of(MilliPoints(points)), on, "{} {points}", model.id());
            assert_eq!(model.grade_of(MilliPoints(points - 1)), below, "{} a thousandth less", model.id());
        }
        let counts = &good[&model.scheme().id];
        let lent = |points| counts.contains(&model.grade_of(MilliPoints(points)));
        assert!(lent(800_000) && !lent(799_999), "settlements are read from exactly 800 on");
    }
    assert!(seen >= 9, "at least one model for each kind: {seen}");
}
