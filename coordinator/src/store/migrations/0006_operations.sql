-- What was measured, asked, done and by whom.

create table hits (
  day date not null,
  list_no int not null,
  prefix cidr not null,
  packets bigint not null,
  bytes bigint not null,
  agents int not null,
  last_at timestamptz not null,
  primary key (list_no, prefix, day)
);

create table hit_totals (
  day date not null,
  list_no int not null,
  rank smallint not null,
  -- 0 = not of a feed.
  feed_no int not null default 0,
  packets bigint not null,
  bytes bigint not null,
  primary key (day, list_no, rank, feed_no)
);

create table probes (
  probe_no bigint primary key generated always as identity,
  agent_no int not null,
  address inet not null,
  asked_at timestamptz not null default clock_timestamp(),
  answered_at timestamptz,
  error text,
  hops jsonb
);
create index probes_agent on probes (agent_no, asked_at);

-- Append only.
create table audit_log (
  audit_no bigint primary key generated always as identity,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  role text not null,
  act text not null,
  subject text not null,
  reason text,
  before jsonb,
  after jsonb,
  previous_sha256 bytea
);

create table job_runs (
  run_no bigint primary key generated always as identity,
  job text not null,
  subject text,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  outcome text,
  detail jsonb
);
create index job_runs_job on job_runs (job, started_at);
