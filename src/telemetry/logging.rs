//! The log: one line for each event, with its fields and those of the spans around it, each treated as `fields.rs` defines.

use std::{
    borrow::Cow,
    fmt::{self, Debug},
    io::Write,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use super::{
    escape::{write_json, write_json_text, write_text},
    fields::{Treatment, treatment},
    scrub::scrub,
};
use crate::domain::{clock::SharedClock, error_chain};

/// The format of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// Text, for people.
    Text,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The format of a line.
    pub format: Format,
    /// The least level that is logged, by module, in the syntax of [`Targets`].
    pub filter: String,
}

/// Starts the log of the process. A second call changes nothing and returns `false`.
pub fn init(settings: &LogSettings, clock: SharedClock, sink: impl Write + Send + 'static) -> bool {
    // The configuration has been checked, so the fallback is never used.
    let filter = settings.filter.parse::<Targets>().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let layer = LogLayer::new(settings.format, clock, sink).with_filter(in_both_units(filter));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).is_ok()
}

/// The crate's name in the targets of rooms that are compiled apart (`core.rs`).
const CORE: &str = "medcredit_core";

/// The target that is written: a room is named alike in whichever unit it is compiled.
fn written_target(target: &str) -> Cow<'_, str> {
    match target.strip_prefix(CORE) {
        Some(path) if path.is_empty() || path.starts_with("::") => Cow::Owned(format!("medcredit{path}")),
        _ => Cow::Borrowed(target),
    }
}

/// A filter that also finds the rooms that are compiled apart under the names that the log writes.
fn in_both_units(filter: Targets) -> Targets {
    let apart: Vec<_> = filter
        .iter()
        .filter_map(|(target, level)| Some((format!("{CORE}::{}", target.strip_prefix("medcredit::")?), level)))
        .collect();
    filter.with_targets(apart)
}

/// The layer that writes the log.
pub struct LogLayer<W> {
    format: Format,
    clock: SharedClock,
    sink: Mutex<W>,
}

impl<W> Debug for LogLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<W: Write + Send + 'static> LogLayer<W> {
    /// Makes a layer that writes lines to a sink.
    pub fn new(format: Format, clock: SharedClock, sink: W) -> Self {
        Self { format, clock, sink: Mutex::new(sink) }
    }

    fn line(&self, metadata: &Metadata<'_>, fields: &[(&'static str, Value)]) -> Vec<u8> {
        let message = fields.iter().find(|(name, _)| *name == "message");
        let message = message.and_then(|(_, value)| value.as_str()).unwrap_or_default();
        let others = fields.iter().filter(|(name, _)| *name != "message");
        let (at, level, target) = (self.clock.now(), metadata.level(), written_target(metadata.target()));
        let mut line = Vec::with_capacity(512);
        // Writing to a Vec cannot fail.
        let _ = match self.format {
            Format::Json => {
                let _ = write!(line, r#"{{"at":"{at}","level":"{level}","target":"#);
                let _ = write_json_text(&mut line, &target);
                line.extend_from_slice(br#","message":"#);
                write_json_text(&mut line, message)
            }
            Format::Text => {
                let _ = write!(line, "{at} {level:5} {target}: ");
                write_text(&mut line, message)
            }
        };
        for (name, value) in others {
            // Field names are constants of the code, so nothing in them needs escaping.
            let around = if self.format == Format::Json { [",\"", name, "\":"] } else { [" ", name, "="] };
            for part in around {
                line.extend_from_slice(part.as_bytes());
            }
            let _ = write_json(&mut line, value);
        }
        line.extend_from_slice(if self.format == Format::Json { b"}\n" } else { b"\n" });
        line
    }
}

/// The usual number of fields of a line.
const FIELDS: usize = 12;

/// Whether a line may be written: below `info`, libraries print headers and addresses.
fn may_log(metadata: &Metadata<'_>) -> bool {
    let target = written_target(metadata.target());
    let ours = target == "medcredit" || target.starts_with("medcredit::");
    ours || *metadata.level() <= Level::INFO
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id).filter(|span| may_log(span.metadata())) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if !may_log(event.metadata()) {
            return;
        }
        let mut fields = Fields(Vec::with_capacity(FIELDS));
        event.record(&mut fields);
        for span in ctx.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.0.extend(around.0.iter().cloned());
            }
        }
        // Made before the lock, which is then held for the write alone.
        let line = self.line(event.metadata(), &fields.0);
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // An error is ignored: a log that cannot be written must not stop the gateway, and what must never be lost is in the
        // ledger. Warnings and errors are flushed, because the sink may be buffered.
        let written = sink.write_all(&line);
        if *event.metadata().level() <= Level::WARN {
            let _ = written.and_then(|()| sink.flush());
        }
    }
}

