//! The sections of each manual page that the command line itself does not hold (man-pages(7)).

/// In the language of roff.
pub(super) const MORE: &[u8] = br#".SH "EXIT STATUS"
.TP
.B 0
done
.TP
.B 1
other failure: configuration, store, a response that makes no sense
.TP
.B 2
usage: an unknown vendor, a flag that makes no sense
.TP
.B 3
sign in (again)
.TP
.B 4
temporary: try again
.TP
.B 5
the person denied it, or the code or the time to wait ran out
.TP
.BR 126 ", " 127
.B exec
cannot run the program, or does not find it; otherwise it returns the exit status of the program
.TP
.BR 129 ", " 130 ", " 131 ", " 143
hung up, interrupted, quit, terminated; a refresh that has begun is stored first
.SH ENVIRONMENT
An empty variable counts as not set.
.TP
.B LLM_AUTH_HOME
the directory of everything that is kept
.TP
.B LLM_AUTH_LOG
log directives such as
.B debug
or
.B llm_auth_core=trace
.TP
.B LLM_AUTH_CA_FILE
PEM certificates to trust beside those of the system
.TP
.BR SSL_CERT_FILE ", " SSL_CERT_DIR
on Linux and the BSDs: a PEM file, directories of PEM files (separated by colons), in place of the certificates of
the system; the TLS library reads them as they are, with any white space
.TP
.BI LLM_AUTH_ VENDOR _ACCOUNT
the account that is meant where
.B \-\-account
names none
.TP
.BI LLM_AUTH_ VENDOR _BASE_URL
replaces scheme, host and port of all endpoints of the vendor, for new sign-ins only
.TP
.BI LLM_AUTH_ VENDOR _ ENDPOINT _ENDPOINT
replaces one endpoint: AUTHORIZATION, DEVICE_AUTHORIZATION, TOKEN, REVOCATION or USERINFO;
for new sign-ins only
.TP
.BI LLM_AUTH_ VENDOR "_CLIENT_ID" \fR,\fP " LLM_AUTH_" VENDOR _SCOPE
another client, another scope
.TP
.BR LLM_AUTH_GEMINI_CLIENT_SECRET ", " LLM_AUTH_GEMINI_QUOTA_PROJECT
the client secret, in place of
.BR \-\-client\-file ;
the project that calls count on
.TP
.BR https_proxy ", " HTTPS_PROXY ", " all_proxy ", " ALL_PROXY ", " no_proxy ", " NO_PROXY
the proxy, and the hosts that go without it; loopback always does
.TP
.B BROWSER
the programs that open pages, separated by colons; words may be quoted,
.B %s
is where the page stands, otherwise it comes last
.TP
.BR DISPLAY ", " WAYLAND_DISPLAY ", " SSH_CONNECTION ", " WSL_DISTRO_NAME
where the person is: they decide whether a browser is opened
.TP
.BR NO_COLOR ", " TERM ", " LC_ALL ", " LC_CTYPE ", " LANG
what a terminal can show
.SH FILES
.I ~/.local/share/llm-auth
stands for the directory of
.BR LLM_AUTH_HOME ,
or of
.BR XDG_DATA_HOME .
.TP
.IR ~/.local/share/llm-auth/sessions/ VENDOR / ACCOUNT .json
a session: access token, refresh token and what belongs to them; mode 0600, in directories of mode 0700
.TP
.IR ~/.local/share/llm-auth/sessions/ VENDOR / ACCOUNT .json.corrupt\-*
what stood there and could not be read; a sign-in keeps it
.TP
.I ~/.local/share/llm-auth/settings.json
the current account of each vendor
.RB ( current ),
and the servers that may have credentials though they are not the vendors' own
.RB ( trusted_endpoints ,
a list; only that of the user's own directory counts)
.TP
.IR ~/Downloads/llm\-auth\-sign\-in\-* /sign\-in.html
leads the browser to the page of a sign-in, and is removed at its end; only while a browser is opened. The
directory for downloads is that of
.IR ~/.config/user\-dirs.dirs ;
without one it is
.B XDG_RUNTIME_DIR
or the directory for temporary files
"#;
