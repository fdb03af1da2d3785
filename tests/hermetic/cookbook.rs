//! `init` on the records of docs/cookbook.md: how often its proposal makes the points of the page.

use crate::folder::Folder;
use crate::shapes::{Example, TOPIC, examples, lines};
use line_protocol::reader::{Point, read_line};

/// Examples whose points `init` proposes. A change may raise the number, and lowers it only with a reason.
const REACHED: usize = 29;

/// The points of lines, in an order that does not depend on the order of fields.
fn points(lines: &[String]) -> Vec<String> {
    let point = |line: &String| -> Point {
        read_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let mut points: Vec<String> = lines.iter().map(|line| format!("{:?}", sorted(point(line)))).collect();
    points.sort();
    points
}

fn sorted(mut point: Point) -> Point {
    point.fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    point
}

/// The configuration that `init` writes for the records of an example.
fn proposed(example: &Example) -> String {
    let folder = Folder::new();
    folder.write("records.json", example.records.join("\n"));
    folder.run_to(0, &["init", "records.json", "--topic", TOPIC, "-o", "-"]).out
}

#[test]
fn init_proposes_the_points_of_the_cookbook() {
    let examples = examples("docs/cookbook.md");
    let mut missed = Vec::new();
    for example in &examples {
        let config = proposed(example);
        let [got] = &lines(&config, example, 1)[..] else { panic!("one time was wanted") };
        if points(got) != points(&example.lines) {
            eprintln!("{}: {config}\nproposed: {got:#?}\nwanted: {:#?}", example.title, example.lines);
            missed.push(example.title.as_str());
        }
    }
    let equal = examples.len() - missed.len();
    eprintln!(
        "init proposes the points of {equal} of {} examples; not: {}",
        examples.len(),
        missed.join(", ")
    );
    assert!(equal >= REACHED, "only {equal} of {}: {missed:?}", examples.len());
}
