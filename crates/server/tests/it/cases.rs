//! Runs `tests/http/*.yaml`: each file is a story told to a fresh server.
//!
//! A step has `call`, and optionally `name`, `as` (who calls; admin when missing), `headers`, `body` (JSON) or
//! `text`, `status` (200 when missing), `expect` (what the answer must hold, see [`differs`]), `has` (texts that
//! the body must contain), `save` (variable: JSON pointer) and `until` (ask again until it fits). `${variable}`
//! is replaced everywhere; `${now_us}` is the time of the start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use metastore::Scope;
use serde::Deserialize;
use serde_json::Value;

use crate::plant::Plant;

/// How long a step that says `until` may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    name: String,
    call: String,
    #[serde(default = "admin")]
    r#as: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    text: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    expect: Option<Value>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    #[serde(default)]
    until: bool,
}

fn admin() -> String {
    "admin".to_owned()
}

fn ok() -> u16 {
    200
}

fn story(file: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/http").join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let steps: Vec<Step> =
        yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let plant = Plant::start().await;
        let mut teller = Teller::new(file, &plant).await;
        for (step_idx, step) in steps.iter().enumerate() {
            teller.tell(step_idx + 1, step).await;
        }
        plant.stop().await;
    });
}

struct Teller<'a> {
    file: &'a str,
    plant: &'a Plant,
    variables: BTreeMap<String, String>,
    callers: BTreeMap<String, (&'static str, String)>,
}

impl<'a> Teller<'a> {
    async fn new(file: &'a str, plant: &'a Plant) -> Teller<'a> {
        let now_us = plant.now_us();
        let variables = BTreeMap::from([
            ("now_us".to_owned(), now_us.to_string()),
            ("hour_ago_us".to_owned(), (now_us - signal::HOUR_US).to_string()),
            ("hour_on_us".to_owned(), (now_us + signal::HOUR_US).to_string()),
            ("host".to_owned(), plant.address.to_string()),
        ]);
        let mut callers = BTreeMap::new();
        for name in ["admin", "engineer", "operator", "stranger"] {
            callers.insert(name.to_owned(), ("cookie", plant.cookie(name).await));
        }
        for (name, scope) in
            [("write token", Scope::Write), ("read token", Scope::Read), ("all token", Scope::All)]
        {
            callers.insert(
                name.to_owned(),
                ("authorization", format!("Bearer {}", plant.token(scope).await)),
            );
        }
        Teller { file, plant, variables, callers }
    }

    async fn tell(&mut self, number: usize, step: &Step) {
        let begun = Instant::now();
        loop {
            match self.try_once(step).await {
                Ok(()) => return,
                Err(_) if step.until && begun.elapsed() < PATIENCE => {
                    tokio::task::yield_now().await;
                }
                Err(difference) => {
                    panic!(
                        "{} step {number} `{}` {}: {difference}",
                        self.file, step.name, step.call
                    )
                }
            }
        }
    }

    async fn try_once(&mut self, step: &Step) -> Result<(), String> {
        let (method, path) = step.call.split_once(' ').ok_or("a call is `METHOD /path`")?;
        let method =
            reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request =
            self.plant.client.request(method.clone(), self.plant.url(&self.fill(path)));
        if let Some((header, value)) = self.callers.get(&step.r#as) {
            request = request.header(*header, value);
        } else if step.r#as != "nobody" {
            return Err(format!("`{}` is nobody known", step.r#as));
        }
        let is_change = method != reqwest::Method::GET && path.starts_with("/api/v1/");
        if is_change && !step.headers.contains_key("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &step.headers {
            request = request.header(name, self.fill(value));
        }
        if let Some(body) = &step.body {
            request = request.body(self.fill(&body.to_string()));
        } else if let Some(text) = &step.text {
            request = request.body(self.fill(text));
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        if status != step.status {
            return Err(format!("expected {}, got {status}: {text}", step.status));
        }
        for (name, expected) in &step.answer_headers {
            let found =
                headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("(missing)");
            if !found.contains(expected.as_str()) {
                return Err(format!("header {name}: expected `{expected}`, got `{found}`"));
            }
        }
        for expected in &step.has {
            if !text.contains(&self.fill(expected)) {
                return Err(format!("expected `{expected}` in: {text}"));
            }
        }
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if let Some(expected) = &step.expect {
            let expected: Value =
                serde_json::from_str(&self.fill(&expected.to_string())).expect("still JSON");
            differs("", &expected, &json)
                .map_err(|difference| format!("{difference} in {text}"))?;
        }
        for (name, pointer) in &step.save {
            let found =
                json.pointer(pointer).ok_or_else(|| format!("nothing at {pointer} in {text}"))?;
            let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            self.variables.insert(name.clone(), found);
        }
        Ok(())
    }

    /// Replaces `${name}`; `"${name}"` as a whole becomes a bare number where it is one.
    fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.variables {
            if value.parse::<f64>().is_ok() {
                filled = filled.replace(&format!("\"${{{name}}}\""), value);
            }
            filled = filled.replace(&format!("${{{name}}}"), value);
        }
        filled
    }
}

