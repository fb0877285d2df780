//! The control API for other processes.

mod commands;
mod index;
mod state;

use hyper::Method;

use commands::execute;
use index::{exports, index};
use state::state;

use crate::http::{Request, Response};
use crate::shared::Shared;

pub(crate) fn owns(path: &str) -> bool {
    path == "/" || path == "/testkit" || path.starts_with("/testkit/")
}

pub(crate) fn respond(shared: &Shared, request: &Request) -> Response {
    if !request.host_is_loopback() {
        return Response::oauth_error(421, "misdirected", "only for a loopback host name");
    }
    let get = request.method == Method::GET;
    match (get, request.path.as_str()) {
        (true, "/" | "/testkit" | "/testkit/") => index(shared),
        (true, "/testkit/env") => Response::new(200, "text/plain", exports(shared)),
        (true, "/testkit/state") => Response::json(200, &state(shared)),
        (true, "/testkit/client_secret.json") => {
            Response::new(200, "application/json", shared.client_file())
        }
        (true, _) => Response::oauth_error(404, "not_found", "no such control path"),
        (false, path) => match execute(shared, request, path) {
            Ok(done) => Response::json(200, &done),
            Err(why) => Response::oauth_error(400, "invalid_request", &why),
        },
    }
}
