//! The files for Compose and Kubernetes, by the schemas of both and by what the service reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::skip;

const KUBERNETES: [&str; 4] = ["kubernetes-validate", "-k", "1.34", "--strict"];
const COMPOSE: [&str; 3] = [
    "check-jsonschema",
    "--builtin-schema",
    "vendor.compose-spec",
];

/// A program of the linters' environment, if that is installed.
fn linter(name: &str) -> Option<PathBuf> {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint/.venv");
    let found = environment.join("bin").join(name);
    if !environment.join(".installed").is_file() {
        skip("the linters are not installed (.ci/run installs them)");
        return None;
    }
    Some(found)
}

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

/// What is wrong with a file of this text.
fn lint(command: &[&str], text: &str) -> Option<Result<(), String>> {
    let (program, arguments) = command.split_first().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(linter(program)?);
    let output = command.args(arguments).arg(&file).output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    Some(match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&words).into_owned()),
    })
}

/// The documents of a file.
fn read(name: &str) -> Option<Vec<Value>> {
    let script =
        "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let mut command = Command::new(linter("python3")?);
    command
        .args(["-c", script])
        .stdin(std::fs::File::open(path).unwrap());
    Some(serde_json::from_slice(&command.output().unwrap().stdout).unwrap())
}

#[test]
fn the_kubernetes_manifest_is_valid_and_a_misspelt_one_is_not() {
    let text = source("kubernetes.yaml");
    let Some(checked) = lint(&KUBERNETES, &text) else {
        return;
    };
    checked.unwrap();
    for (right, wrong) in [
        ("readinessProbe", "readinesProbe"),
        ("replicas: 2", "replicas: two"),
        ("minAvailable", "minAvailible"),
    ] {
        let misspelt = text.replace(right, wrong);
        let words = lint(&KUBERNETES, &misspelt).unwrap().unwrap_err();
        assert!(words.contains(wrong) || words.contains("two"), "{words}");
    }
}

#[test]
fn the_compose_file_is_valid_and_a_misspelt_one_is_not() {
    let text = source("compose.yaml");
    let Some(checked) = lint(&COMPOSE, &text) else {
        return;
    };
    checked.unwrap();
    let misspelt = text.replace("healthcheck:", "healthchek:");
    assert!(
        lint(&COMPOSE, &misspelt)
            .unwrap()
            .unwrap_err()
            .contains("healthchek")
    );
}

/// The README makes the secrets at the root of the repository or beside the Compose file, and the
/// image is built with all that is in its context.
#[test]
fn the_secrets_are_in_no_image_and_no_commit() {
    let ignored = source("Dockerfile.dockerignore");
    for one in ["**/secrets", "**/.env"] {
        assert!(ignored.lines().any(|line| line == one), "{one}: {ignored}");
    }
    let root = source("../../.gitignore");
    assert!(root.lines().any(|line| line == "secrets/"), "{root}");
    let Some(compose) = read("compose.yaml") else {
        return;
    };
    for (name, secret) in compose[0]["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap();
        assert!(file.starts_with("secrets/"), "{name}: {file}");
    }
}

#[test]
fn both_set_what_the_service_reads_and_give_it_time_to_end() {
    let (Some(kubernetes), Some(compose)) = (read("kubernetes.yaml"), read("compose.yaml")) else {
        return;
    };
    let config = source("src/config.rs");
    let is_read = |name: &str| assert!(config.contains(&format!("\"{name}\"")), "{name}");
    let of_kind = |kind: &str| {
        let mut documents = kubernetes.iter();
        documents.find(|document| document["kind"] == kind).unwrap()
    };
    let deployment = &of_kind("Deployment")["spec"];
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    let variables = container["env"].as_array().unwrap();
    let set: Vec<&str> = variables
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let mapped = of_kind("ConfigMap")["data"].as_object().unwrap().keys();
    let in_pod: Vec<&str> = set.into_iter().chain(mapped.map(String::as_str)).collect();
    let one = &compose[0]["services"]["one"];
    let in_compose: Vec<&str> = one["environment"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for names in [&in_pod, &in_compose] {
        names.iter().for_each(|name| is_read(name));
        for needed in [
            "PUBLIC_URL",
            "MODEL",
            "DATABASE_URL_FILE",
            "ENCRYPTION_KEY_FILE",
            "PROVIDER_FILE",
        ] {
            assert!(names.contains(&needed), "{needed}: {names:?}");
        }
    }
    let seconds = |name: &str| -> u64 {
        let found = variables.iter().find(|one| one["name"] == name).unwrap();
        found["value"].as_str().unwrap().parse().unwrap()
    };
    let needed = seconds("DRAIN_SECONDS") + seconds("SHUTDOWN_SECONDS");
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > needed);
    assert_eq!(one["stop_grace_period"], "60s");
    assert_eq!(deployment["replicas"], 2);
    assert_eq!(of_kind("PodDisruptionBudget")["spec"]["minAvailable"], 1);
    let labels = &deployment["template"]["metadata"]["labels"];
    assert_eq!(&of_kind("Service")["spec"]["selector"], labels);
    assert_eq!(
        &of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        labels
    );
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    let admin = source("src/admin.rs");
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert!(admin.contains(path), "{path}");
        assert_eq!(container[probe]["httpGet"]["port"], "admin");
    }
    // The metrics are not for the public.
    assert_eq!(
        of_kind("Service")["spec"]["ports"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
