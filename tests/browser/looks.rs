//! How a page looks to those who see little or nothing of it, and to those who judge it by a picture.

use std::path::PathBuf;

use super::page::{Page, Theme};
use super::stage::{Serving, played, played_long};

/// Texts whose colour is too near to that of their paper: WCAG 2.2 AA asks for 4.5, and for 3 where they are large.
pub(crate) fn faint_texts(page: &mut Page) -> Vec<String> {
    const FAINT: &str = r"(() => {
        const parsed = (text) => {
            const figures = text.match(/[\d.]+/g).map(Number);
            return { rgb: figures.slice(0, 3), alpha: figures.length > 3 ? figures[3] : 1 };
        };
        const light = (rgb) => {
            const [r, g, b] = rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ratio = (a, b) => {
            const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
            return (high + 0.05) / (low + 0.05);
        };
        const paper = (one) => {
            for (let at = one; at; at = at.parentElement) {
                const { rgb, alpha } = parsed(getComputedStyle(at).backgroundColor);
                if (alpha === 1) return rgb;
            }
            return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
        };
        const faint = [];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const one = texts.currentNode.parentElement;
            if (!texts.currentNode.data.trim() || !one.checkVisibility({ visibilityProperty: true })) continue;
            if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'TITLE', 'DESC', 'title', 'desc'].includes(one.tagName)) continue;
            const style = getComputedStyle(one);
            const isDrawn = one instanceof SVGElement;
            const colour = parsed(isDrawn ? style.fill : style.color).rgb;
            const size = parseFloat(style.fontSize);
            const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
            const found = ratio(colour, paper(isDrawn ? one.closest('svg').parentElement : one));
            if (found < (isLarge ? 3 : 4.5)) faint.push(`${found.toFixed(2)} ${one.outerHTML.slice(0, 120)}`);
        }
        return faint;
    })()";
    texts(page, FAINT)
}

/// What has no name for somebody who hears the page: fields, links, buttons, pictures, regions.
pub(crate) fn nameless(page: &mut Page) -> Vec<String> {
    const NAMED: [&str; 11] = [
        "button",
        "checkbox",
        "combobox",
        "image",
        "img",
        "link",
        "meter",
        "navigation",
        "progressbar",
        "region",
        "textbox",
    ];
    let tree = page.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = tree["nodes"].as_array().expect("nodes");
    let heard = nodes.iter().filter(|node| node["ignored"] != true);
    let nameless = heard.filter(|node| {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        NAMED.contains(&role) && node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()
    });
    nameless.map(ToString::to_string).collect()
}

/// Keeps pictures of each page where they are asked for: light and dark, wide and narrow, and what of it is seen first.
pub(crate) fn pictures_are_kept_where_they_are_asked_for() {
    let folder = std::env::var_os("MEP_BATCH_TEST_PICTURES").map(PathBuf::from);
    let (s, _alive) = match folder {
        Some(_) => {
            let (s, run, sim) = played_long();
            (s, Some((run, sim)))
        }
        None => (played(), None),
    };
    let keep = |name: &str, picture: &[u8]| {
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.png")), picture).expect("a picture in the folder");
        }
    };
    let serving = Serving::start(&s);
    let mut page = Page::open();
    page.go(&serving.entrance);
    let pages = [
        ("batches", serving.page("/")),
        ("batch", serving.page("/batch/flights")),
        ("row", serving.page("/batch/flights/2")),
        ("runs", serving.page("/runs")),
        ("report", serving.report()),
    ];
    for (name, address) in pages {
        for (theme, shade) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
            for (width, size) in [(400, "narrow"), (1280, "wide")] {
                page.looks(width, theme).go(&address).until("!document.body.innerText.includes('Counting…')");
                keep(&format!("{name}-{shade}-{size}"), &page.picture(true));
            }
            keep(&format!("{name}-{shade}"), &page.picture(false));
        }
    }
}

fn texts(page: &mut Page, expression: &str) -> Vec<String> {
    let found = page.value(expression);
    found.as_array().expect("a list").iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}
