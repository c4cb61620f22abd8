//! The body of an answer, without copying the bytes that several answers share.

use std::fmt;

use bytes::Bytes;

/// The exact bytes of an answer's body: a beginning, which other answers may share, and the rest.
#[derive(Clone, Default)]
pub struct AnswerBody {
    beginning: Bytes,
    rest: Bytes,
}

impl AnswerBody {
    /// A body in two pieces.
    pub const fn new(beginning: Bytes, rest: Bytes) -> Self {
        Self { beginning, rest }
    }

    /// Number of bytes.
    pub const fn len(&self) -> usize {
        self.beginning.len() + self.rest.len()
    }

    /// Whether it has no bytes.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its pieces in order.
    pub fn into_pieces(self) -> [Bytes; 2] {
        [self.beginning, self.rest]
    }
}

impl<T: Into<Bytes>> From<T> for AnswerBody {
    fn from(whole: T) -> Self {
        // The empty rest allocates nothing.
        Self::new(whole.into(), Bytes::new())
    }
}

impl fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a subject's data (I8).
        write!(f, "AnswerBody({} bytes)", self.len())
    }
}
