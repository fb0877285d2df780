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
    if LOADED.iter().any(|other| is_called(name, other)) || LOADERS.iter().any(is_taken) {
        return Err("programs load or run what it names, and would print a token in errors".into());
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

/// What shells and interpreters load or run before the program itself.
const LOADED: [&str; 32] = [
    "BASH_ENV",
    "BASHOPTS",
    "BUN_OPTIONS",
    "CLASSPATH",
    "DOTNET_STARTUP_HOOKS",
    "ENV",
    "GIT_SSH_COMMAND",
    "HOME",
    "GCONV_PATH",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LIBPATH",
    "LOCPATH",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "SHLIB_PATH",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// The names of variables are of one case on Windows.
fn is_called(name: &str, other: &str) -> bool {
    name == other || (cfg!(windows) && name.eq_ignore_ascii_case(other))
}
