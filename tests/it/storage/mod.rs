//! The dialect seam and the schema, on both engines.

mod cluster;
mod migrations;
mod seam;
