//! The texts of the pages, by language.

use super::Page;

/// A language of the pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::callback) enum Language {
    English,
    /// Simplified.
    Chinese,
}

/// The texts of one page.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    pub(super) footer: &'static str,
}

impl Language {
    /// The language that the browser prefers (RFC 9110 section 12.5.4); English if it is unknown.
    pub(in crate::callback) fn best(accepted: Option<&str>) -> Self {
        let weight = |wanted: &str| {
            let ranges = accepted.unwrap_or_default().split(',').take(32);
            let weights = ranges.filter_map(|range| {
                let mut parts = range.split(';');
                let name = parts.next()?.trim();
                let primary = name.split('-').next()?;
                let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
                let quality = match quality {
                    None => 1.0,
                    Some(number) => number.trim().parse::<f32>().ok()?,
                };
                (primary.eq_ignore_ascii_case(wanted) && (0.0..=1.0).contains(&quality))
                    .then_some(quality)
            });
            weights.fold(0.0, f32::max)
        };
        if weight("zh") > weight("en") {
            Self::Chinese
        } else {
            Self::English
        }
    }

    /// Its tag (RFC 5646).
    pub(in crate::callback) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hans",
        }
    }

    pub(super) fn words(self, page: Page) -> Words {
        let (title, text) = match (self, page) {
            (Self::English, Page::Done) => (
                "Approved",
                "You can close this window and return to your program, which reports when the \
                 session is stored.",
            ),
            (Self::English, Page::Denied) => (
                "Not signed in",
                "The request was denied, and your program received nothing. You can close this \
                 window.",
            ),
            (Self::English, Page::Failed) => (
                "Something went wrong",
                "You are not signed in. Return to your program: it shows what happened and what to \
                 do.",
            ),
            (Self::English, Page::Nothing) => (
                "Nothing to do here",
                "This address expects the response to a sign-in, and this request was not one. You \
                 can close this window.",
            ),
            (Self::Chinese, Page::Done) => (
                "已授权",
                "您可以关闭此窗口并返回您的程序。全部保存完成后，程序会告诉您。",
            ),
            (Self::Chinese, Page::Denied) => (
                "未登录",
                "请求已被拒绝，您的程序没有得到任何授权。您可以关闭此窗口。",
            ),
            (Self::Chinese, Page::Failed) => (
                "出错了",
                "您尚未登录。请返回您的程序：它会说明发生了什么以及该怎么做。",
            ),
            (Self::Chinese, Page::Nothing) => (
                "这里没有内容",
                "此地址只等待一次登录的应答，而这并不是那个应答。您可以关闭此窗口。",
            ),
        };
        let footer = match self {
            Self::English => "This page comes from llm-auth on the computer where you sign in.",
            Self::Chinese => "此页面来自您登录所用计算机上的 llm-auth。",
        };
        Words {
            title,
            text,
            footer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_asks_for_most() {
        for (accepted, tag) in [
            (Some("zh"), "zh-Hans"),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), "zh-Hans"),
            (Some("ZH-hans"), "zh-Hans"),
            (Some("zh-TW;q=0.5"), "zh-Hans"),
            (Some("en;q=0.3, zh;q=0.9"), "zh-Hans"),
            (Some("fr, zh;q=0.2"), "zh-Hans"),
            (Some("en-GB,en;q=0.9,zh;q=0.8"), "en"),
            (Some("zh;q=0"), "en"),
            (Some("zh;q=7"), "en"),
            (Some("zh;q=NaN"), "en"),
            (Some("zhx, *"), "en"),
            (Some("<script>,;;q=,"), "en"),
            (Some(""), "en"),
            (None, "en"),
        ] {
            assert_eq!(Language::best(accepted).tag(), tag, "{accepted:?}");
        }
    }
}
