-- What agents saw. Exactly once by spools.acked_seq: a unique key on a partitioned table would have to contain the day,
-- and would count a sighting twice that is sent again after midnight.

create table spools (
  spool_no bigint primary key generated always as identity,
  agent_no int not null,
  incarnation bytea not null check (octet_length(incarnation) = 16),
  acked_seq bigint not null default 0,
  acked_act bytea,
  -- Numbers that never came: records dropped by the agent because its spool was full.
  gaps bigint not null default 0,
  last_at timestamptz not null default clock_timestamp(),
  unique (agent_no, incarnation)
);

create table sightings (
  received_at timestamptz not null,
  spool_no bigint not null,
  seq bigint not null,
  agent_no int not null,
  prefix cidr not null,
  offender cidr not null,
  kind smallint not null,
  source smallint not null,
  jail text not null,
  protocol text not null,
  ports text not null,
  failures bigint not null,
  sighted_at timestamptz not null,
  ban_seconds bigint not null,
  ban_count bigint not null,
  act bytea not null,
  outcome smallint not null,
  evidence bytea
) partition by range (received_at);
create index sightings_offender on sightings (offender, received_at);

-- A day for which no partition was made ahead must never fail a commit.
create table sightings_default partition of sightings default;

-- Counted sightings of kind ban, from the first day on: the fleet's own measure of what it spares its servers.
create table local_bans (
  day date not null,
  agent_no int not null,
  jail text not null,
  bans bigint not null,
  primary key (day, agent_no, jail)
);
