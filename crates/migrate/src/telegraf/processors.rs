//! Applies `processors.rename`, the only processor that a mapping replaces.

use super::conf::{Conf, Options};
use super::rules::Rules;

pub const RENAME: &str = "processors.rename";

/// Applies the renames of the processors, which get the points of every input.
pub fn apply_renames(conf: &Conf, rules: &mut Rules) {
    for processor in conf.of_kind(RENAME) {
        let options = &processor.options;
        let filters = ["namepass", "namedrop", "tagpass", "tagdrop", "metricpass"];
        if let Some(filter) = filters.into_iter().find(|filter| options.has(filter)) {
            rules.note(options, filter, "processors.rename with a filter was left out: write its `rename` into the mappings that need it");
            continue;
        }
        for replace in options.tables("replace") {
            replace_one(replace, rules);
        }
    }
}

fn replace_one(replace: &Options, rules: &mut Rules) {
    let Some(dest) = replace.text("dest") else { return };
    for option in ["tag", "field"] {
        let Some(name) = replace.text(option) else { continue };
        if rules.rename_fixed(option, &name, &dest) {
            continue;
        }
        let key = rules.original(&name);
        rules.rename.retain(|(from, _)| *from != key);
        rules.rename.push((key, dest.clone()));
    }
    let Some(name) = replace.text("measurement") else { return };
    if rules.measurement == name {
        rules.measurement.clone_from(&dest);
    }
    if rules.fixed_name().is_none() {
        rules.note(replace, "measurement", "a name that the record has is not changed");
    }
}
