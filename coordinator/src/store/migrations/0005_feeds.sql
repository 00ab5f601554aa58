-- Outside lists, and what goes back to them.

create table feeds (
  feed_no int primary key generated always as identity,
  name text not null unique,
  kind text not null,
  settings jsonb not null default '{}',
  list_no int not null default 3 references lists,
  mode text not null default 'enforce' check (mode in ('off', 'observe', 'enforce')),
  licence smallint not null default 0,
  stale_after_seconds int not null,
  next_at timestamptz,
  leased_until timestamptz,
  leased_by text,
  quota jsonb not null default '{}'
);

create table feed_fetches (
  fetch_no bigint primary key generated always as identity,
  feed_no int not null references feeds,
  fetched_at timestamptz not null default clock_timestamp(),
  generated_at timestamptz,
  etag text,
  sha256 bytea,
  entries int,
  refused int,
  outcome text not null
);
create index feed_fetches_feed on feed_fetches (feed_no, fetched_at);

create table feed_prefixes (
  feed_no int not null references feeds,
  prefix cidr not null,
  confidence smallint not null,
  first_fetch_no bigint not null,
  last_fetch_no bigint not null,
  primary key (feed_no, prefix)
);
create index feed_prefixes_prefix on feed_prefixes (prefix);

create table reports (
  report_no bigint primary key generated always as identity,
  prefix cidr not null,
  feed_no int references feeds,
  categories int[] not null default '{}',
  state text not null check (state in ('planned', 'sending', 'sent', 'refused', 'unknown')),
  planned_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz,
  answer jsonb
);
create index reports_prefix on reports (prefix, sent_at);
