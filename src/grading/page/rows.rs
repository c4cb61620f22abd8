//! Reports as CSV for spreadsheets: a line for each figure.

use crate::{
    domain::printable::without_formula,
    grading::{AssessmentSummary, Column, Comparison, RoundReport, Share, Table},
};

/// A report as CSV; withheld counts are empty.
pub fn report_rows(report: &RoundReport) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["table", "row_code", "row_name", "column_code", "column_name", "count", "percent"])?;
    let none = Share { count: None, percent: None };
    let whole = |count: Option<u64>| Share { count, ..none.clone() };
    let mut line = |table: &str, row: (&str, &str), column: (&str, &str), share: &Share| {
        let count = share.count.map(|count| count.to_string()).unwrap_or_default();
        let percent = share.percent.clone().unwrap_or_default();
        // Names come from files of others.
        let texts = [row.0, row.1, column.0, column.1].map(without_formula);
        let [row_code, row_name, column_code, column_name] = texts;
        out.write_record([table, &row_code, &row_name, &column_code, &column_name, &count, &percent])
    };
    let kind = (report.kind.as_str(), report.kind_zh.as_str());
    line("all", kind, ("subjects", "列入主体"), &whole(report.subjects))?;
    line("all", kind, ("graded", "评定等级"), &whole(report.graded))?;
    for (column, share) in &report.grades {
        line("grades", kind, (&column.code, &column.name_zh), share)?;
    }
    for (column, share) in &report.not_rated {
        line("not_rated", kind, (&column.code, &column.name_zh), share)?;
    }
    for (name, table) in [("region", &report.by_region), ("level", &report.by_level)] {
        for (row, column, share) in cells(table) {
            line(name, row, (&column.code, &column.name_zh), share)?;
        }
    }
    if let Some(movement) = &report.movement {
        for (row, counts) in movement.rows.iter().zip(&movement.counts) {
            for (column, count) in movement.columns.iter().zip(counts) {
                let (row, column) = ((row.code.as_str(), row.name_zh.as_str()), (&*column.code, &*column.name_zh));
                line("movement", row, column, &whole(*count))?;
            }
        }
        for (code, name, count, percent) in [
            ("risen", "上升", movement.risen, movement.risen_percent.clone()),
            ("fallen", "下降", movement.fallen, movement.fallen_percent.clone()),
            ("stayed", "不变", movement.stayed, None),
        ] {
            line("moved", kind, (code, name), &Share { count, percent })?;
        }
    }
    for one in &report.corrected {
        let (before, now) = (word(Some(&one.before)), word(Some(&one.now)));
        let version = one.version.to_string();
        line("corrected", (&one.subject_code, &version), (&before, &now), &none)?;
    }
    for of in &report.kinds {
        for (column, share) in of.columns.iter().zip(&of.cells) {
            line("kinds", (&of.kind, &of.name_zh), (&column.code, &column.name_zh), share)?;
        }
    }
    finish(out)
}

/// The subjects with different grades in two runs, as CSV.
pub fn comparison_rows(comparison: &Comparison) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["subject_code", "first", "first_points", "second", "second_points", "places", "points"])?;
    for of in &comparison.differing {
        let points = |summary: Option<&AssessmentSummary>| {
            summary.and_then(|summary| summary.points).map(|points| points.to_string()).unwrap_or_default()
        };
        out.write_record([
            without_formula(&of.subject_code).into_owned(),
            without_formula(&word(of.first.as_ref())).into_owned(),
            points(of.first.as_ref()),
            without_formula(&word(of.second.as_ref())).into_owned(),
            points(of.second.as_ref()),
            of.places.map(|places| places.to_string()).unwrap_or_default(),
            of.points.map(|points| points.to_string()).unwrap_or_default(),
        ])?;
    }
    finish(out)
}

/// A result as one code: of its grade, or the reason of not being rated.
fn word(summary: Option<&AssessmentSummary>) -> String {
    match summary {
        Some(AssessmentSummary { grade: Some(grade), .. }) => grade.clone(),
        Some(AssessmentSummary { reason: Some(reason), .. }) => reason.clone(),
        Some(summary) => summary.status.clone(),
        None => "absent".to_owned(),
    }
}

fn cells(table: &Table) -> impl Iterator<Item = ((&str, &str), &Column, &Share)> {
    table.rows.iter().flat_map(|row| {
        let cells = table.columns.iter().zip(&row.cells);
        cells.map(|(column, share)| ((row.code.as_str(), row.name_zh.as_str()), column, share))
    })
}

fn finish(out: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
