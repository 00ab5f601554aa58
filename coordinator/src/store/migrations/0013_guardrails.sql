-- Never-ban packs, what guardrails measure, and what a list collides with.

-- Of a pack that the policy chose; null = an operator's own. Everything that honors the allowlist honors packs by it.
alter table allowlist add column pack text;
create index allowlist_pack on allowlist (pack) where pack is not null and ended_at is null;

-- Those in force, as they are.
create table packs (
  name text primary key,
  title text not null,
  source text not null,
  dated date not null,
  terms text not null,
  note text not null,
  sha256 bytea not null,
  prefixes int not null,
  applied_at timestamptz not null default clock_timestamp()
);

-- covered_addresses is IPv4 alone from here on; IPv6 networks of 64 bits are counted for themselves.
alter table lists add column covered_networks numeric not null default 0;
update lists l set
  covered_addresses = coalesce((select sum(power(2::numeric, 32 - masklen(prefix))) from listings
    where list_no = l.list_no and family(prefix) = 4), 0)::numeric(40, 0),
  covered_networks = coalesce((select sum(power(2::numeric, greatest(0, 64 - masklen(prefix)))) from listings
    where list_no = l.list_no and family(prefix) = 6), 0)::numeric(40, 0);

