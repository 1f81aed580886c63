//! The pages in a real browser: that they load, stay live, can be used by keyboard and by whom sees little, and ask nobody else.
//!
//! Ignored by name where there is no Chromium. `MEP_BATCH_TEST_PICTURES=FOLDER` keeps a picture of each page there.

mod chromium;
mod looks;
mod page;
mod stage;

#[path = "../audit/mod.rs"]
mod audit;
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../scenario/mod.rs"]
mod scenario;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use page::{Page, Theme};
use scenario::Scenario;
use stage::{Serving, played};

fn main() -> ExitCode {
    let facts: [(&str, fn()); 9] = [
        (
            "a_page_loads_without_a_complaint_and_asks_nobody_else",
            a_page_loads_without_a_complaint_and_asks_nobody_else,
        ),
        ("a_batch_is_seen_to_go_on_while_it_is_sent", a_batch_is_seen_to_go_on_while_it_is_sent),
        ("rows_are_chosen_by_state_and_code", rows_are_chosen_by_state_and_code),
        ("a_page_of_a_foreign_host_is_refused", a_page_of_a_foreign_host_is_refused),
        ("a_page_without_its_token_is_refused", a_page_without_its_token_is_refused),
        (
            "everything_is_reached_by_keyboard_in_the_order_of_the_page",
            everything_is_reached_by_keyboard_in_the_order_of_the_page,
        ),
        ("everything_has_a_name_and_can_be_told_from_its_paper", everything_has_a_name_and_can_be_told_from_its_paper),
        (
            "without_scripts_a_page_says_all_that_it_says_with_them",
            without_scripts_a_page_says_all_that_it_says_with_them,
        ),
        ("pictures_are_kept_where_they_are_asked_for", looks::pictures_are_kept_where_they_are_asked_for),
    ];
    let is_missing = chromium::program().is_none();
    let trials = facts.into_iter().map(|(name, fact)| {
        Trial::test(format!("browser::{name}"), move || {
            fact();
            Ok(())
        })
        .with_ignored_flag(is_missing)
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if is_missing {
        tell("the tests in a browser were ignored: no `chromium` is installed; `apt-get install chromium` is enough");
    }
    conclusion.exit_code()
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests reads it")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn a_page_loads_without_a_complaint_and_asks_nobody_else() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance);
    for address in serving.pages() {
        page.go(&address);
        assert_eq!(page.value("document.querySelectorAll('h1').length"), 1, "{address}");
    }
    page.go(&serving.page("/batch/flights")).until("document.getElementById('live').dataset.state === 'live'");
    // But for the page that is not there.
    let complaints = page.console();
    assert!(complaints.iter().all(|complaint| complaint.ends_with("/batch/nothing\"")), "{complaints:?}");
    let own = serving.page("/");
    let requests = page.requests();
    assert!(requests.len() > 8 && requests.iter().all(|url| url.starts_with(&own)), "{requests:?}");

    let report = serving.report();
    let mut page = Page::open();
    page.go(&report);
    assert_eq!((page.console(), page.requests()), (Vec::new(), vec![report]));
}

fn a_batch_is_seen_to_go_on_while_it_is_sent() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim} --rate 20 --batch flights")).exits(0);
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance).go(&serving.page("/batch/flights"));
    page.until("document.getElementById('live').dataset.state === 'live'");
    assert!(page.text("#accounting").contains("pending"));
    // What a reader has done must stay as it is.
    page.value("window.isTheSame = true; document.querySelector('input[name=code]').focus(); scrollTo(0, 300); true");
    let run = s.start("run flights");
    page.until("/\\b([1-9]|[1-5]\\d)\\D+accepted|accepted\\D+([1-9]|[1-5]\\d)\\b/.test(document.getElementById('accounting').innerText)");
    run.finish().exits(0);
    page.until("/accepted\\D+60\\b|\\b60\\D+accepted/.test(document.getElementById('accounting').innerText)");
    let stayed = "[window.isTheSame, document.activeElement.name, scrollY > 0]";
    assert_eq!(page.value(stayed), serde_json::json!([true, "code", true]));
    assert_eq!(page.console(), Vec::<String>::new());
    // A server that is gone is said, and one that is back is found.
    drop(serving);
    page.until("document.getElementById('live').dataset.state === 'lost'");
}

