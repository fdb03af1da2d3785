use super::super::letter::test_support::any_letter;
use super::super::letter::{FailedStage, Letter, RejectedElements};
use super::super::letter_file::check_writable;
use super::*;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::sync::mpsc;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path =
            std::env::temp_dir().join(format!("letters-{}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("dead.jsonl")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The offsets of the letters in a file, in order.
    fn offsets(&self, name: &str) -> Vec<i64> {
        let text = fs::read(self.0.join(name)).unwrap();
        assert!(text.is_empty() || text.ends_with(b"\n"), "{name} is torn");
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| json::read(line).map_or(-1, |found| found.letter.offset)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn open(path: &Path) -> FileWriter {
    FileWriter::open(path, 1_000_000, WRITE_MAX).unwrap()
}

fn letter(offset: i64, value: &[u8]) -> Letter {
    Letter {
        topic: "t".into(),
        partition: 0,
        offset,
        timestamp_ms: Some(5),
        key: None,
        value: Some(value.to_vec()),
        headers: Vec::new(),
        stage: FailedStage::Map,
        reason: "empty",
        why: "its value is empty".to_owned(),
        elements: RejectedElements::default(),
        lines: None,
    }
}

fn letters(offsets: std::ops::Range<i64>) -> Vec<Letter> {
    offsets.map(|offset| letter(offset, b"value")).collect()
}

fn send(writer: &FileWriter, mut letters: Vec<Letter>) {
    block_on(writer.send(&mut letters)).unwrap();
    assert!(letters.is_empty());
}

/// Letters of which each is larger than a chunk.
fn large_letters(offsets: std::ops::Range<i64>) -> Vec<Letter> {
    offsets.map(|offset| letter(offset, &vec![b'x'; CHUNK_BYTES])).collect()
}

/// Sends letters and runs `between` after the first chunk: one thread does all blocking work, in the order in which it is queued.
fn send_with_break(
    writer: &FileWriter,
    letters: &mut Vec<Letter>,
    between: impl FnOnce() + Send + 'static,
) -> Result<(), DeadLetterError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let gate = spawn_blocking(move || released.recv().is_err());
        let mut sending = pin!(writer.send(letters));
        tokio::select! {
            biased;
            _ = &mut sending => panic!("the first chunk was written before the gate opened"),
            () = std::future::ready(()) => {}
        }
        let between = spawn_blocking(between);
        drop(release);
        let result = sending.await;
        assert!(gate.await.unwrap());
        between.await.unwrap();
        result
    })
}

#[test]
fn appends_to_an_existing_file() {
    let folder = Folder::new();
    send(&open(&folder.path()), letters(0..3));
    let writer = open(&folder.path());
    send(&writer, Vec::new());
    send(&writer, letters(3..5));
    assert_eq!(folder.offsets("dead.jsonl"), [0, 1, 2, 3, 4]);
}

#[test]
fn sets_full_files_aside_and_deletes_none() {
    let folder = Folder::new();
    // An operator has removed the earlier files.
    fs::write(folder.0.join("dead.jsonl.7"), "").unwrap();
    fs::write(folder.0.join("dead.jsonl.old"), "").unwrap();
    let one = {
        let mut line = Vec::new();
        json::write(&letter(10, b"value"), &super::super::now(), &mut line);
        line.len() as u64
    };
    let writer = FileWriter::open(&folder.path(), 2 * one + 10, WRITE_MAX).unwrap();
    for offset in 10..15 {
        send(&writer, letters(offset..offset + 1));
    }
    assert_eq!(
        folder.names(),
        ["dead.jsonl", "dead.jsonl.7", "dead.jsonl.8", "dead.jsonl.9", "dead.jsonl.old"]
    );
    assert_eq!(folder.offsets("dead.jsonl.8"), [10, 11]);
    assert_eq!(folder.offsets("dead.jsonl.9"), [12, 13]);
    assert_eq!(folder.offsets("dead.jsonl"), [14]);
    // A letter larger than the bound gets a file of its own.
    send(&writer, vec![letter(15, &[b'x'; 5_000])]);
    send(&writer, letters(16..17));
    assert_eq!(folder.offsets("dead.jsonl.11"), [15]);
    assert_eq!(folder.offsets("dead.jsonl"), [16]);
}

