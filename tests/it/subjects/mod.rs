//! Subjects as the store keeps them and the bureau looks at them: personal parts sealed, found again, shown on purpose.

mod dossier;
mod sealed;
