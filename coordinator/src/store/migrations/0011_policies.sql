-- A policy's life: tried on one group, in force for all, confirmed, rolled back; and what its strikes rest on.

alter table policies
  add column reason text not null default '',
  -- So many days of sightings were decided anew when it was applied.
  add column days int not null default 7,
  -- What it would add is listed for this group alone, until then.
  add column canary_group text,
  add column canary_until timestamptz,
  -- In force for all; null = not yet, or never.
  add column began_at timestamptz,
  -- Goes back by itself so long after that, unless confirmed; null = never.
  add column confirm_seconds int,
  -- An operator has seen its plan, however much that changes.
  add column approved boolean not null default false,
  -- All that follows from it is listed.
  add column settled_at timestamptz,
  add column rolled_back_by text,
  add column rolled_back_because text,
  -- All that followed from it is undone.
  add column undone_at timestamptz,
  -- The replica that works on it.
  add column leased_until timestamptz,
  add column leased_by text;

alter table ledger
  -- By which everything is decided; 0 = the defaults.
  add column policy_no bigint not null default 0,
  -- Moves when lists are added, or reach otherwise than before.
  add column lists_version bigint not null default 0;

-- When the sighting that struck was received: a replay from later on says nothing of that strike.
alter table strikes add column made_at timestamptz;
update strikes set made_at = struck_at;
alter table strikes alter column made_at set default clock_timestamp();
alter table strikes alter column made_at set not null;
create index strikes_made on strikes (made_at);
create index strikes_voided on strikes (voided_by) where voided_by is not null;

-- What a policy on trial would add; only agents of its canary group are given it.
insert into lists (list_no, name, effect, requires, lease_seconds) values (5, 'trial', 'deny', '{1}', 86400);
