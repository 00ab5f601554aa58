-- A mark of each write that plans: after a connection that was lost in the middle of a commit, whoever sent it looks whether
-- it is here. The number of a transaction does not tell: after a crash another one may get the same.

create table writes (
  mark bytea primary key,
  at timestamptz not null default clock_timestamp()
);
