//! The scopes that a variable may stand in.

use std::fmt;

/// A scope of `variables`. Session scopes end with the session; user scopes persist, across services too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// This request.
    Request,
    /// The session that the request starts.
    Session,
    /// The user, in every service.
    User,
    /// The user, in this service.
    UserService,
    /// The user, in this service's collection.
    UserServiceColl,
}

impl Scope {
    /// Every scope, in the vendor's order.
    pub const ALL: [Scope; 5] =
        [Scope::Request, Scope::Session, Scope::User, Scope::UserService, Scope::UserServiceColl];

    /// The name on the wire: lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Request => "request",
            Scope::Session => "session",
            Scope::User => "user",
            Scope::UserService => "userservice",
            Scope::UserServiceColl => "userservicecoll",
        }
    }

    /// The scope of that name in any case; `None` for anything else.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