#[test]
fn ends_a_line_that_a_crash_left_half_written() {
    let folder = Folder::new();
    send(&open(&folder.path()), letters(0..2));
    let mut file = OpenOptions::new().append(true).open(folder.path()).unwrap();
    file.write_all(br#"{"reason":"time","stage"#).unwrap();
    let writer = open(&folder.path());
    send(&writer, letters(2..4));
    assert_eq!(folder.offsets("dead.jsonl"), [0, 1, -1, 2, 3]);
}

#[test]
fn begins_a_new_file_after_the_old_one_was_moved_away() {
    let folder = Folder::new();
    let writer = open(&folder.path());
    send(&writer, letters(0..1));
    fs::rename(folder.path(), folder.0.join("taken")).unwrap();
    send(&writer, letters(1..2));
    fs::remove_file(folder.path()).unwrap();
    send(&writer, letters(2..3));
    assert_eq!((folder.offsets("taken"), folder.offsets("dead.jsonl")), (vec![0], vec![2]));
}

#[test]
fn letters_of_a_file_that_is_deleted_while_it_is_written_are_written_again() {
    let folder = Folder::new();
    let writer = open(&folder.path());
    let mut waiting = large_letters(0..3);
    let path = folder.path();
    let error = send_with_break(&writer, &mut waiting, move || fs::remove_file(path).unwrap()).unwrap_err();
    assert!(error.to_string().contains("it was deleted while it was written"), "{error}");
    assert_eq!(waiting.len(), 3);
    send(&writer, waiting);
    assert_eq!(folder.offsets("dead.jsonl"), [0, 1, 2]);
}

/// A sync of a pipe fails.
#[test]
fn letters_of_a_full_file_that_can_not_be_synced_are_written_again() {
    let folder = Folder::new();
    let status = std::process::Command::new("mkfifo").arg(folder.path()).status().unwrap();
    assert!(status.success());
    let writer = FileWriter::open(&folder.path(), CHUNK_BYTES as u64, WRITE_MAX).unwrap();
    let mut pipe = fs::File::open(folder.path()).unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()).unwrap());
    let mut waiting = large_letters(0..2);
    let error = block_on(writer.send(&mut waiting)).unwrap_err();
    assert_eq!(error.cause_name(), "dead_letter_file_unwritable");
    assert_eq!((waiting.len(), folder.names()), (2, vec!["dead.jsonl".to_owned()]));
    send(&writer, waiting);
    // The pipe, and a file for each letter, because each is larger than a file may be.
    assert_eq!(folder.names(), ["dead.jsonl", "dead.jsonl.1", "dead.jsonl.2"]);
    assert_eq!((folder.offsets("dead.jsonl.2"), folder.offsets("dead.jsonl")), (vec![0], vec![1]));
    drop(writer);
    assert!(reader.join().unwrap() > CHUNK_BYTES as u64);
}

