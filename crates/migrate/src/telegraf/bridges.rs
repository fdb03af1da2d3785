//! Groups inputs and outputs into bridges.

use super::super::{Bridge, Machine};
use super::conf::{Conf, Options, Plugin};
use super::report::Report;
use super::rules::{Registry, Rules};
use super::{INPUT, agent, kafka, output};
use configuration::draft::{Draft, Table};

/// An input with its rules.
struct Reading<'a> {
    options: &'a Options,
    topics: Vec<String>,
    rules: Rules,
    /// Values to fill in for its topics.
    fill_in: Vec<String>,
}

/// An input together with one of its outputs.
struct Flow<'a> {
    /// Index of the input.
    input: usize,
    options: &'a Options,
    topics: Vec<String>,
    rules: Rules,
    destination: Vec<(&'static str, String)>,
}

/// Flows that one bridge can handle.
struct Group<'a> {
    kafka: String,
    server: String,
    output: Option<&'a Plugin>,
    flows: Vec<Flow<'a>>,
}

/// The bridges that replace the inputs and outputs.
pub fn plan(conf: &Conf, machine: &Machine, report: &mut Report) -> Vec<Bridge> {
    let inputs: Vec<Reading<'_>> =
        conf.of_kind(INPUT).filter_map(|plugin| reading(&plugin.options, conf, machine, report)).collect();
    let outputs: Vec<&Plugin> =
        conf.plugins.iter().filter(|plugin| output::is_replaced(&plugin.kind)).collect();
    let mut groups = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        for output in &outputs {
            if let Some(mut rules) = input.rules.after_output(&output.options, &input.topics) {
                let destination = output::destination(output, &mut rules, &input.topics);
                add(&mut groups, flow(number, input, rules, destination), Some(output), report);
            }
        }
        if outputs.is_empty() {
            add(&mut groups, flow(number, input, input.rules.clone(), Vec::new()), None, report);
        }
    }
    let fill_in: Vec<Vec<String>> = inputs.into_iter().map(|input| input.fill_in).collect();
    let count = groups.len();
    let mut bridges = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let earlier = groups.get(..number).unwrap_or_default();
        report.fill_in =
            group.flows.iter().filter_map(|flow| fill_in.get(flow.input)).flatten().cloned().collect();
        bridges.push(bridge(group, earlier, conf, (number + 1, count), report));
    }
    bridges
}

fn reading<'a>(
    options: &'a Options,
    conf: &Conf,
    machine: &Machine,
    report: &mut Report,
) -> Option<Reading<'a>> {
    report.fill_in.clear();
    let rules = Rules::from_input(options, conf, machine, report)?;
    let topics = kafka::topics(options, report);
    Some(Reading { options, topics, rules, fill_in: std::mem::take(&mut report.fill_in) })
}

fn flow<'a>(
    input: usize,
    reading: &Reading<'a>,
    rules: Rules,
    destination: Vec<(&'static str, String)>,
) -> Flow<'a> {
    Flow { input, options: reading.options, topics: reading.topics.clone(), rules, destination }
}

/// Adds a flow to the first group with the same Kafka and server, or to a new group.
fn add<'a>(groups: &mut Vec<Group<'a>>, mut flow: Flow<'a>, output: Option<&'a Plugin>, report: &mut Report) {
    let kafka = kafka::identity(flow.options);
    let server = output.map(output::identity).unwrap_or_default();
    let group = groups
        .iter_mut()
        .filter(|group| group.kafka == kafka && group.server == server)
        .find(|group| group.flows.iter().all(|other| other.input != flow.input));
    let Some(group) = group else {
        groups.push(Group { kafka, server, output, flows: vec![flow] });
        return;
    };
    // In Telegraf, inputs of one group share the partitions of a topic, so it is random which input gets a record.
    let taken = |topic: &String| group.flows.iter().any(|other| other.topics.contains(topic));
    let (double, own): (Vec<String>, Vec<String>) = flow.topics.into_iter().partition(taken);
    if !double.is_empty() {
        let why = format!(
            "{} is read by an earlier input of the same group, whose mapping is used",
            double.join(", ")
        );
        report.notes.add(flow.options.note("topics", why));
    }
    flow.topics = own;
    if !flow.topics.is_empty() {
        group.flows.push(flow);
    }
}

