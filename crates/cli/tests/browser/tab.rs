//! One tab of the browser: what a user does in it, and what it did unseen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::chromium::Chromium;
use super::pictures;

pub(crate) struct Tab {
    chromium: Chromium,
    session: String,
    /// Every URL that was asked for.
    requests: Vec<String>,
    /// What the console complained about.
    complaints: Vec<String>,
}

impl Tab {
    pub(crate) fn open(test: &str) -> Option<Self> {
        let mut chromium = Chromium::start(test)?;
        let target = chromium.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = chromium.call(None, "Target.attachToTarget", attach);
        let mut tab = Self {
            chromium,
            session: attached["sessionId"].as_str().unwrap().to_owned(),
            requests: Vec::new(),
            complaints: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab.resize(800, 640);
        Some(tab)
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    pub(crate) fn dark(&mut self) {
        let dark = json!({"name": "prefers-color-scheme", "value": "dark"});
        self.call("Emulation.setEmulatedMedia", json!({"features": [dark]}));
    }

    pub(crate) fn speak(&mut self, languages: &str) {
        let headers = json!({"headers": {"Accept-Language": languages}});
        self.call("Network.setExtraHTTPHeaders", headers);
    }

    pub(crate) fn without_scripts(&mut self) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        );
    }

    /// Goes to a page and waits until it is there; whether a response came.
    pub(crate) fn go(&mut self, url: &str) -> bool {
        self.settle();
        let gone = self.call("Page.navigate", json!({"url": url}));
        self.chromium.event("Page.loadEventFired");
        gone["errorText"].is_null()
    }

    /// Presses what the selector names, and waits for the page that follows.
    pub(crate) fn press(&mut self, selector: &str) {
        self.settle();
        let pressed = self.value(&format!(
            "(() => {{ const found = document.querySelector({selector:?}); found?.click(); return !!found }})()"
        ));
        assert_eq!(pressed, true, "{selector} is not on the page");
        self.chromium.event("Page.loadEventFired");
    }

    pub(crate) fn type_into(&mut self, selector: &str, text: &str) {
        self.value(&format!(
            "document.querySelector({selector:?}).value = {text:?}"
        ));
    }

    pub(crate) fn reload(&mut self) {
        self.settle();
        self.call("Page.reload", json!({}));
        self.chromium.event("Page.loadEventFired");
    }

    /// The value that a script of the test returns.
    pub(crate) fn value(&mut self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true});
        let response = self.call("Runtime.evaluate", asked);
        assert!(response["exceptionDetails"].is_null(), "{response}");
        response["result"]["value"].clone()
    }

    pub(crate) fn heading(&mut self) -> String {
        let text = self.value("document.querySelector('h1')?.textContent ?? ''");
        text.as_str().unwrap().to_owned()
    }

    pub(crate) fn address(&mut self) -> String {
        self.value("location.href").as_str().unwrap().to_owned()
    }

    /// Every address of the tab's history.
    pub(crate) fn history(&mut self) -> Vec<String> {
        let history = self.call("Page.getNavigationHistory", json!({}));
        let entries = history["entries"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["url"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn requests(&mut self) -> &[String] {
        self.settle();
        &self.requests
    }

    pub(crate) fn complaints(&mut self) -> &[String] {
        self.settle();
        &self.complaints
    }

    /// Keeps a picture of the page.
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        pictures::keep(name, &png);
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.chromium.call(Some(&self.session), method, params)
    }

    /// Takes in what has happened until now.
    fn settle(&mut self) {
        // A response comes after all the events before it.
        self.value("1");
        for event in std::mem::take(&mut self.chromium.events) {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Network.requestWillBeSent" => {
                    self.requests
                        .push(params["request"]["url"].as_str().unwrap().to_owned());
                }
                "Runtime.exceptionThrown" => self.complaints.push(params.to_string()),
                "Log.entryAdded" if params["entry"]["level"] == "error" => {
                    self.complaints.push(params.to_string());
                }
                "Runtime.consoleAPICalled" if params["type"] == "error" => {
                    self.complaints.push(params.to_string());
                }
                _ => {}
            }
        }
    }
}
