-- The fleet: agents, what they are allowed to say they are, and how far each has come.

create table agent_groups (
  name text primary key,
  lists int[] not null,
  settings jsonb not null default '{}'
);
insert into agent_groups (name, lists) values ('default', '{1,2,3,4}');

create table agents (
  agent_no int primary key generated always as identity,
  agent_id uuid not null unique,
  name text not null,
  agent_group text not null default 'default' references agent_groups,
  state text not null default 'enrolled' check (state in ('enrolled', 'revoked')),
  capacity_entries bigint not null default 0,
  enrolled_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  last_hello jsonb
);

create table agent_certificates (
  serial text primary key,
  agent_no int not null references agents,
  key_fingerprint bytea not null,
  issued_at timestamptz not null,
  ends_at timestamptz not null,
  revoked_at timestamptz
);
create index agent_certificates_agent on agent_certificates (agent_no);

-- agent_no 0 = the coordinators' own.
create table agent_addresses (
  agent_no int not null,
  address inet not null,
  origin text not null check (origin in ('observed', 'claimed', 'approved')),
  seen_at timestamptz not null default clock_timestamp(),
  primary key (agent_no, address)
);
create index agent_addresses_address on agent_addresses using gist (address inet_ops);

-- Written in batches; after a crash each agent reports anew.
create unlogged table agent_lists (
  agent_no int not null,
  list_no int not null,
  revision bigint not null,
  kernel_digest bytea,
  kernel_entries bigint not null default 0,
  left_out bigint not null default 0,
  kept bigint not null default 0,
  line jsonb,
  checked_at timestamptz,
  replica text,
  written_at timestamptz not null default clock_timestamp(),
  primary key (agent_no, list_no)
);

create table enrollment_tokens (
  token_hash bytea primary key,
  agent_group text not null references agent_groups,
  uses_left int not null,
  ranges cidr[] not null default '{}',
  ends_at timestamptz not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp()
);
