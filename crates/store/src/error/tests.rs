use cspine_domain::Reason;

use super::{Fault, fault_of};

/// Every error code of PostgreSQL 15 and 17 with its condition's name.
const SQLSTATES: &str = include_str!("sqlstates.txt");

/// Codes of classes 22 and 23 that no value of a message can raise.
const OURS: [&str; 10] = ["22012", "22013", "22014", "22016", "2201E", "2201F", "2201G", "2200H", "23000", "23502"];

#[test]
fn every_error_code_is_a_messages_a_rows_or_the_servers_fault() {
    let mut seen = [0; 3];
    for line in SQLSTATES.lines() {
        let (code, name) = line.split_once(' ').expect("a code and a name");
        let expected = match &code[..2] {
            "22" | "23" if matches!(code, "23001" | "23503") => Fault::Row,
            "22" | "23" if !OURS.contains(&code) => Fault::Message(Reason::BadSchema),
            "40" => Fault::Row,
            "55" if code == "55P03" => Fault::Row,
            _ => Fault::Server,
        };
        assert_eq!(fault_of(code), expected, "{code} {name}");
        seen[match expected {
            Fault::Message(_) => 0,
            Fault::Row => 1,
            Fault::Server => 2,
        }] += 1;
    }
    assert!(seen[0] > 40 && seen[1] >= 8 && seen[2] > 150, "{seen:?}");
}

#[test]
fn the_faults_that_sites_have_met_are_nobodys() {
    let met = [
        ("28P01", "a password was changed"),
        ("28000", "a role without login"),
        ("42501", "a missing right"),
        ("42P01", "a missing table"),
        ("3F000", "a missing schema"),
        ("3D000", "the database was renamed"),
        ("42601", "a bug in our SQL"),
        ("42703", "a column of a later schema"),
        ("0A000", "a cached plan of an earlier schema"),
        ("25006", "a standby"),
        ("25P02", "a transaction that failed before"),
        ("26000", "a pooler that drops prepared statements"),
        ("53100", "a full disk"),
        ("53300", "too many connections"),
        ("55000", "not in the prerequisite state"),
        ("57014", "a statement that took too long"),
        ("57P01", "a shutdown"),
        ("57P03", "starting up"),
        ("58030", "a broken disk"),
        ("XX000", "a bug of the server"),
        ("XX001", "a corrupted table"),
        ("", "no code at all"),
        ("ZZ123", "a code of tomorrow"),
    ];
    for (code, what) in met {
        assert_eq!(fault_of(code), Fault::Server, "{what}");
    }
}
