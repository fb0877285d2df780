#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use llm_auth_core::*;

#[cfg(feature = "encrypted")]
#[cfg_attr(docsrs, doc(cfg(feature = "encrypted")))]
pub use llm_auth_store_encrypted as encrypted;

#[cfg(feature = "gemini")]
#[cfg_attr(docsrs, doc(cfg(feature = "gemini")))]
pub use llm_auth_gemini as gemini;

#[cfg(feature = "github")]
#[cfg_attr(docsrs, doc(cfg(feature = "github")))]
pub use llm_auth_github as github;

#[cfg(feature = "huggingface")]
#[cfg_attr(docsrs, doc(cfg(feature = "huggingface")))]
pub use llm_auth_huggingface as huggingface;

#[cfg(feature = "keyring")]
#[cfg_attr(docsrs, doc(cfg(feature = "keyring")))]
pub use llm_auth_store_keyring as keyring;

#[cfg(feature = "mcp")]
#[cfg_attr(docsrs, doc(cfg(feature = "mcp")))]
pub use llm_auth_mcp as mcp;
#[cfg(feature = "minimax")]
#[cfg_attr(docsrs, doc(cfg(feature = "minimax")))]
pub use llm_auth_minimax as minimax;

#[cfg(feature = "oidc")]
#[cfg_attr(docsrs, doc(cfg(feature = "oidc")))]
pub use llm_auth_oidc as oidc;

#[cfg(feature = "openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "openai")))]
pub use llm_auth_openai as openai;

#[cfg(feature = "openrouter")]
#[cfg_attr(docsrs, doc(cfg(feature = "openrouter")))]
pub use llm_auth_openrouter as openrouter;

#[cfg(feature = "poe")]
#[cfg_attr(docsrs, doc(cfg(feature = "poe")))]
pub use llm_auth_poe as poe;

#[cfg(feature = "qwen")]
#[cfg_attr(docsrs, doc(cfg(feature = "qwen")))]
pub use llm_auth_qwen as qwen;