/// The fields of an event or a span, in order. They are treated when they are recorded, so no untreated value is ever stored.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        // `value` is only called for a field that is written: a withheld value is never even formatted.
        let value = match treatment(field.name()) {
            Treatment::Write => value(),
            Treatment::Scrub => match value() {
                Value::String(text) => Value::from(scrub(&text)),
                other => other,
            },
            Treatment::Withhold => Value::from("[withheld]"),
        };
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, || value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, || value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, || value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, || value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, || value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, || error_chain(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, || format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::ManualClock;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let clock = ManualClock::new("2026-04-01T01:00:00Z".parse().unwrap());
        let layer = LogLayer::new(format, clock, captured.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_filter_names_a_room_in_whichever_unit_it_is_compiled() {
        let filter = in_both_units("info,medcredit::store=debug,sqlx=warn".parse().unwrap());
        for (target, level, is_logged) in [
            ("medcredit_core::store::db", Level::DEBUG, true),
            ("medcredit_core::ledger", Level::DEBUG, false),
            ("medcredit::http", Level::INFO, true),
            ("medcredit::http", Level::DEBUG, false),
            ("sqlx::query", Level::INFO, false),
        ] {
            assert_eq!(filter.would_enable(target, &level), is_logged, "{target} {level}");
        }
        assert_eq!(written_target("medcredit_core::store::db"), "medcredit::store::db");
        assert_eq!(written_target("medcredit_cores"), "medcredit_cores");
    }

    #[test]
    fn a_line_has_the_fields_of_the_spans_around_it() {
        let line = logged(Format::Json, || {
            let _span =
                tracing::info_span!("request", interaction.id = "int_1", client.id = tracing::field::Empty).entered();
            tracing::Span::current().record("client.id", "cli_1");
            tracing::info!(http.status = 200, "answered");
        });
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "at": "2026-04-01T01:00:00Z", "level": "INFO", "target": "medcredit::telemetry::logging::tests",
                "message": "answered", "http.status": 200, "interaction.id": "int_1", "client.id": "cli_1",
            })
        );
    }

    #[test]
    fn a_field_that_is_not_listed_is_withheld() {
        let line = logged(Format::Text, || tracing::warn!(subject.name = "温州某某医院", count = 3, "seen"));
        assert!(line.ends_with("seen subject.name=\"[withheld]\" count=3\n"), "{line}");
    }

    #[test]
    fn texts_are_scrubbed() {
        let line = logged(Format::Text, || tracing::error!(error = "no 91330302MA2AXXXX1K", "about H33030200012"));
        assert!(line.ends_with("about [redacted] error=\"no [redacted]\"\n"), "{line}");
    }

    #[test]
    fn a_value_cannot_begin_a_line_or_turn_the_text_around_it() {
        for format in [Format::Json, Format::Text] {
            let line = logged(format, || {
                let error = "a\nINFO forged\u{202e}\u{200b}\u{9b}2J";
                tracing::error!(error, code = "b\u{feff}\u{1b}[2J", "{error}");
            });
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.trim_end().chars().all(|c| !crate::domain::printable::is_unprintable(c)), "{line:?}");
            assert!(line.contains(r"\u202e\u200b\u009b2J") && line.contains(r"b\ufeff\u001b[2J"), "{line}");
        }
    }

    #[test]
    fn libraries_are_silent_below_info() {
        let lines = logged(Format::Text, || {
            tracing::debug!(target: "h2::codec", "authorization: secret");
            tracing::info!(target: "h2::codec", "connected");
            tracing::trace!("ours");
        });
        assert!(!lines.contains("secret") && lines.contains("connected") && lines.contains("ours"), "{lines}");
    }
}
