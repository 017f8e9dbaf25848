//! What the tests stand on: a database a test, worker processes, a stranger's AMQP client, the design's order computed a
//! second time, waiting without luck.

pub mod browser;
pub mod database;
pub mod line;
pub mod order;
pub mod python;
pub mod random;
pub mod s3;
pub mod stack;
pub mod tools;
pub mod wait;
pub mod worker;
