//! The system from outside: processes, a stranger's client, and nothing known of the inside but the design's contracts.

mod accounting;
mod alarms;
mod deleted;
mod dicom;
mod files;
mod forms;
mod hostile_headers;
mod killed_workers;
mod lanes;
mod learning;
mod listeners;
mod operations;
mod package;
mod paper;
mod readme;
mod restarts;
mod rights;
mod s3;
mod strangers_events;
mod traffic;
