//! Tokens over the front door: who gets one, what it is good for, and when it ends.

mod assertion;
mod documents;
mod ends;
mod issue;
