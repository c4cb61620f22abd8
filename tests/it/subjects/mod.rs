//! Subjects in the store and their dossiers: personal data is encrypted, searchable by exact values, and shown for a purpose.

mod dossier;
mod sealed;
