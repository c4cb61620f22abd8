//! The dialect seam and the schema, on both engines.

mod cluster;
mod durability;
mod migrations;
mod planner;
mod seam;
mod server;
