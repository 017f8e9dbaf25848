//! The system from outside: processes, a stranger's client, and nothing known of the inside but the design's contracts.

mod accounting;
mod dicom;
mod files;
mod killed_workers;
mod learning;
mod operations;
mod paper;
mod readme;
mod restarts;
mod strangers_events;
mod traffic;