fn bridge(
    group: &Group<'_>,
    earlier: &[Group<'_>],
    conf: &Conf,
    of: (usize, usize),
    report: &mut Report,
) -> Bridge {
    let inputs: Vec<&Options> = group.flows.iter().map(|flow| flow.options).collect();
    let topics: Vec<String> = group.flows.iter().flat_map(|flow| flow.topics.clone()).collect();
    let is_second = |before: &&Group<'_>| {
        before.kafka == group.kafka
            && before.flows.iter().any(|a| group.flows.iter().any(|b| a.input == b.input))
    };
    let seconds = earlier.iter().filter(is_second).count();
    let suffix = if seconds == 0 { String::new() } else { format!("-{}", seconds + 1) };
    let mut tables = kafka::tables(&inputs, &topics, &suffix, report);
    let shared = shared_destination(&group.flows);
    let has_many = group.flows.len() > 1;
    for flow in &group.flows {
        let own: &[_] = if shared.is_some() { &[] } else { &flow.destination };
        tables.push(flow.rules.table(has_many.then_some(flow.topics.as_slice()), own, report));
    }
    tables.extend(registry(&group.flows, report).as_ref().map(Registry::table));
    match group.output {
        Some(output) => tables.extend(output::tables(output, shared.unwrap_or_default(), report)),
        None => tables.push(no_output(report)),
    }
    tables.extend(agent::tables(&conf.agent, group.output.map(|output| &output.options), report));
    let fill_in = std::mem::take(&mut report.fill_in);
    Bridge { draft: Draft { comments: head(&inputs, of, &fill_in), tables }, fill_in }
}

/// The schema registry of the flows. A bridge has one.
fn registry(flows: &[Flow<'_>], report: &mut Report) -> Option<Registry> {
    let mut registries = flows.iter().filter_map(|flow| Some((flow, flow.rules.registry.as_ref()?)));
    let (_, first) = registries.next()?;
    for (flow, _) in registries.filter(|(_, registry)| *registry != first) {
        let why = "a bridge has one schema registry: give this input a bridge of its own";
        report.notes.add(flow.options.note("avro_schema_registry", why));
    }
    Some(first.clone())
}

/// The destination of the flows, if all have the same.
fn shared_destination<'f>(flows: &'f [Flow<'_>]) -> Option<&'f [(&'static str, String)]> {
    let first = flows.first()?;
    flows.iter().all(|flow| flow.destination == first.destination).then_some(first.destination.as_slice())
}

fn no_output(report: &mut Report) -> Table {
    let mut influx = Table::new("[influx]");
    influx.comment("FILL IN: there is no [[outputs.influxdb_v2]] and no [[outputs.influxdb]].");
    for (key, variable) in [
        ("url", "FILL_IN_INFLUX_URL"),
        ("org", "FILL_IN_INFLUX_ORG"),
        ("bucket", "FILL_IN_INFLUX_BUCKET"),
        ("token", "INFLUX_TOKEN"),
    ] {
        influx.set(key, format!("${{{variable}}}"));
        report.fill_in.push(format!("influx.{key}: there is no output: write it, or set {variable}"));
    }
    influx
}

fn head(inputs: &[&Options], (number, count): (usize, usize), fill_in: &[String]) -> Vec<String> {
    let mut files: Vec<&str> = inputs.iter().map(|input| input.file.as_str()).collect();
    files.dedup();
    let mut head = vec![format!("Written by `kafka-influx-bridge migrate` from {}.", files.join(", "))];
    if count > 1 {
        head.push(format!("This is number {number} of {count}: each is a process of its own."));
    }
    head.push("`kafka-influx-bridge check` finds what is missing; every key is explained in the reference bridge.toml.".to_owned());
    if !fill_in.is_empty() {
        head.push(String::new());
        head.push("To fill in:".to_owned());
        head.extend(fill_in.iter().map(|remark| format!("  {remark}")));
    }
    head
}
