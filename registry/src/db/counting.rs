//! How many rows a query has, counted no further than its limit.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;

/// `SELECT COUNT(*)` of a query, which may have a limit.
#[derive(Debug, QueryId)]
pub(super) struct Count<Q>(Q);

/// Counts what a query finds.
pub(super) const fn count<Q>(query: Q) -> Count<Q> {
    Count(query)
}

impl<Q, DB: Backend> QueryFragment<DB> for Count<Q>
where
    Q: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT COUNT(*) FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS counted");
        Ok(())
    }
}

impl<Q> Query for Count<Q> {
    type SqlType = BigInt;
}

impl<Q, C> RunQueryDsl<C> for Count<Q> {}
