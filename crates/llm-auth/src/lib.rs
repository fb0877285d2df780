//! llm-auth
