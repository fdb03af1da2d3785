//! `migrate` with the configurations in `tests/migrate/TOOL/CASE/`. With the variable UPDATE the tests write the expected
//! files.

use migrate::DryRun;
use migrate::{Input, Machine, Migration, migrate};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cases(tool: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/migrate").join(tool)).unwrap();
    let mut folders: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= 10, "{folders:?}");
    folders
}

fn machine() -> Machine {
    Machine { hostname: Some("this-machine".to_owned()) }
}

/// The files of a case to migrate.
fn inputs(folder: &Path) -> Vec<Input> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "conf")).collect();
    files.sort();
    let input = |path: &PathBuf| Input {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    files.iter().map(input).collect()
}

fn migrated(folder: &Path) -> Migration {
    migrate(&inputs(folder), &machine()).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn assert_golden(path: &Path, got: &str) {
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(path, got).unwrap();
    }
    let want = fs::read_to_string(path).unwrap_or_default();
    for (number, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(got, want, "{}", path.display());
}

fn name(number: usize) -> String {
    if number == 0 { "bridge.toml".to_owned() } else { format!("bridge-{}.toml", number + 1) }
}

/// The text for standard error.
fn printed(migration: &Migration) -> String {
    let notes = migration.notes.iter().map(|note| format!("{note}\n"));
    let fill_in = migration.bridges.iter().enumerate().flat_map(|(number, bridge)| {
        bridge.fill_in.iter().map(move |told| format!("to fill in: {}: {told}\n", name(number)))
    });
    notes.chain(fill_in).collect()
}

#[test]
fn golden_files_are_up_to_date() {
    for folder in cases("telegraf") {
        let migration = migrated(&folder);
        for (number, bridge) in migration.bridges.iter().enumerate() {
            assert_golden(&folder.join(name(number)), &bridge.draft.to_string());
        }
        assert_golden(&folder.join("notes.txt"), &printed(&migration));
        assert!(!folder.join(name(migration.bridges.len())).exists(), "{}", folder.display());
    }
}

/// A valid value for a variable.
fn variable(name: &str) -> String {
    match name {
        _ if name.contains("URL") => "http://localhost:8086",
        _ if name.contains("TIME_FORMAT") => "unix",
        _ if name.contains("TIMEZONE") => "UTC",
        _ if name.contains("MECHANISM") => "PLAIN",
        _ if name.contains("QUERY") => "$.items",
        "BATCH" => "100",
        "FLUSH" => "5s",
        "MAX" => "2MB",
        _ => "x",
    }
    .to_owned()
}

#[test]
fn results_are_valid_configurations() {
    let files = std::env::temp_dir().join(format!("migrated-{}", std::process::id()));
    fs::create_dir_all(&files).unwrap();
    for file in ["ca.pem", "client.pem", "client.key"] {
        fs::write(files.join(file), "").unwrap();
    }
    for folder in cases("telegraf") {
        for bridge in migrated(&folder).bridges {
            let text = bridge.draft.to_string();
            let read = configuration::parse(&files.join("bridge.toml"), &text, &|name| Some(variable(name)));
            read.unwrap_or_else(|errors| panic!("{}\n{text}\n{errors}", folder.display()));
            // Variables to fill in are errors until they are set.
            let unfilled = configuration::parse(&files.join("bridge.toml"), &text, &|_| None);
            assert_eq!(unfilled.is_err(), text.contains("${"), "{}", folder.display());
        }
    }
    fs::remove_dir_all(&files).unwrap();
}

#[test]
fn no_secret_is_copied() {
    for folder in cases("telegraf") {
        let migration = migrated(&folder);
        let texts: String = migration.bridges.iter().map(|bridge| bridge.draft.to_string()).collect();
        for secret in ["hush", "not-a-real-token"] {
            assert!(!texts.contains(secret) && !printed(&migration).contains(secret), "{}", folder.display());
        }
    }
}

fn lines(folder: &Path, records: &str, topic: &str) -> Vec<String> {
    let migration = migrated(folder);
    let mut mapping = DryRun::new(&migration.bridges[0], topic).unwrap();
    records.lines().flat_map(|record| mapping.map(record.as_bytes()).unwrap_or_default()).collect()
}

#[test]
fn results_give_the_expected_lines() {
    let mut compared = 0;
    for folder in cases("telegraf") {
        let Ok(records) = fs::read_to_string(folder.join("records.jsonl")) else { continue };
        let topic =
            configuration::parse(Path::new("b"), &migrated(&folder).bridges[0].draft.to_string(), &|name| {
                Some(variable(name))
            });
        let topic = topic.unwrap().config.kafka.topics.names[0].clone();
        assert_golden(&folder.join("expected.lp"), &(lines(&folder, &records, &topic).join("\n") + "\n"));
        compared += 1;
    }
    assert!(compared >= 3);
}

/// Real files of Telegraf users, and the examples that correspond to them.
#[test]
fn results_match_the_examples() {
    for (case, topic) in [("ec2-telegraf", "testtopic"), ("telegraf-json-doc", "telegraf")] {
        let example = root().join("examples").join(case);
        let read = |file: &str| fs::read_to_string(example.join(file)).unwrap();
        let got = lines(&root().join("tests/migrate/telegraf").join(case), &read("records.jsonl"), topic);
        let has_time = read("bridge.toml").contains("\ntime_key");
        let expected = read("expected.lp");
        let want =
            expected.lines().map(|line| if has_time { line } else { line.rsplit_once(' ').unwrap().0 });
        // Without a name Telegraf uses kafka_consumer, the example's own bridge.toml the topic.
        let named = |line: &str| {
            line.replacen(&format!("{topic},"), "kafka_consumer,", usize::from(line.starts_with(topic)))
        };
        assert_eq!(got, want.map(named).collect::<Vec<_>>(), "{case}");
    }
}

/// Any content of a file is read, or refused with a reason.
#[test]
fn damaged_files_never_panic() {
    let seed = crate::seed::given_or_random(
        "BRIDGE_MIGRATE_SEED",
        "cargo test --test hermetic migrate no_file_makes_it_panic",
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let files: Vec<Vec<Input>> = cases("telegraf").iter().map(|folder| inputs(folder)).collect();
    let words: Vec<String> = files
        .iter()
        .flatten()
        .flat_map(|file| file.text.split_inclusive(char::is_whitespace))
        .map(str::to_owned)
        .collect();
    let marks = [
        "\"", "'", "[", "]", "[[", "{", "}", "$", "${", "\n", "=", ".", "#", "0", "-1", "9e999", "\"\"\"",
        "\\", "온도", "true", "@{",
    ];
    let mut migrated = 0;
    for _ in 0..400 {
        let mut files = files[random.usize(..files.len())].clone();
        for _ in 0..random.usize(1..4) {
            let text = &mut files[0].text;
            let at = text.floor_char_boundary(random.usize(..=text.len()));
            match random.u8(..4) {
                0 => text.insert_str(at, marks[random.usize(..marks.len())]),
                1 => text.insert_str(at, &words[random.usize(..words.len())]),
                2 => {
                    let end = text.floor_char_boundary((at + random.usize(..30)).min(text.len()));
                    text.replace_range(at..end, "");
                }
                _ => {
                    // A value of another type.
                    let value = ["5", "'x'", "[1, 'a', {}]", "{ a = 1 }", "1979-05-27", "false", "''"]
                        [random.usize(..7)];
                    let start = text[..at].rfind(" = ").map_or(at, |start| start + 3);
                    let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
                    text.replace_range(start..end, value);
                }
            }
        }
        if let Ok(migration) = migrate(&files, &machine()) {
            migrated += 1;
            for bridge in migration.bridges {
                let text = bridge.draft.to_string();
                let read = text.parse::<toml::Table>();
                assert!(read.is_ok(), "{}\n{text}", files[0].text);
            }
        }
    }
    assert!(migrated > 80, "{migrated}");
}

mod command {
    use super::*;
    use std::process::{Command, Output};

    /// A temporary folder.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("bridge-migrate-{}-{name}", std::process::id()));
            fs::create_dir_all(folder.join("telegraf.d")).unwrap();
            let case = root().join("tests/migrate/telegraf/many/telegraf.conf");
            fs::copy(case, folder.join("telegraf.conf")).unwrap();
            Self(folder)
        }

        fn run(&self, arguments: &[&str]) -> Output {
            let binary = env!("CARGO_BIN_EXE_kafka-influx-bridge");
            Command::new(binary).arg("migrate").args(arguments).current_dir(&self.0).output().unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _left_behind = fs::remove_dir_all(&self.0);
        }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn writes_the_first_bridge_to_standard_output() {
        let folder = Folder::new("output");
        let output = folder.run(&["telegraf.conf"]);
        assert_eq!(output.status.code(), Some(0));
        let named = folder.run(&["telegraf.conf", "-o", "-"]);
        assert_eq!((named.stdout, named.stderr), (output.stdout.clone(), output.stderr.clone()));
        assert!(!folder.0.join("-").exists(), "\"-\" is no file");
        let golden = fs::read_to_string(root().join("tests/migrate/telegraf/many/bridge.toml")).unwrap();
        assert_eq!(text(&output.stdout), golden);
        let said = text(&output.stderr);
        for line in [
            "telegraf.conf:29: data_format: the bridge does not read the format graphite",
            "this is the first of 4 bridges",
            "to fill in (bridge 2): influx.url: ",
            "stop Telegraf, then start the bridge",
        ] {
            assert!(said.contains(line), "{line}\n{said}");
        }
    }

    #[test]
    fn writes_all_bridges_into_new_files_only() {
        let folder = Folder::new("files");
        let output = folder.run(&["telegraf.conf", "-o", "new.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
        for name in ["new.toml", "new-2.toml", "new-3.toml", "new-4.toml"] {
            assert!(text(&output.stderr).contains(&format!("written: {name}")), "{name}");
        }
        assert!(text(&output.stderr).contains("for this file add `--config new.toml`"));
        fs::remove_file(folder.0.join("new.toml")).unwrap();
        let again = folder.run(&["telegraf.conf", "-o", "new.toml"]);
        assert_eq!(again.status.code(), Some(2));
        assert!(text(&again.stderr).contains("new-2.toml exists already"), "{}", text(&again.stderr));
        assert!(!folder.0.join("new.toml").exists());
        let found = folder.run(&["telegraf.conf", "-o", ".", "--force"]);
        assert_eq!((found.status.code(), text(&found.stderr).contains("--config")), (Some(0), false));
        assert!(folder.0.join("bridge-4.toml").exists());
    }

    #[test]
    fn reads_a_folder_as_one_configuration() {
        let folder = Folder::new("folder");
        let empty = folder.run(&["telegraf.d"]);
        assert!(text(&empty.stderr).contains("telegraf.d has no file that ends in .conf"));
        let conf = fs::read_to_string(folder.0.join("telegraf.conf")).unwrap();
        let (inputs, outputs) = conf.split_at(conf.find("# Points go").unwrap());
        fs::write(folder.0.join("telegraf.conf"), inputs).unwrap();
        fs::write(folder.0.join("telegraf.d/out.conf"), outputs).unwrap();
        fs::write(folder.0.join("telegraf.d/README"), "no toml").unwrap();
        let output = folder.run(&["telegraf.conf", "telegraf.d"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("bucket = \"ops\""));
        assert!(text(&output.stderr).contains("telegraf.d/out.conf:"), "{}", text(&output.stderr));
    }

    #[test]
    fn refusals_have_a_reason() {
        let folder = Folder::new("nothing");
        let f = |content: &str, want: &[&str]| {
            fs::write(folder.0.join("x.conf"), content).unwrap();
            let output = folder.run(&["x.conf"]);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{content}");
            let said = text(&output.stderr);
            for want in want {
                assert!(said.contains(want), "{want}\n{said}");
            }
        };
        f("[server]\nport = 1\n", &["x.conf is not a configuration that can be migrated"]);
        f(
            "[[inputs.cpu]]\n",
            &["x.conf:1: inputs.cpu: the bridge reads Kafka only", "no [[inputs.kafka_consumer]]"],
        );
        f(
            "[[inputs.kafka_consumer]]\ntopics = ['a']\ndata_format = 'graphite'\n",
            &["x.conf:3: data_format: the bridge does not read the format graphite: keep Telegraf for it"],
        );
        f("[agent]\ninterval = 10s\n", &["x.conf:2: this can't be read: "]);
    }

    #[test]
    fn diff_shows_the_points_of_records() {
        let folder = Folder::new("diff");
        let case = root().join("tests/migrate/telegraf/telegraf-json-doc/telegraf.conf");
        fs::copy(case, folder.0.join("telegraf.conf")).unwrap();
        let records = root().join("examples/telegraf-json-doc/records.jsonl");
        let output = diff_without_telegraf(&folder, &records);
        let shown = text(&output.stdout);
        assert!(shown.starts_with("my_json,my_tag_1=foo a=5,b_c=6,b_my_field=\"description\"\n"), "{shown}");
        assert!(text(&output.stderr).contains(
            "not compared: Telegraf is not installed: install it, or name the program in TELEGRAF"
        ));
    }

    /// Runs `--diff` of the folder's telegraf.conf with these records, where no Telegraf is installed.
    fn diff_without_telegraf(folder: &Folder, records: &Path) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_kafka-influx-bridge"))
            .args(["migrate", "telegraf.conf", "--diff", records.to_str().unwrap()])
            .env_remove("TELEGRAF")
            .env("PATH", "")
            .current_dir(&folder.0)
            .output()
            .unwrap();
        // Nothing was compared, so a script must not take the result for equal points.
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        output
    }

    /// The standard output of `--diff` without Telegraf.
    fn points(folder: &Folder, options: &str, records: &[u8]) -> String {
        let conf = format!(
            "[agent]\nomit_hostname = true\n[[inputs.kafka_consumer]]\nbrokers = ['b:1']\ntopics = ['t']\n{options}\n{OUTPUT}"
        );
        fs::write(folder.0.join("telegraf.conf"), conf).unwrap();
        fs::write(folder.0.join("records"), records).unwrap();
        text(&diff_without_telegraf(folder, Path::new("records")).stdout)
    }

    #[test]
    fn diff_reads_records_in_the_format_of_the_mapping() {
        let folder = Folder::new("diff-formats");
        let csv = "data_format = 'csv'\ncsv_header_row_count = 1\ncsv_tag_columns = ['host']";
        assert_eq!(
            points(&folder, csv, b"host,v\na,1\nb,2.5\n\nhost,w\nc,3\n"),
            "kafka_consumer,host=a v=1i\nkafka_consumer,host=b v=2.5\nkafka_consumer,host=c w=3i\n"
        );
        let metric = |host: u8| {
            [
                b"\x84\xa4name\xa3cpu\xa4time\xd6\xff\x65\x53\xf1\x00\xa4tags\x81\xa4host\xa1".as_slice(),
                &[host],
                b"\xa6fields\x81\xa1n\x0a",
            ]
            .concat()
        };
        assert_eq!(
            points(&folder, "data_format = 'msgpack'", &[metric(b'a'), metric(b'b')].concat()),
            "cpu,host=a n=10i 1700000000000000000\ncpu,host=b n=10i 1700000000000000000\n"
        );
    }

    /// Real Telegraf between the embedded Kafka and the embedded receiver.
    #[test]
    #[ignore = "needs Telegraf (tests/stack/telegraf/build): TELEGRAF=BINARY cargo test --test hermetic migrate -- --ignored"]
    fn telegraf_itself_makes_the_same_points() {
        assert!(
            std::env::var_os("TELEGRAF").is_some(),
            "TELEGRAF is not set: it must name Telegraf's binary"
        );
        let folder = Folder::new("telegraf");
        for case in ["ec2-telegraf", "telegraf-json-doc"] {
            fs::copy(
                root().join("tests/migrate/telegraf").join(case).join("telegraf.conf"),
                folder.0.join("telegraf.conf"),
            )
            .unwrap();
            let records = root().join("examples").join(case).join("records.jsonl");
            let output = folder.run(&["telegraf.conf", "--diff", records.to_str().unwrap()]);
            let shown = text(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
            assert!(shown.ends_with("7 of 7 records give the same points\n"), "{shown}");
        }
        for case in ["json_v2", "json_v2-object", "processors", "xpath"] {
            let case = root().join("tests/migrate/telegraf").join(case);
            let conf = fs::read_to_string(case.join("telegraf.conf")).unwrap();
            // Without the parts that are noted.
            let noted = [
                "    [[inputs.kafka_consumer.json_v2.object]]\n      path = \"magazines\"",
                "    [[inputs.kafka_consumer.json_v2.field]]\n      path = \"prices|@reverse\"",
            ];
            let end = noted.iter().find_map(|noted| conf.find(noted)).unwrap_or(conf.len());
            let conf = conf[..end].to_owned();
            let conf = if conf.contains("[[outputs") { conf } else { conf + OUTPUT };
            fs::write(folder.0.join("telegraf.conf"), conf).unwrap();
            let output =
                folder.run(&["telegraf.conf", "--diff", case.join("records.jsonl").to_str().unwrap()]);
            let (shown, said) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(0), "{}: {shown}{said}", case.display());
            let last = shown.lines().last().unwrap_or_default();
            assert!(
                last.contains(" records give the same points") || last.contains("of the others"),
                "{shown}"
            );
        }
        // What a plugin does to points that it takes the mark from is unknown.
        let conf = fs::read_to_string(root().join("tests/migrate/telegraf/xpath/telegraf.conf")).unwrap();
        let converter =
            "[[processors.converter]]\n[processors.converter.tags]\nstring = ['bridge_diff_record']\n";
        fs::write(folder.0.join("telegraf.conf"), format!("{conf}{converter}")).unwrap();
        let records = root().join("tests/migrate/telegraf/xpath/records.jsonl");
        let output = folder.run(&["telegraf.conf", "--diff", records.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
        assert!(
            text(&output.stderr).contains("a plugin removes the tag bridge_diff_record from 2 points"),
            "{}",
            text(&output.stderr)
        );
    }

    const OUTPUT: &str = "[[outputs.influxdb_v2]]\nurls = ['http://localhost:8086']\ntoken = 'x'\norganization = 'o'\nbucket = 'b'\n";
}
