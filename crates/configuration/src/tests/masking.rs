//! No message shows a secret.

use super::*;

#[test]
fn secrets_are_never_shown() {
    let hidden = "hush-hush";
    for text in [
        // The line of any error.
        with("kafka.sasl", "mechanism = 'PLAIN'\nusername = 5\npassword = 'hush-hush' # x").replace("'PLAIN'", "'PLAN'"),
        "influx = { url = 5, token = 'hush-hush', tokn = 'hush-hush' }".to_owned(),
        "[influx]\ntokn = \"hush-hush\"".to_owned(),
        "[influx]\napi_token = \"hush-hush\"\npasword = 'hush-hush'".to_owned(),
        "token = \"hush-hush\"".to_owned(),
        "[kafka.librdkafka]\nsasl.password = ['hush-hush']\n\"ssl.key.passwrd\" = 'hush-hush'".to_owned(),
        with("kafka.sasl", "mechanism = 'OAUTHBEARER'\ntoken_endpoint = 'https://u:hush-hush@h'\nclient_id = 'c'\nclient_secret = 'hush-hush' # x\nusername = 5"),
        with("kafka.sasl", "mechanism = 'OAUTHBEARER'\ntoken = 'hush-hush \u{7f}'"),
        // A secret with an unintended "$".
        "[influx]\ntoken = \"hush-$hush-hush\"".to_owned(),
        "[influx]\ntoken = \"${hush-hush}\"".to_owned(),
        "[influx]\ntoken = \"${NONE}hush-hush\"".to_owned(),
        // A login in an address.
        "[influx]\nurl = \"http://u:hush-hush@h\"".to_owned(),
        "[influx]\nurl = \"u:hush-hush@h://\"".to_owned(),
        "[influx]\nurl = \"http://u:${INFLUX_TOKEN}@h\"".to_owned(),
        // A secret with characters that an HTTP header cannot have.
        "[influx]\ntoken = \"hush-hush \u{7f}\"".to_owned(),
        // A variable in the wrong key.
        "[influx]\napi = \"${INFLUX_TOKEN}\"\nurl = \"${INFLUX_TOKEN}\"\ntimeout = \"${INFLUX_TOKEN}\"".to_owned(),
        "[kafka]\nbrokers = \"${INFLUX_TOKEN}://\"\ntopics = \"^(${INFLUX_TOKEN}\"\noffset_reset = \"${INFLUX_TOKEN}\"".to_owned(),
        "[batch]\nlines_max = \"${INFLUX_TOKEN}\"\n[admin]\nlisten = \"${INFLUX_TOKEN}\"".to_owned(),
        "[[mapping]]\nquery = \"${INFLUX_TOKEN}\"\ntime_format = \"%${INFLUX_TOKEN}\"\ntimezone = \"${INFLUX_TOKEN}\"\nname_key = \"$${INFLUX_TOKEN}[\"".to_owned(),
        "[kafka.librdkafka]\n\"fetch.min.bytes\" = \"${INFLUX_TOKEN}\"".to_owned(),
        // Broken TOML.
        "[influx]\ntoken = \"hush-hush\norg = 'x'".to_owned(),
        "[influx]\ntoken = hush-hush".to_owned(),
        "[influx]\ntoken = '''a\nhush-hush\n'''b".to_owned(),
        "[influx\ntoken = 'hush-hush' 5".to_owned(),
        "token = \"hush-hush\" \"hush-hush\"".to_owned(),
        // YAML and JSON.
        "influx:\n  token: hush-hush\n".to_owned(),
        "{\"influx\": {\"token\": \"hush-hush\"}}".to_owned(),
    ] {
        let errors = run(&text).unwrap_err();
        let printed = format!("{errors}\n{errors:?}");
        assert!(!errors.errors.is_empty() && !printed.contains(hidden), "{text}\n---\n{printed}");
    }
}

#[test]
fn the_reference_to_a_secret_is_shown() {
    let errors = run(&SMALL.replace("INFLUX_TOKEN", "NONE")).unwrap_err().to_string();
    let want =
        "bridge.toml:9:9: the environment variable NONE is not set: export it before the program starts, or read a file, as in ${file:PATH}
  |
9 | token = \"${NONE}\"
  |         ^^^^^^^^^";
    assert_eq!(errors, want);
}
