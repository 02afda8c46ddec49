//! The proof that something was recorded.

/// Something that was recorded before it may be sent. Only [`Audit`](crate::Audit) makes one.
#[derive(Debug)]
#[must_use = "it was recorded as done, so it should be sent"]
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self(inner)
    }

    /// Something that is nobody's and says nothing of anybody: what a service can do.
    pub(crate) const fn public(inner: T) -> Self {
        Self(inner)
    }

    /// What was recorded.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The same in another form: what was recorded does not change by being written differently.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded(change(self.0))
    }
}
