//! The dialect seam and the schema, on both engines.

mod seam;
