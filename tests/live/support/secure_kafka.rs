//! The tests' own Kafka, with a listener for each login and new certificates.

use super::certificates::Certificates;
use super::live::variable;
use super::{Kafka, Live, PATIENCE, free_port};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const USER: &str = "bridge";
pub const PLAIN_PASSWORD: &str = "plain-pass-word";
pub const SCRAM_PASSWORD: &str = "scram-pass-word";

/// One broker with these listeners.
pub struct SecureKafka {
    folder: PathBuf,
    pub certificates: Certificates,
    /// Without TLS and login, for the tests themselves.
    pub open: String,
    /// TLS with a login: PLAIN, SCRAM, OAUTHBEARER.
    pub login: String,
    /// TLS with client certificates.
    pub mutual: String,
    /// TLS with a certificate that has expired.
    pub expired: String,
    /// TLS with a certificate for other names.
    pub elsewhere: String,
    /// A login without TLS; SCRAM-SHA-512 only.
    pub clear: String,
    /// Stops the broker when this process ends, however it ends.
    _guardian: Child,
}

static SHARED: OnceLock<SecureKafka> = OnceLock::new();

impl SecureKafka {
    /// The first test that needs the broker starts it for all later ones.
    pub fn shared(live: &Live) -> &'static Self {
        SHARED.get_or_init(|| Self::start(live))
    }

    fn start(live: &Live) -> Self {
        let folder = live.path("secure-kafka");
        let certificates = Certificates::make(&folder.join("certificates"));
        let port = || format!("127.0.0.1:{}", free_port());
        let names = ["CONTROLLER", "OPEN", "LOGIN", "MUTUAL", "EXPIRED", "ELSEWHERE", "CLEAR"];
        let mut addresses: Vec<String> = names.iter().map(|_| port()).collect();
        // Linux serves all of 127.0.0.0/8; the certificate names only one of these addresses.
        addresses[5] = addresses[5].replace("127.0.0.1", "127.0.0.2");
        let listeners: Vec<String> =
            names.iter().zip(&addresses).map(|(name, at)| format!("{name}://{at}")).collect();
        fs::write(certificates.path("keys.json"), key_set(&certificates)).unwrap();
        let properties = properties(&folder, &listeners, &addresses[0], &certificates);
        let file = folder.join("server.properties");
        fs::write(&file, properties).unwrap();
        format_disk(&file);
        let guardian = spawn(&folder, &file, &certificates);
        let [_, open, login, mutual, expired, elsewhere, clear] = addresses.try_into().unwrap();
        let own = Self {
            folder,
            certificates,
            open,
            login,
            mutual,
            expired,
            elsewhere,
            clear,
            _guardian: guardian,
        };
        own.wait_until_up();
        own
    }

    fn wait_until_up(&self) {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.open).set("log_level", "0").create().unwrap();
        let answer = || {
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(1)).ok();
            metadata.filter(|metadata| !metadata.brokers().is_empty()).map(|_| ())
        };
        let begin = std::time::Instant::now();
        loop {
            if answer().is_some() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{}", fs::read_to_string(self.folder.join("log")).unwrap());
        }
    }

    /// A client for topics, records and committed offsets.
    pub fn kafka(&self) -> Kafka {
        Kafka::new(&self.open)
    }

    /// Sets the SCRAM-SHA-256 password of a user, and creates the user if it does not exist.
    pub fn set_password(&self, user: &str, password: &str) {
        let value = format!("SCRAM-SHA-256=[password={password}]");
        let mut command = java();
        command.args(["kafka.admin.ConfigCommand", "--bootstrap-server", &self.open, "--alter"]);
        command.args(["--entity-type", "users", "--entity-name", user, "--add-config", &value]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Denies a user access to a topic or group (`what`: `topic` or `group`) from now on, or allows it again.
    pub fn deny(&self, user: &str, what: &str, name: &str, denies: bool) {
        let mut command = java();
        command.args(["org.apache.kafka.tools.AclCommand", "--bootstrap-server", &self.open, "--force"]);
        command.args([
            if denies { "--add" } else { "--remove" },
            "--deny-principal",
            &format!("User:{user}"),
        ]);
        command.args(["--operation", "Read", &format!("--{what}"), name]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// A token that the broker accepts for this time.
    pub fn token(&self, good_for: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = format!(
            r#"{{"iss":"live","aud":"kafka","sub":"{USER}","iat":{now},"exp":{}}}"#,
            now + good_for.as_secs()
        );
        let head = BASE64.encode(r#"{"alg":"RS256","kid":"live","typ":"JWT"}"#);
        let text = format!("{head}.{}", BASE64.encode(claims));
        let signature = BASE64.encode(self.certificates.sign(&text));
        format!("{text}.{signature}")
    }

    /// Whether the token has expired and the broker refuses it.
    pub fn ends(token: &str) -> impl Fn() -> bool + use<> {
        let claims = BASE64.decode(token.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let end = UNIX_EPOCH + Duration::from_secs(claims["exp"].as_u64().unwrap() + 1);
        move || SystemTime::now() > end
    }

    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.certificates.path(name);
        File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
        path
    }
}

fn key_set(certificates: &Certificates) -> String {
    let modulus = BASE64.encode(certificates.modulus());
    format!(
        r#"{{"keys":[{{"kty":"RSA","alg":"RS256","use":"sig","kid":"live","e":"AQAB","n":"{modulus}"}}]}}"#
    )
}

fn keys_url(certificates: &Certificates) -> String {
    format!("file://{}", certificates.path("keys.json"))
}

fn properties(folder: &Path, listeners: &[String], controller: &str, certificates: &Certificates) -> String {
    let store = |listener: &str, certificate: &str| {
        let (store, ca) = (certificates.store(certificate), certificates.pem("ca"));
        let name = format!("listener.name.{listener}.ssl");
        format!(
            "{name}.keystore.type=PEM\n{name}.keystore.location={store}\n{name}.truststore.type=PEM\n{name}.truststore.location={ca}\n"
        )
    };
    let stores = [("mutual", "server"), ("login", "server"), ("elsewhere", "server"), ("expired", "expired")];
    let stores: Vec<String> =
        stores.iter().map(|(listener, certificate)| store(listener, certificate)).collect();
    let stores = stores.concat();
    let module = "org.apache.kafka.common.security";
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{controller}\ncontroller.listener.names=CONTROLLER\n\
         listeners={}\ninter.broker.listener.name=OPEN\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,OPEN:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL,EXPIRED:SSL,ELSEWHERE:SSL,CLEAR:SASL_PLAINTEXT\n\
         log.dirs={}\nauto.create.topics.enable=false\ngroup.initial.rebalance.delay.ms=0\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n\
         default.replication.factor=1\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nlog.cleaner.dedupe.buffer.size=8388608\n\
         {stores}listener.name.mutual.ssl.client.auth=required\n\
         listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER\n\
         listener.name.login.connections.max.reauth.ms=60000\n\
         listener.name.clear.sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         listener.name.clear.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
         listener.name.login.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{USER}=\"{PLAIN_PASSWORD}\";\n\
         listener.name.login.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
         listener.name.login.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
         listener.name.login.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required;\n\
         listener.name.login.oauthbearer.sasl.server.callback.handler.class={module}.oauthbearer.OAuthBearerValidatorCallbackHandler\n\
         sasl.oauthbearer.jwt.validator.class={module}.oauthbearer.BrokerJwtValidator\n\
         sasl.oauthbearer.jwks.endpoint.url={}\n\
         sasl.oauthbearer.expected.audience=kafka\n",
        listeners.join(","),
        folder.join("data").display(),
        keys_url(certificates),
    )
}

fn java() -> Command {
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &format!("{}/*", variable("KAFKA_LIBS"))]);
    command
}

fn format_disk(file: &Path) {
    let mut command = java();
    command.args(["kafka.tools.StorageTool", "format", "--cluster-id", "bridge-live-kafka-sec0", "--config"]);
    command.arg(file);
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        command.args(["--add-scram", &format!("{mechanism}=[name={USER},password={SCRAM_PASSWORD}]")]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A shell that stops the broker and removes its folder when its standard input closes, which happens when this process
/// ends.
fn spawn(folder: &Path, file: &Path, certificates: &Certificates) -> Child {
    let log4j = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/kafka/log4j2.xml");
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", r#""$@" & cat >/dev/null; kill -KILL $!; wait; rm -rf "$0""#]).arg(folder);
    command.args(["java", "-Xmx384m", "-XX:+UseSerialGC"]);
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    command.arg(format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", keys_url(certificates)));
    command.args(["-cp", &format!("{}/*", variable("KAFKA_LIBS")), "kafka.Kafka"]).arg(file);
    command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    command.spawn().unwrap()
}
