//! What the tests stand on: a database a test, the design's order computed a second time, waiting without luck.

pub mod database;
pub mod order;
pub mod random;
pub mod wait;
