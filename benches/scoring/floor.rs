//! The lower bound: reads each file once, in parallel, and adds the values up by subject and measure in memory. Nothing is
//! checked, stored or scored.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    num::NonZero,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use medcredit::domain::{Clock, SystemClock};

use crate::memory;

/// The result of a measurement.
pub(crate) struct Floor {
    pub(crate) took: Duration,
    pub(crate) groups: u64,
    pub(crate) peak_mb: u64,
}

/// Measures in a separate process, so that its peak memory is its own.
pub(crate) fn measure(paths: &[PathBuf]) -> Result<Floor> {
    // The first run reads the files into the page cache; the second is measured.
    run_in_process(paths)?;
    run_in_process(paths)
}

fn run_in_process(paths: &[PathBuf]) -> Result<Floor> {
    let output = Command::new(std::env::current_exe()?).arg("floor").args(paths).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next().context("a figure is missing")?.context("a figure is not a number");
    Ok(Floor { took: Duration::from_micros(next()?), groups: next()?, peak_mb: next()? })
}

/// Adds up and prints microseconds, groups and megabytes.
pub(crate) fn run(paths: &[&str]) -> Result<()> {
    let clock = SystemClock;
    let began = clock.now();
    let mut all = Groups::default();
    for path in paths {
        for part in shares(Path::new(path))? {
            all.add(part?)?;
        }
    }
    let took = clock.now().since(began);
    writeln!(std::io::stdout(), "{} {} {}", took.as_micros(), all.sums.len(), memory::peak_mb())?;
    Ok(())
}

/// The groups of each share of a file, a thread for each.
fn shares(path: &Path) -> Result<Vec<Result<Groups>>> {
    let size = std::fs::metadata(path)?.len();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = size.div_ceil(u64::try_from(threads)?);
    Ok(std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|nth| {
                let from = share * u64::try_from(nth).unwrap_or(0);
                scope.spawn(move || add_up(path, from, (from + share).min(size)))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| anyhow::bail!("a thread stopped"))).collect()
    }))
}

#[derive(Default)]
struct Groups {
    subjects: HashMap<Box<str>, u32>,
    measures: HashMap<Box<str>, u32>,
    sums: HashMap<(u32, u32), (u64, i64)>,
}

impl Groups {
    fn add(&mut self, part: Self) -> Result<()> {
        if self.sums.is_empty() {
            *self = part;
            return Ok(());
        }
        let mut subjects = vec![0u32; part.subjects.len()];
        for (text, place) in &part.subjects {
            subjects[usize::try_from(*place)?] = intern(&mut self.subjects, text);
        }
        let mut measures = vec![0u32; part.measures.len()];
        for (text, place) in &part.measures {
            measures[usize::try_from(*place)?] = intern(&mut self.measures, text);
        }
        for ((subject, measure), (count, sum)) in part.sums {
            let key = (subjects[usize::try_from(subject)?], measures[usize::try_from(measure)?]);
            let group = self.sums.entry(key).or_default();
            group.0 += count;
            group.1 += sum;
        }
        Ok(())
    }
}

fn intern(places: &mut HashMap<Box<str>, u32>, text: &str) -> u32 {
    if let Some(place) = places.get(text) {
        return *place;
    }
    let place = u32::try_from(places.len()).unwrap_or(u32::MAX);
    places.insert(text.into(), place);
    place
}

/// The rows that begin in a share of the file.
fn add_up(path: &Path, from: u64, to: u64) -> Result<Groups> {
    let mut file = File::open(path)?;
    // A row that began before belongs to the share before; the first of all is the header.
    file.seek(SeekFrom::Start(from.saturating_sub(1)))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let mut at = from.saturating_sub(1) + u64::try_from(reader.read_until(b'\n', &mut line)?)?;
    let mut groups = Groups::default();
    let (mut last_subject, mut last_measure) = ((String::new(), 0), (String::new(), 0));
    while at < to {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        at += u64::try_from(read)?;
        let mut fields = std::str::from_utf8(&line)?.split(',');
        let mut field = || fields.next().unwrap_or_default();
        let (subject, measure, value) = (field(), field(), field());
        if last_subject.0 != subject {
            last_subject = (subject.to_owned(), intern(&mut groups.subjects, subject));
        }
        if last_measure.0 != measure {
            last_measure = (measure.to_owned(), intern(&mut groups.measures, measure));
        }
        let group = groups.sums.entry((last_subject.1, last_measure.1)).or_default();
        group.0 += 1;
        group.1 += ten_thousandths(value);
    }
    Ok(groups)
}

fn ten_thousandths(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut value = whole.parse::<i64>().unwrap_or(0) * 10_000;
    let mut unit = 1_000;
    for digit in part.bytes() {
        value += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    value
}
