//! Which names a variable may have that holds a token.

/// A name that programs and shells can read (POSIX, "Environment Variables").
pub(super) fn variable(name: &str) -> Result<String, String> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !starts_well || !name.chars().all(rest) {
        return Err("not the name of an environment variable".into());
    }
    if is_called(name, "PATH") {
        return Err("without it, the program would not be found".into());
    }
    let is_taken = |prefix: &&str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| is_called(start, prefix))
    };
    // Programs take these in both letter cases.
    let upper = name.to_ascii_uppercase();
    let is_run = RUN.iter().any(|end| upper.ends_with(end)) || PROXIES.contains(&upper.as_str());
    let is_loaded = LOADED.iter().any(|other| is_called(name, other));
    if is_loaded || is_run || LOADERS.iter().any(is_taken) {
        return Err(
            "programs load, run or connect to what it names, and would print a token in errors"
                .into(),
        );
    }
    Ok(name.to_owned())
}

/// The beginnings of the names by which the dynamic loaders and allocators are steered.
const LOADERS: [&str; 7] = [
    "LD_",
    "DYLD_",
    "_RLD",
    "GLIBC_",
    "MALLOC_",
    "LUA_INIT",
    "LLM_AUTH_HOME",
];

/// The ends of names that name a program to run.
const RUN: [&str; 5] = [
    "_ASKPASS",
    "_PROFILER",
    "_PROFILER_PATH",
    "_WRAPPER",
    "NODE_OPTIONS",
];

/// The addresses that programs send their requests to.
const PROXIES: [&str; 4] = ["ALL_PROXY", "FTP_PROXY", "HTTP_PROXY", "HTTPS_PROXY"];

/// What shells, interpreters and other programs load or run.
const LOADED: [&str; 44] = [
    "BASH_ENV",
    "BASHOPTS",
    "BUN_OPTIONS",
    "BROWSER",
    "CLASSPATH",
    "DOTNET_STARTUP_HOOKS",
    "EDITOR",
    "ENV",
    "ERL_FLAGS",
    "GIT_EDITOR",
    "GIT_PAGER",
    "GIT_SSH_COMMAND",
    "HOME",
    "GCONV_PATH",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSOPEN",
    "LIBPATH",
    "LOCPATH",
    "MAVEN_OPTS",
    "NLSPATH",
    "NODE_PATH",
    "OPENSSL_CONF",
    "PAGER",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONBREAKPOINT",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "SHELLOPTS",
    "SHLIB_PATH",
    "VISUAL",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// The names of variables are of one case on Windows.
fn is_called(name: &str, other: &str) -> bool {
    name == other || (cfg!(windows) && name.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_no_variable_that_programs_load_run_or_send_requests_to() {
        for name in [
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "npm_config_node_options",
            "GIT_ASKPASS",
            "RUSTC_WRAPPER",
            "CORECLR_PROFILER",
            "https_proxy",
            "ALL_PROXY",
            "EDITOR",
            "PYTHONPATH",
        ] {
            assert!(variable(name).is_err(), "{name}");
        }
        for name in [
            "OPENAI_API_KEY",
            "MY_PROXY",
            "LITELLM_PROXY_API_KEY",
            "TOKEN",
        ] {
            assert_eq!(variable(name).as_deref(), Ok(name));
        }
    }
}
