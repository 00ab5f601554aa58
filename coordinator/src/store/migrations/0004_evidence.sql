-- What the policy decides by, and what operators said.

create table offenders (
  prefix cidr primary key,
  first_at timestamptz not null,
  last_at timestamptz not null,
  sightings bigint not null,
  -- Distinct agents among `recent`.
  agents smallint not null,
  -- Of the moment last_at; it fades from there and is as good as nothing at decays_at.
  score real not null,
  decays_at timestamptz not null,
  -- Nothing before it counts: pardon, void.
  evidence_from timestamptz,
  -- The newest sighting of each of at most 32 agents: [{agent, jail, at}]; it bounds what a decision reads.
  recent jsonb not null default '[]'
);

create sequence strike_numbers;
create table strikes (
  strike_no bigint primary key,
  prefix cidr not null,
  list_no int not null,
  struck_at timestamptz not null,
  until timestamptz,
  policy_no bigint not null,
  agents int[] not null,
  -- Jails, counts, first and last: outlives the sightings.
  summary jsonb not null check (octet_length(summary::text) <= 1024),
  revision bigint not null,
  voided_at timestamptz,
  voided_by text
);
create index strikes_prefix on strikes (prefix, struck_at);
create index strikes_policy on strikes (policy_no);

create table bans (
  ban_no bigint primary key generated always as identity,
  prefix cidr not null,
  list_no int not null default 2,
  until timestamptz,
  rank smallint not null default 0,
  reason text not null,
  author text not null,
  banned_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create index bans_prefix on bans (prefix);

create table pardons (
  number bigint primary key generated always as identity,
  prefix cidr not null,
  until timestamptz,
  reason text not null,
  author text not null,
  begun_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  local boolean not null default false
);
create index pardons_prefix on pardons using gist (prefix inet_ops);

create table allowlist (
  number bigint primary key generated always as identity,
  prefix cidr not null,
  until timestamptz,
  reason text not null,
  author text not null,
  begun_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  local boolean not null default false
);
create index allowlist_prefix on allowlist using gist (prefix inet_ops);

create table policies (
  policy_no bigint primary key generated always as identity,
  body text not null,
  sha256 bytea not null,
  author text not null,
  applied_at timestamptz not null default clock_timestamp(),
  confirmed_at timestamptz,
  rolled_back_at timestamptz
);

create table holds (
  hold_no bigint primary key generated always as identity,
  subject text not null check (subject in ('feed', 'policy', 'list', 'claim', 'clock', 'prefix')),
  subject_no bigint,
  -- Of a claim or a prefix.
  prefix cidr,
  reason text not null,
  fetch_no bigint,
  body jsonb,
  plan_sha256 bytea,
  opened_at timestamptz not null default clock_timestamp(),
  ends_at timestamptz,
  resolved_at timestamptz,
  resolved_by text,
  resolution text check (resolution in ('approved', 'rejected', 'superseded', 'ended'))
);
create unique index holds_open on holds (subject, coalesce(subject_no, 0), coalesce(prefix, '0.0.0.0/0'::cidr))
  where resolved_at is null;
