use super::*;
use crate::operator::decision_log::blob;
use crate::scheduler::model::Snapshot;
use crate::scheduler::solution::Solution;

const BEGIN: i64 = 1_705_314_600;

fn at(hours: i64) -> Timestamp {
    let seconds = BEGIN + hours * 3600;
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().into()
}

/// Decisions of these numbers, one every two hours, in a folder that was exported at the seventh hour.
fn exported(ids: &[u64]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let decisions: Vec<(Listed, Vec<u8>)> = ids
        .iter()
        .zip((0..).step_by(2))
        .map(|(&id, hours)| {
            let record = DecisionRecord::new(&Snapshot::default(), Solution::default(), at(hours));
            let record = record.unwrap();
            let bytes = record.encode().unwrap();
            let entry = Entry {
                id,
                time: record.time.to_string(),
                snapshot_digest: record.digest.clone(),
                solution_digest: String::new(),
                solver_version: record.solver_version.clone(),
                holder: "me".into(),
                epoch: 1,
                blob: blob::cut(&bytes).unwrap().reference,
            };
            (listed(vec![entry]).unwrap().remove(0), bytes)
        })
        .collect();
    export::write(folder.path(), &decisions, at(7)).unwrap();
    folder
}

fn refused(result: Result<&Listed, HistoryError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_decision_in_force_is_found_and_how_long_it_stood() {
    let folder = exported(&[4, 5, 6]);
    let history = History::open(Some(folder.path()), None).unwrap();
    for (hours, id) in [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (7, 6)] {
        assert_eq!(history.at(at(hours)).unwrap().id, Some(id), "{hours}");
    }
    let stood: Vec<u64> = history.listed().iter().map(|l| l.stood / 3600).collect();
    assert_eq!(stood, [2, 2, 3]);
    let record = history.record(history.numbered(5).unwrap()).unwrap();
    assert_eq!(record.time, at(2));
}

#[test]
fn what_it_does_not_tell_of_is_refused_with_what_it_does() {
    let folder = exported(&[4, 5, 6]);
    let history = History::open(Some(folder.path()), None).unwrap();
    assert_eq!(
        refused(history.at(at(-1))),
        "the log does not reach back to 2024-01-15T09:30:00Z: its oldest is decision 4 of 2024-01-15T10:30:00Z\n  \
         older ones were dropped; --decision-log-size, -days and -mib of `lattice operator` say how many are kept"
    );
    assert!(refused(history.at(at(8))).contains("until 2024-01-15T17:30:00Z"));
    assert_eq!(
        refused(history.numbered(3)),
        "there is no decision 3 in the log, which holds 4 to 6"
    );
    let first = exported(&[1]);
    let history = History::open(Some(first.path()), None).unwrap();
    assert!(!refused(history.at(at(-1))).contains("dropped"));
    let empty = exported(&[]);
    let history = History::open(Some(empty.path()), None).unwrap();
    assert!(matches!(history.at(at(0)), Err(HistoryError::Empty)));
}

#[test]
fn a_folder_is_not_overwritten_and_damage_is_noticed() {
    let folder = exported(&[1, 2]);
    let again = export::write(folder.path(), &[], at(0)).unwrap_err();
    assert!(again.report().contains("holds a log already"));
    let one = folder.path().join(export::file_name(1));
    fs::copy(folder.path().join(export::file_name(2)), &one).unwrap();
    let history = History::open(Some(folder.path()), None).unwrap();
    let damaged = history.record(history.numbered(1).unwrap()).unwrap_err();
    assert!(damaged.report().contains("its digest is another"));
    let index = folder.path().join(export::INDEX);
    fs::write(&index, "{}").unwrap();
    let broken = History::open(Some(folder.path()), None).err().unwrap();
    assert!(broken.report().contains("is not the list of a log"));
    fs::remove_file(&index).unwrap();
    let none = History::open(Some(folder.path()), None).err().unwrap();
    assert!(none.report().contains("lattice log export DIR"));
}

#[test]
fn a_file_is_a_log_of_one_decision() {
    let folder = exported(&[3]);
    let path = folder.path().join(export::file_name(3));
    let history = History::open(Some(&path), None).unwrap();
    let only = &history.listed()[0];
    assert_eq!((only.id, only.stood), (None, 0));
    assert_eq!(history.record(only).unwrap().time, at(0));
    assert_eq!(history.at(at(0)).unwrap().id, None);
    assert!(
        refused(history.at(at(-1))).ends_with("its oldest is the decision of 2024-01-15T10:30:00Z")
    );
}