/// Whether `found` holds what is `expected`: objects may have more keys, arrays may not have more elements;
/// `<number>`, `<string>`, `<bool>`, `<array>`, `<object>` and `<any>` stand for a type; `<n items>` for a length.
fn differs(path: &str, expected: &Value, found: &Value) -> Result<(), String> {
    let wrong = || Err(format!("{path}: expected {expected}, got {found}"));
    match expected {
        Value::String(kind) if kind.starts_with('<') && kind.ends_with('>') => {
            let fits = match kind.as_str() {
                "<number>" => found.is_number(),
                "<string>" => found.is_string(),
                "<bool>" => found.is_boolean(),
                "<array>" => found.is_array(),
                "<object>" => found.is_object(),
                "<any>" => true,
                _ => match kind
                    .trim_matches(['<', '>'])
                    .strip_suffix(" items")
                    .and_then(|n| n.parse().ok())
                {
                    Some(n_items) => found.as_array().map(Vec::len) == Some(n_items),
                    None => return Err(format!("`{kind}` is not a kind of value")),
                },
            };
            if fits { Ok(()) } else { wrong() }
        }
        Value::Object(fields) => {
            for (key, expected) in fields {
                let Some(found) = found.get(key) else {
                    return Err(format!("{path}/{key} is missing"));
                };
                differs(&format!("{path}/{key}"), expected, found)?;
            }
            if found.is_object() { Ok(()) } else { wrong() }
        }
        Value::Array(items) => {
            let Some(found) = found.as_array().filter(|found| found.len() == items.len()) else {
                return wrong();
            };
            for (n, (expected, found)) in items.iter().zip(found).enumerate() {
                differs(&format!("{path}/{n}"), expected, found)?;
            }
            Ok(())
        }
        Value::Number(number) => {
            let close = |one: f64, two: f64| (one - two).abs() <= 1e-9 * one.abs().max(1.0);
            match (number.as_f64(), found.as_f64()) {
                (Some(one), Some(two)) if close(one, two) => Ok(()),
                _ => wrong(),
            }
        }
        _ if expected == found => Ok(()),
        _ => wrong(),
    }
}

macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                story(concat!(stringify!($name), ".yaml"));
            }
        )*

        /// A file that nobody runs would prove nothing.
        #[test]
        fn every_story_is_told() {
            let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/http");
            let mut files: Vec<String> = std::fs::read_dir(dir)
                .expect("tests/http")
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .collect();
            files.sort();
            let mut told = vec![$(concat!(stringify!($name), ".yaml").to_owned()),*];
            told.sort();
            assert_eq!(files, told);
        }
    };
}

stories!(
    session, roles, guards, inlets, model, inbox, payloads, alarms, trend, oee, sql, data, files
);
