//! An answer of the stand-in, before it is HTTP.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::mep::REQUEST_ID_HEADER;

const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_HEADER);

/// A status, what names the request, at most one more header, and a body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) request_id: Option<String>,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    content_type: &'static str,
}

impl Reply {
    /// The contract's good answer.
    pub(super) fn accepted(request_id: String) -> Self {
        Reply { request_id: Some(request_id), ..Reply::empty(StatusCode::ACCEPTED) }
    }

    /// A status and nothing else.
    pub(super) fn empty(status: StatusCode) -> Self {
        Reply { status, request_id: None, header: None, body: Bytes::new(), content_type: "" }
    }

    /// An error in the shape of the vendor's SMS API, for no document shows this one's.
    pub(super) fn error(status: StatusCode, code: Option<u32>, description: &str) -> Self {
        let body = ErrorBody { error: ErrorDetail { code, description } };
        // A struct of a number and a string always serializes.
        let body = serde_json::to_vec(&body).unwrap_or_default().into();
        let challenge = (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mep-batch simulate\""));
        let header = (status == StatusCode::UNAUTHORIZED).then_some(challenge);
        Reply { status, request_id: None, header, body, content_type: "application/json" }
    }

    /// A page of something that stands between the client and the service.
    pub(super) fn page(status: StatusCode) -> Self {
        let body = Bytes::from(format!("<html><body><h1>{status}</h1></body></html>\n"));
        Reply { body, content_type: "text/html", ..Reply::empty(status) }
    }

    /// The same with a header.
    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Reply { header: Some((name, value)), ..self }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        // A request ID is of letters, digits and hyphens, or empty.
        if let Some(Ok(id)) = self.request_id.map(HeaderValue::try_from) {
            headers.insert(REQUEST_ID, id);
        }
        if !self.content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    description: &'a str,
}
