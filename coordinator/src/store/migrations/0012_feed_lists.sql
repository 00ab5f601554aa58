-- Feeds of every kind: which fetch a feed's prefixes are of, what to ask its publisher with, what was wrong with its lines.

alter table feeds
  -- The fetch that `feed_prefixes` is of.
  add column taken_fetch_no bigint,
  -- When the publisher last said, by giving it or by "not modified", that this is its list. Listings live from then on.
  add column confirmed_at timestamptz,
  -- The list that it went to before, from which its listings must go.
  add column left_list_no int;

update feeds set taken_fetch_no = taken.fetch_no, confirmed_at = taken.fetched_at
from (
  select distinct on (feed_no) feed_no, fetch_no, fetched_at from feed_fetches
  where outcome in ('fetched', 'approved') order by feed_no, fetch_no desc) taken
where taken.feed_no = feeds.feed_no;

alter table feed_fetches
  add column last_modified text,
  -- Of the definition by which it was read: what is the same body may be another list by another definition.
  add column definition text,
  -- {lines, refused: {kind: count}, refusedLines: [{kind, line, text, problem}]}
  add column details jsonb;

-- All rows of a feed had the same: now it stands with the feed, and a refresh writes only what differs.
alter table feed_prefixes drop column last_fetch_no;

-- For each new offender which feeds had named it before its first attempt, by day (UTC). feed_no 0 = all offenders.
create table feed_overlaps (
  day date not null,
  feed_no int not null,
  rank smallint not null,
  offenders bigint not null,
  primary key (day, feed_no, rank)
);
create table feed_overlaps_until (
  only_row boolean primary key default true check (only_row),
  -- Sightings received before this are counted.
  counted_until timestamptz not null default clock_timestamp()
);
insert into feed_overlaps_until default values;
