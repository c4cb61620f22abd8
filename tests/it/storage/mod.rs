//! The dialect seam and the schema, on both engines.

mod migrations;
mod seam;
