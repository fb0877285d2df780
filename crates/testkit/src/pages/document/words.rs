//! The pages in the language of the browser's person.

use crate::http::request::Request;

/// English or Simplified Chinese.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tongue {
    Chinese,
    English,
}

impl Tongue {
    /// By the first of the two that the browser names; browsers name the best first.
    pub(crate) fn of(request: &Request) -> Self {
        let accepted = request.header("accept-language").unwrap_or_default();
        let primary = |range: &str| range.trim().get(..2).map(str::to_ascii_lowercase);
        let found = accepted
            .split(',')
            .find_map(|range| match primary(range)?.as_str() {
                "zh" => Some(Self::Chinese),
                "en" => Some(Self::English),
                _ => None,
            });
        found.unwrap_or(Self::English)
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-Hans",
            Self::English => "en",
        }
    }

    /// What is written here in English, in this language. What has no translation is for
    /// developers and stays.
    pub(super) fn say(self, english: &str) -> &str {
        if self == Self::English {
            return english;
        }
        match english {
            "Sign in to the simulated Google" => "登录模拟的 Google",
            "Sign in to the simulated MiniMax" => "登录模拟的 MiniMax",
            "Sign in to the simulated Qwen" => "登录模拟的 Qwen",
            "Approve" => "同意",
            "Deny" => "拒绝",
            "Continue" => "继续",
            "Client" => "客户端",
            "Code" => "验证码",
            "Request" => "请求编号",
            "Scope" => "权限范围",
            "Sends you back to" => "完成后返回",
            "Approved" => "已授权",
            "Denied" => "已拒绝",
            "Refused" => "请求被拒绝",
            "Nothing to decide" => "无需操作",
            "A program asks to sign in as you. Approve only if you started it." => {
                "一个程序请求以您的身份登录。仅当是您自己启动的程序时才同意。"
            }
            "Enter the code that your program shows." => "请输入您的程序显示的验证码。",
            "You may close this page and go back to the terminal." => {
                "您可以关闭此页面并返回终端。"
            }
            "Nothing was given away." => "没有授予任何权限。",
            "This code is not known here." => "此验证码无效。",
            "This code has expired." => "此验证码已过期。",
            "This request is not open any more." => "此请求已结束。",
            "The form did not come from this page." => "此表单并非来自本页面。",
            "llm-auth-testkit: nothing here is real." => "llm-auth-testkit：此处一切均为模拟。",
            other => other,
        }
    }
}
