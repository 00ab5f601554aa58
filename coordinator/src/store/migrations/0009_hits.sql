-- Which agents tried a listing, what a feed is worth, and when nobody tries an open-ended listing any more.

-- At most 64; `agents` is their number.
alter table hits add column agent_nos int[] not null default '{}';
create index hits_day on hits (day);

alter table hit_totals add column last_at timestamptz;

-- Agents whose kernels count packets: without it no hits say nothing. One that says it does not count is taken out.
create table hit_counting (
  agent_no int primary key references agents,
  counting_since timestamptz not null,
  counted_at timestamptz not null
);

-- When an open-ended listing was last tried, by a packet or a sighting: outlives both.
create table listing_tries (
  list_no int not null,
  prefix cidr not null,
  last_at timestamptz not null,
  primary key (list_no, prefix)
);

-- Ended by the policy because nobody tried it.
alter table bans add column pruned boolean not null default false;