#[test]
fn letters_that_were_synced_before_a_failure_are_not_written_again() {
    let folder = Folder::new();
    let writer = open(&folder.path());
    let mut waiting = large_letters(0..3);
    let (path, taken) = (folder.path(), folder.0.join("taken"));
    let error = send_with_break(&writer, &mut waiting, move || {
        fs::rename(&path, taken).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert_eq!(error.unwrap_err().cause_name(), "dead_letter_file_unwritable");
    fs::remove_dir(folder.path()).unwrap();
    send(&writer, waiting);
    assert_eq!((folder.offsets("taken"), folder.offsets("dead.jsonl")), (vec![0], vec![1, 2]));
}

#[test]
fn writes_many_letters_in_chunks() {
    let folder = Folder::new();
    let value = vec![0xff; CHUNK_BYTES / 3];
    let mut many: Vec<Letter> = (0..20).map(|offset| letter(offset, &value)).collect();
    let writer = FileWriter::open(&folder.path(), 1_000_000, WRITE_MAX).unwrap();
    block_on(writer.send(&mut many)).unwrap();
    let offsets: Vec<i64> =
        ["dead.jsonl.1", "dead.jsonl.2", "dead.jsonl"].iter().flat_map(|name| folder.offsets(name)).collect();
    assert_eq!(offsets, (0..20).collect::<Vec<_>>());
}

#[test]
fn two_bridges_can_not_share_a_file() {
    let folder = Folder::new();
    let first = open(&folder.path());
    let error = FileWriter::open(&folder.path(), 1_000_000, WRITE_MAX).unwrap_err();
    assert_eq!(error.cause_name(), "dead_letter_file_locked");
    assert!(error.to_string().contains("each bridge needs its own `file`"), "{error}");
    // The lock also covers the file that the first begins after setting one aside.
    fs::rename(folder.path(), folder.0.join("taken")).unwrap();
    send(&first, letters(0..1));
    assert!(FileWriter::open(&folder.path(), 1_000_000, WRITE_MAX).is_err());
    drop(first);
    open(&folder.path());
}

#[test]
fn file_errors_have_a_cause_and_a_remedy() {
    let folder = Folder::new();
    fs::write(folder.0.join("plain"), "").unwrap();
    let f = |path: &str, want: &str| {
        let path = folder.0.join(path);
        let error = FileWriter::open(&path, 1_000_000, WRITE_MAX).unwrap_err().to_string();
        assert!(error.contains(want), "{path:?}: {error}");
        assert_eq!(check_writable(&path).unwrap_err().to_string(), error);
    };
    f("", "to a file, not a folder");
    f("none/dead.jsonl", "create its folder");
    f("plain/dead.jsonl", "create its folder");
}

#[test]
fn checking_leaves_nothing_behind() {
    let folder = Folder::new();
    check_writable(&folder.path()).unwrap();
    assert!(folder.names().is_empty());
    let writer = open(&folder.path());
    check_writable(&folder.path()).unwrap();
    send(&writer, letters(0..1));
    assert_eq!(folder.names(), ["dead.jsonl"]);
}

#[test]
fn keeps_the_letters_while_the_disk_is_full() {
    let writer = open(Path::new("/dev/full"));
    let mut waiting = letters(0..3);
    for _ in 0..2 {
        let error = block_on(writer.send(&mut waiting)).unwrap_err();
        assert_eq!(error.cause_name(), "dead_letter_disk_full");
        assert!(error.to_string().contains("free space on its disk"), "{error}");
        assert_eq!(waiting, letters(0..3));
    }
}

/// An unread pipe accepts 64 kB and then blocks.
#[test]
fn a_hung_disk_is_reported_after_the_time_limit() {
    let folder = Folder::new();
    let status = std::process::Command::new("mkfifo").arg(folder.path()).status().unwrap();
    assert!(status.success());
    let writer = FileWriter::open(&folder.path(), 1_000_000, Duration::from_millis(50)).unwrap();
    let mut waiting = vec![letter(0, &[b'x'; 200_000])];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..2 {
        let error = runtime.block_on(writer.send(&mut waiting)).unwrap_err();
        assert_eq!(error.cause_name(), "dead_letter_file_slow");
        assert_eq!(waiting.len(), 1);
    }
    // Ends the hung write.
    let mut pipe = fs::File::open(folder.path()).unwrap();
    std::thread::spawn(move || std::io::copy(&mut pipe, &mut std::io::sink()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn any_letters_read_back(want in prop::collection::vec(any_letter(), 0..5)) {
        let folder = Folder::new();
        send(&open(&folder.path()), want.clone());
        let text = fs::read(folder.path()).unwrap();
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        let got: Vec<Letter> = lines.map(|line| json::read(line).unwrap().letter).collect();
        prop_assert_eq!(got, want);
    }
}
