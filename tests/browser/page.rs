//! A page in the browser: what a person would see of it and do with it.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::chromium::Chromium;

/// How long something may take to appear on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the page is dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// A page with a history, cookies and a console of its own.
pub(crate) struct Page {
    browser: Chromium,
    session: String,
    console: Vec<String>,
    requests: Vec<String>,
}

impl Page {
    pub(crate) fn open() -> Page {
        let mut browser = Chromium::start();
        let session = browser.page();
        let mut page = Page { browser, session, console: Vec::new(), requests: Vec::new() };
        for domain in ["Page", "Runtime", "Network", "Log", "DOM", "Accessibility"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.browser.call(&self.session, method, parameters)
    }

    /// Goes to an address, and waits until all of it is there.
    pub(crate) fn go(&mut self, url: &str) -> &mut Page {
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
    }

    /// How wide it is, in CSS pixels, and whether its reader's system is dark.
    pub(crate) fn looks(&mut self, width: u32, theme: Theme) -> &mut Page {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let value = if theme == Theme::Dark { "dark" } else { "light" };
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }),
        );
        self
    }

    /// Whether its scripts run.
    pub(crate) fn scripts(&mut self, run: bool) -> &mut Page {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !run }));
        self
    }

    /// What an expression is worth in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The text that is shown where a selector first fits.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({}).innerText", json!(selector)));
        text.as_str().expect("a text that is shown").to_owned()
    }

    /// Waits until an expression holds.
    pub(crate) fn until(&mut self, expression: &str) -> &mut Page {
        let began = Instant::now();
        while self.value(expression) != true {
            assert!(began.elapsed() < PATIENCE, "never: {expression}\n{}", self.value("document.body.innerText"));
            thread::sleep(Duration::from_millis(50));
        }
        self
    }

    /// Presses a key, as a person without a mouse does.
    pub(crate) fn press(&mut self, key: &str) -> &mut Page {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            other => unreachable!("`{other}` is not known here"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
        self
    }

    /// A picture as PNG: of all of it, or of what is seen first.
    pub(crate) fn picture(&mut self, is_whole: bool) -> Vec<u8> {
        let mut parameters = json!({ "format": "png", "captureBeyondViewport": is_whole });
        if is_whole {
            let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].take();
            parameters["clip"] =
                json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        }
        let answer = self.call("Page.captureScreenshot", parameters);
        let data = answer["data"].as_str().expect("a picture");
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }

    /// What the console said so far that is no mere remark.
    pub(crate) fn console(&mut self) -> Vec<String> {
        self.hear();
        self.console.clone()
    }

    /// The addresses that were asked for so far.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        self.hear();
        self.requests.clone()
    }

    fn hear(&mut self) {
        for (name, event) in self.browser.events(&self.session) {
            match name.as_str() {
                "Runtime.exceptionThrown" => self.console.push(event["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if event["type"] == "error" || event["type"] == "warning" => {
                    self.console.push(event["args"].to_string());
                }
                "Log.entryAdded" if event["entry"]["level"] == "error" || event["entry"]["level"] == "warning" => {
                    self.console.push(format!("{} {}", event["entry"]["text"], event["entry"]["url"]));
                }
                "Network.requestWillBeSent" => {
                    self.requests.extend(event["request"]["url"].as_str().map(str::to_owned));
                }
                _ => {}
            }
        }
    }
}
