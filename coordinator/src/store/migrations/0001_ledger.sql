-- The ledger: lists, their listings, and the history behind them. `until` null = open-ended.

create table ledger (
  only_row boolean primary key default true check (only_row),
  epoch bytea not null check (octet_length(epoch) = 16),
  -- One counter for all lists: a list's revision is the ledger's at its last change. The row's lock orders all commits.
  revision bigint not null default 0,
  digest_key bytea not null check (octet_length(digest_key) = 16),
  -- 1 = sum of SipHash-2-4-128.
  digest_kind smallint not null default 1,
  begun_at timestamptz not null default clock_timestamp(),
  last_commit_at timestamptz
);

create table lists (
  list_no int primary key,
  name text not null unique,
  effect text not null check (effect in ('deny', 'exempt')),
  reach jsonb not null default '{"kind": "all-traffic"}',
  -- Features that an agent must honor to be given this list; 1 = exempt lists.
  requires int[] not null default '{}',
  lease_seconds int not null,
  documentation_only boolean not null default false,
  revision bigint not null default 0,
  digest numeric(39) not null default 0,
  listings int not null default 0,
  -- IPv4 addresses, and IPv6 networks of 64 bits.
  covered_addresses numeric not null default 0,
  kept_revision bigint not null default 0,
  kept_at timestamptz not null default clock_timestamp(),
  changed_since_kept int not null default 0,
  -- All changes after this revision are still there.
  changes_after bigint not null default 0
);

-- An exempt entry's lease is a day longer than any deny lease.
insert into lists (list_no, name, effect, requires, lease_seconds, documentation_only) values
  (1, 'exempt', 'exempt', '{1}', 172800, false),
  (2, 'fleet', 'deny', '{1}', 86400, false),
  (3, 'feeds', 'deny', '{1}', 86400, false),
  (4, 'probe', 'deny', '{}', 60, true);

create table listings (
  -- No reference to lists: the check would cost every commit a look-up a row.
  list_no int not null,
  prefix cidr not null,
  until timestamptz,
  rank smallint not null,
  revision bigint not null,
  listed_at timestamptz not null,
  -- Exempt lists only: when the pardon began.
  begun_at timestamptz,
  -- [{kind, key}], at most eight.
  reasons jsonb not null,
  primary key (list_no, prefix)
);
create index listings_until on listings (list_no, until);

create table changes (
  revision bigint not null,
  list_no int not null,
  prefix cidr not null,
  until timestamptz,
  rank smallint not null,
  begun_at timestamptz,
  removed boolean not null,
  primary key (revision, list_no, prefix)
);

create table revisions (
  list_no int not null,
  revision bigint not null,
  digest numeric(39) not null,
  listings int not null,
  committed_at timestamptz not null,
  -- 1 sightings, 2 operator, 3 feed, 4 expiry, 5 policy, 6 claim.
  cause smallint not null,
  cause_no bigint,
  approved boolean not null,
  -- Agents report within this time; 0 = when convenient.
  report_within_ms int not null default 0,
  kept boolean not null,
  primary key (list_no, revision)
);

create table snapshots (
  list_no int not null,
  revision bigint not null,
  digest numeric(39) not null,
  listings int not null,
  columns_sha256 bytea not null,
  sha256 bytea not null,
  body bytea not null,
  made_at timestamptz not null default clock_timestamp(),
  primary key (list_no, revision)
);
alter table snapshots alter column body set storage external; -- it is gzip already
