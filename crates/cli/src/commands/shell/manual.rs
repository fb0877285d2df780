//! The sections of each manual page that the command line itself does not hold (man-pages(7)).

/// In the language of roff.
pub(super) const MORE: &[u8] = br#".SH "EXIT STATUS"
.TP
.B 0
success
.TP
.B 1
other failure: configuration, store, an invalid response
.TP
.B 2
usage: an unknown provider, an invalid option
.TP
.B 3
sign in (again)
.TP
.B 4
temporary failure: try again
.TP
.B 5
the user denied the sign-in, or the code expired, or the wait timed out
.TP
.BR 126 ", " 127
.B exec
cannot run the program, or cannot find it; otherwise the exit status is that of the program
.TP
.BR 129 ", " 130 ", " 131 ", " 143
hung up, interrupted, quit, terminated; a refresh in progress is stored first
.SH ENVIRONMENT
An empty variable is treated as unset.
.TP
.B LLM_AUTH_HOME
the directory of sessions and settings
.TP
.B LLM_AUTH_LOG
log directives such as
.B debug
or
.B llm_auth_core=trace
.TP
.B LLM_AUTH_CA_FILE
PEM certificates to trust in addition to those of the system
.TP
.BR SSL_CERT_FILE ", " SSL_CERT_DIR
on Linux and the BSDs: a PEM file, and directories of PEM files separated by colons, instead of the certificates of
the system; the TLS library uses the values unchanged, white space included
.TP
.BI LLM_AUTH_ PROVIDER _ACCOUNT
the account to use without
.B \-\-account
.TP
.BI LLM_AUTH_ PROVIDER _BASE_URL
sets scheme, host and port of all endpoints of the provider, for new sign-ins only
.TP
.BI LLM_AUTH_ PROVIDER _ ENDPOINT _ENDPOINT
sets one endpoint: AUTHORIZATION, DEVICE_AUTHORIZATION, TOKEN, REVOCATION or USERINFO;
for new sign-ins only
.TP
.BI LLM_AUTH_ PROVIDER "_CLIENT_ID" \fR,\fP " LLM_AUTH_" PROVIDER _SCOPE
the OAuth client, and the scope
.TP
.BI LLM_AUTH_ PROVIDER _CLIENT_SECRET
the secret of the OAuth client, if the user brings it: gemini, where it and the client replace
.BR \-\-client\-file ,
and huggingface, where a public client has none
.TP
.B LLM_AUTH_GEMINI_QUOTA_PROJECT
the project that API calls are billed to
.TP
.BR https_proxy ", " HTTPS_PROXY ", " all_proxy ", " ALL_PROXY ", " no_proxy ", " NO_PROXY
the proxy, and the hosts that bypass it; loopback always does
.TP
.B BROWSER
the programs that open pages, separated by colons; words may be quoted;
.B %s
is replaced by the page, which is otherwise appended
.TP
.BR DISPLAY ", " WAYLAND_DISPLAY ", " SSH_CONNECTION ", " WSL_DISTRO_NAME
where the user is; they decide whether a browser is opened
.TP
.BR NO_COLOR ", " TERM ", " LC_ALL ", " LC_CTYPE ", " LANG
what the terminal can display
.SH FILES
.I ~/.local/share/llm-auth
is the default of
.BR LLM_AUTH_HOME ;
.B XDG_DATA_HOME
moves it.
.TP
.IR ~/.local/share/llm-auth/sessions/ PROVIDER / ACCOUNT .json
a session: access token, refresh token and metadata; mode 0600, in directories of mode 0700
.TP
.IR ~/.local/share/llm-auth/sessions/ PROVIDER / ACCOUNT .json.corrupt\-*
an unreadable session, which a sign-in keeps
.TP
.I ~/.local/share/llm-auth/settings.json
the current account of each provider
.RB ( current ),
and other servers that may receive credentials
.RB ( trusted_endpoints ,
a list; read only from the user's own directory)
.TP
.IR ~/Downloads/llm\-auth\-sign\-in\-* /sign\-in.html
redirects the browser to the sign-in page; it exists only while the browser opens. The downloads directory is that of
.IR ~/.config/user\-dirs.dirs ,
otherwise
.B XDG_RUNTIME_DIR
or the directory for temporary files
"#;
