//! Bounded use of the database: nobody waits for an answer without end, and no session in doubt is used again.
//!
//! The server ends a statement that takes too long (`statement_timeout`). When the server, or the network to it, falls
//! silent, nobody does: neither TCP nor sqlx gives up a read. So every statement, `begin` and `commit` among them, has a
//! limit here too, a little longer than the server's own. A session that did not answer within it is closed, and its place
//! in the pool is free at once.
//!
//! A call may be dropped half-way (`select!`, `timeout`): its session is closed then, or rolled back before anybody gets it.

use std::future::Future;
use std::io::{Error as IoError, ErrorKind};
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};
use tokio::time::timeout;

use crate::error::ends_the_session;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
type Answers<'a> = Pin<Box<dyn Stream<Item = Result<Either<PgQueryResult, PgRow>, Error>> + Send + 'a>>;

/// The pool of a [`Store`](crate::Store): an executor whose statements are bounded.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) connections: PgPool,
    /// How long the answer to one statement is waited for.
    pub(crate) answer_max: Duration,
}

/// A session for the time of one call; a transaction once it has [begun](Pool::begin). What is not committed is rolled back.
#[derive(Debug)]
pub(crate) struct Tx {
    /// None once it was closed.
    connection: Option<PoolConnection<Postgres>>,
    answer_max: Duration,
    /// A transaction was begun and did not end.
    open: bool,
    /// A statement was sent and its answer has not come to its end.
    in_doubt: bool,
}

impl Pool {
    /// A session without a transaction.
    pub(crate) async fn session(&self) -> Result<Tx, Error> {
        let connection = self.connections.acquire().await?;
        Ok(Tx { connection: Some(connection), answer_max: self.answer_max, open: false, in_doubt: false })
    }

    /// A transaction.
    pub(crate) async fn begin(&self) -> Result<Tx, Error> {
        let mut tx = self.session().await?;
        tx.open = true; // before it is sent: in doubt it is rolled back
        (&mut tx).execute("begin").await?;
        Ok(tx)
    }
}

impl Tx {
    /// Commits. When the answer does not come, nobody knows whether it did: the caller does it again, under the same keys.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        (&mut self).execute("commit").await?;
        self.open = false;
        Ok(())
    }

    /// Lets the statements of this transaction take longer than others.
    pub(crate) async fn allow(&mut self, statement: Duration) -> Result<(), Error> {
        let set =
            sqlx::query("select set_config('statement_timeout', $1, true)").bind(statement.as_millis().to_string());
        set.execute(&mut *self).await?;
        self.answer_max = self.answer_max.max(statement.saturating_add(ANSWER_MARGIN));
        Ok(())
    }

    /// Closes the session at once, without a word to the server.
    pub(crate) fn close(&mut self) {
        self.connection.take().map(PoolConnection::detach);
    }

    /// All that a statement gives.
    async fn all<'q>(
        &mut self,
        query: impl Execute<'q, Postgres> + 'q,
    ) -> Result<Vec<Either<PgQueryResult, PgRow>>, Error> {
        let limit = self.answer_max;
        let answer = timeout(limit, self.send()?.fetch_many(query).try_collect()).await;
        self.settle(answer)
    }

    async fn optional<'q>(&mut self, query: impl Execute<'q, Postgres> + 'q) -> Result<Option<PgRow>, Error> {
        let limit = self.answer_max;
        let answer = timeout(limit, self.send()?.fetch_optional(query)).await;
        self.settle(answer)
    }

    async fn prepared(&mut self, sql: SqlStr, parameters: &[PgTypeInfo]) -> Result<PgStatement, Error> {
        let limit = self.answer_max;
        let answer = timeout(limit, self.send()?.prepare_with(sql, parameters)).await;
        self.settle(answer)
    }

    /// The connection for one statement, in doubt until [settled](Tx::settle).
    fn send(&mut self) -> Result<&mut PgConnection, Error> {
        self.in_doubt = true;
        self.connection
            .as_deref_mut()
            .ok_or_else(|| IoError::new(ErrorKind::NotConnected, "the session was closed").into())
    }

    /// What came of a statement; a session that is no use after it is closed.
    fn settle<T>(&mut self, answer: Result<Result<T, Error>, tokio::time::error::Elapsed>) -> Result<T, Error> {
        self.in_doubt = false;
        let outcome = answer.unwrap_or_else(|_| {
            let silent = format!("no answer within {} s", self.answer_max.as_secs());
            Err(IoError::new(ErrorKind::TimedOut, silent).into())
        });
        if outcome.as_ref().is_err_and(ends_the_session) {
            self.close();
        }
        outcome
    }
}

/// How much longer than the server's own limit an answer is waited for.
pub(crate) const ANSWER_MARGIN: Duration = Duration::from_secs(5);

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Without a runtime nobody can go on with it.
        let runtime = tokio::runtime::Handle::try_current();
        match runtime {
            Ok(runtime) if !self.in_doubt => {
                runtime.spawn(give_back(connection, self.open, self.answer_max));
            }
            _ => drop(connection.detach()),
        }
    }
}

/// Gives a connection back to its pool, rolled back; or closes it when that is not answered. Left to itself, sqlx waits for
/// that answer without end, and the place in the pool is lost.
async fn give_back(mut connection: PoolConnection<Postgres>, open: bool, limit: Duration) {
    if open && !matches!(timeout(limit, connection.execute("rollback")).await, Ok(Ok(_))) {
        drop(connection.detach());
        return;
    }
    // Dropped unfinished, this future closes the connection.
    let _ = timeout(limit, connection.return_to_pool()).await;
}

impl<'c> Executor<'c> for &'c mut Tx {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Answers<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        whole(self.all(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(self.optional(query))
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'c: 'e,
    {
        Box::pin(self.prepared(sql, parameters))
    }

    fn describe<'e>(self, _: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'c: 'e,
    {
        Box::pin(async { Err(Error::InvalidArgument("only sqlx's macros describe, at compile time".to_owned())) })
    }
}

impl<'c> Executor<'c> for &'c Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Answers<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        whole(async move { self.session().await?.all(query).await })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<PgRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move { self.session().await?.optional(query).await })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> Answer<'e, PgStatement>
    where
        'c: 'e,
    {
        Box::pin(async move { self.session().await?.prepared(sql, parameters).await })
    }

    fn describe<'e>(self, _: SqlStr) -> Answer<'e, Describe<Postgres>>
    where
        'c: 'e,
    {
        Box::pin(async { Err(Error::InvalidArgument("only sqlx's macros describe, at compile time".to_owned())) })
    }
}

/// An answer as the stream that sqlx asks for: it is here as a whole before its first part is given out, so that one limit
/// bounds it all.
fn whole<'e>(
    answer: impl Future<Output = Result<Vec<Either<PgQueryResult, PgRow>>, Error>> + Send + 'e,
) -> Answers<'e> {
    stream::once(answer).map_ok(|parts| stream::iter(parts.into_iter().map(Ok))).try_flatten().boxed()
}
