-- Lists for firewalls that run no agent: who may fetch them, and how far each bouncer has come.

create table publish_tokens (
  token_no int primary key generated always as identity,
  -- SHA-256 of the token.
  token_hash bytea not null unique,
  name text not null,
  -- Names of lists.
  lists text[] not null,
  max_rank smallint not null,
  -- For machines of the operator's own: also what a feed's terms forbid to publish.
  for_own_use boolean not null,
  -- Where it may be used; empty = anywhere.
  ranges cidr[] not null default '{}',
  ends_at timestamptz,
  created_by text not null,
  reason text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
create unique index publish_tokens_name on publish_tokens (name) where revoked_at is null;

create table publish_uses (
  token_no int not null references publish_tokens,
  address inet not null,
  used_at timestamptz not null,
  -- As it calls itself.
  program text not null,
  requests bigint not null,
  -- What a bouncer has been told of, by its last pull: a point in the ledger's history. Null = it has pulled nothing.
  pulled_epoch bytea,
  pulled_revision bigint,
  pulled_at timestamptz,
  primary key (token_no, address)
);