fn rows_are_chosen_by_state_and_code() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance).go(&serving.page("/batch/flights"));
    let lines = s.query("SELECT COUNT(*) FROM invocation WHERE state = 'rejected'");
    page.value("document.querySelector('input[name=state][value=rejected]').focus(); true");
    page.press(" ").value("document.querySelector('form.filter button').focus(); true");
    page.press("Enter").until("location.search.includes('state=rejected') && document.readyState === 'complete'");
    let shown = "[...document.querySelectorAll('#rows ~ * tbody tr')].map(row => row.querySelector('[data-name=state]').innerText.trim())";
    let states = page.value(shown);
    let states = states.as_array().expect("rows");
    assert!(states.iter().all(|state| state == "rejected"), "{states:?}");
    assert_eq!([states.len().to_string()], lines[..]);
    assert_eq!(page.value("document.querySelector('input[name=state][value=rejected]').checked"), true);

    page.go(&serving.page("/batch/flights?code=12345"));
    assert!(page.value("document.body.innerText").as_str().is_some_and(|text| text.contains("No such rows")));
    page.go(&serving.page("/batch/flights?state=accepted"));
    page.value("document.querySelector('#rows ~ * tbody th a').click(); true");
    page.until("/\\/batch\\/flights\\/\\d+$/.test(location.pathname)");
    assert!(page.value("document.body.innerText").as_str().is_some_and(|text| text.contains("•••")));
}

fn a_page_of_a_foreign_host_is_refused() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    // The browser takes each such name for this machine, as it would a name that somebody has pointed at it.
    page.go(&serving.entrance.replace("127.0.0.1", "elsewhere.localhost"));
    let text = page.value("document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(!text.contains("flights") && text.contains("not known by the name"), "{text}");
    assert_eq!(page.value("document.cookie"), "");
}

fn a_page_without_its_token_is_refused() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.page("/batch/flights"));
    assert!(!page.value("document.body.innerText").as_str().is_some_and(|text| text.contains("accepted")));
    page.go(&serving.entrance);
    assert_eq!(page.value("[location.search, document.cookie]"), serde_json::json!(["", ""]));
    page.go(&serving.page("/batch/flights")).until("document.body.innerText.includes('accepted')");
}

fn everything_is_reached_by_keyboard_in_the_order_of_the_page() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance);
    for address in [serving.page("/"), serving.page("/batch/flights"), serving.page("/runs"), serving.report()] {
        // What is still being counted comes into the page later, and takes the place of what was there.
        page.go(&address).until("!/Counting…|Being read…/.test(document.body.innerText)");
        // What can have the focus, in the order of the page; what is folded away cannot.
        let there = page.value(
            "window.all = [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]
                 .filter(one => one.checkVisibility() && !one.disabled); all.length",
        );
        let count = there.as_u64().expect("a number");
        assert!(count > 2, "{address}");
        for place in 0..count {
            page.press("Tab");
            let at = page.value("all.indexOf(document.activeElement)");
            assert_eq!(at, place, "{address}: {}", page.value("document.activeElement.outerHTML.slice(0, 200)"));
            let is_marked =
                "(({ outlineStyle, outlineWidth }) => outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2)
                 (getComputedStyle(document.activeElement))";
            assert_eq!(page.value(is_marked), true, "the focus is seen: {address}, place {place}");
        }
        page.go(&address).press("Tab").press("Enter");
        assert_eq!(
            page.value("document.activeElement.id"),
            "main",
            "the first link of {address} skips to what it is about"
        );
    }
}

fn everything_has_a_name_and_can_be_told_from_its_paper() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance);
    let mut addresses = serving.pages();
    addresses.push(serving.report());
    for address in addresses {
        for theme in [Theme::Light, Theme::Dark] {
            page.looks(1280, theme).go(&address);
            assert_eq!(looks::faint_texts(&mut page), Vec::<String>::new(), "{address}, {theme:?}");
        }
        assert_eq!(looks::nameless(&mut page), Vec::<String>::new(), "{address}");
        let levels = page.value("[...document.querySelectorAll('h1, h2, h3, h4')].map(one => Number(one.tagName[1]))");
        let levels: Vec<u64> =
            levels.as_array().expect("levels").iter().filter_map(serde_json::Value::as_u64).collect();
        assert_eq!(levels.first(), Some(&1), "{address}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1 && pair[1] > 1), "{address}: {levels:?}");
        for width in [320, 400, 768] {
            page.looks(width, Theme::Light);
            let wide = page.value("document.documentElement.scrollWidth - innerWidth").as_i64();
            assert!(wide.is_some_and(|wide| wide <= 0), "{address} is wider than {width} by {wide:?}");
        }
    }
}

fn without_scripts_a_page_says_all_that_it_says_with_them() {
    let s = played();
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance);
    for path in ["/", "/batch/flights", "/runs"] {
        let said = |page: &mut Page| {
            page.go(&serving.page(path));
            page.value(
                "[...document.querySelectorAll('main h2, main table, main p')].map(one => one.textContent).join('|')",
            )
        };
        // Figures that are counted in the background are there by the second look.
        page.go(&serving.page(path)).until("!document.body.innerText.includes('Counting…')");
        let with = said(&mut page);
        page.scripts(false);
        let without = said(&mut page);
        page.scripts(true);
        assert_eq!(stage::without_times(&with), stage::without_times(&without), "{path}");
    }
}
