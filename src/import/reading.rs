//! How the bytes of a file are read, where its operator says it and it is not to be found out.

/// What an operator says about the bytes of a file. Nothing said: it is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {}
