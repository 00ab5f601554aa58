-- Reports to AbuseIPDB: what was planned, asked and answered; and news for operators, each told once.

-- What was sighted since is found by its time, not by its address: one small range index a day's partition.
create index sightings_received on sightings using brin (received_at) with (pages_per_range = 32, autosummarize = on);

-- Calls of the API, booked before they are made: a crash can waste one but never hide one.
create table report_calls (
  call_no bigint primary key generated always as identity,
  endpoint text not null check (endpoint in ('report', 'bulk-report', 'check')),
  called_at timestamptz not null default clock_timestamp(),
  -- The answer's; null = not known.
  status int,
  reports int not null default 0
);
create index report_calls_endpoint on report_calls (endpoint, called_at);

-- What the service last said of each quota, whoever used it up.
create table report_quotas (
  endpoint text primary key check (endpoint in ('report', 'bulk-report', 'check')),
  calls_a_day int,
  remaining int,
  told_at timestamptz,
  blocked_until timestamptz,
  -- Calls in a row that failed, and how the last one did.
  failures int not null default 0,
  problem text
);
insert into report_quotas (endpoint) values ('report'), ('bulk-report'), ('check');

-- One row: sightings up to here have been looked at.
create table report_progress (
  only_row boolean primary key default true check (only_row),
  looked_until timestamptz not null
);

alter table reports
  add column comment text not null default '',
  add column sighted_at timestamptz not null default clock_timestamp(),
  add column worth real not null default 0,
  add column agents int not null default 0,
  add column call_no bigint references report_calls,
  -- Not before: after an answer that never came.
  add column next_at timestamptz;
create unique index reports_open on reports (prefix) where state in ('planned', 'sending');
create index reports_state on reports (state, worth desc);

-- What happened that an operator has not been told before.
create table news (
  news_no bigint primary key generated always as identity,
  topic text not null check (topic in ('first_listings', 'repeat_offenders', 'holds', 'agents')),
  -- What it is about: the same is never told twice.
  key text not null,
  found_at timestamptz not null default clock_timestamp(),
  -- As the message tells it.
  facts jsonb not null,
  unique (topic, key)
);
create index news_found on news (found_at);

-- One row: strikes up to here have been looked at.
create table news_progress (
  only_row boolean primary key default true check (only_row),
  strike_no bigint not null
);

create table notifications (
  notification_no bigint primary key generated always as identity,
  channel text not null,
  state text not null check (state in ('planned', 'sending', 'sent', 'refused')),
  planned_at timestamptz not null default clock_timestamp(),
  -- Names the message to its receiver, the same at each attempt.
  message_id uuid not null default gen_random_uuid(),
  news int not null,
  body jsonb not null,
  attempts int not null default 0,
  next_at timestamptz not null default clock_timestamp(),
  leased_until timestamptz,
  sent_at timestamptz,
  problem text
);
create index notifications_open on notifications (channel, next_at) where state in ('planned', 'sending');
create index notifications_channel on notifications (channel, planned_at);

-- Which news go to which channel, and in which message; without one they wait to be gathered.
create table news_deliveries (
  news_no bigint not null references news on delete cascade,
  channel text not null,
  notification_no bigint references notifications on delete set null,
  primary key (news_no, channel)
);
create index news_deliveries_waiting on news_deliveries (channel) where notification_no is null;
