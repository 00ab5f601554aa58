/** SQL that finds what is new: strikes by sightings, open holds, agents by when they were last heard of. */
import { causeCode, sourceCode } from "../ledger/sighting-codes.ts";
import { prefixFromSql } from "../ledger/sql-values.ts";
import type { Sql } from "../store/sql.ts";

const LOCK = 7741_0015; // one finder at a time, over all replicas

/** Ends with the transaction. */
export async function lockNews(sql: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCK})`;
}

/** Undefined = never looked. */
export async function lastStrikeLookedAt(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ strike_no: number }[]>`select strike_no from news_progress`;
  return row?.strike_no;
}

export async function newestStrike(sql: Sql): Promise<number> {
  const [row] = await sql<{ newest: number }[]>`select coalesce(max(strike_no), 0)::bigint as newest from strikes`;
  return row?.newest ?? 0;
}

export async function saveStrikeLookedAt(sql: Sql, strikeNo: number): Promise<void> {
  await sql`
    insert into news_progress (strike_no) values (${strikeNo})
    on conflict (only_row) do update set strike_no = excluded.strike_no`;
}

export interface StruckPrefix {
  readonly strikeNo: number;
  readonly prefix: string;
  readonly list: string;
  readonly untilMs: number;
  readonly agents: number;
  readonly jails: readonly string[];
  readonly failures: number;
  /** Up to this one, not voided. */
  readonly strikes: number;
  /** No strike of the prefix before it, voided ones included. */
  readonly isFirst: boolean;
  /** Struck now, by what servers sighted: not by a policy's replay, not by bans brought in from before. */
  readonly isNews: boolean;
}

/** In order of their numbers, which are given under the ledger's lock: whoever sees one sees all before it. */
export async function selectStruck(
  sql: Sql,
  { after, limit, maxAgeSeconds }: { after: number; limit: number; maxAgeSeconds: number },
): Promise<StruckPrefix[]> {
  const rows = await sql<
    {
      strike_no: number;
      prefix: string;
      list: string;
      until: number | null;
      agents: number;
      summary: { jails?: Record<string, number>; failures?: number };
      strikes: number;
      is_first: boolean;
      is_news: boolean;
    }[]
  >`
    select s.strike_no, s.prefix::text, coalesce(l.name, s.list_no::text) as list,
      extract(epoch from s.until)::float8 * 1000 as until, cardinality(s.agents) as agents, s.summary,
      (select count(*)::int from strikes o where o.prefix = s.prefix and o.list_no = s.list_no and o.voided_at is null
        and o.strike_no <= s.strike_no) as strikes,
      not exists (select from strikes o where o.prefix = s.prefix and o.strike_no < s.strike_no) as is_first,
      s.voided_at is null and s.struck_at > clock_timestamp() - make_interval(secs => ${maxAgeSeconds})
        and not exists (select from revisions r where r.list_no = s.list_no and r.revision = s.revision and r.cause = ${causeCode("policy")})
        and not (
          exists (select from sightings g where g.offender = s.prefix and g.source = ${sourceCode("import")})
          and not exists (select from sightings g where g.offender = s.prefix and g.source <> ${sourceCode("import")}))
        as is_news
    from strikes s left join lists l on l.list_no = s.list_no
    where s.strike_no > ${after} order by s.strike_no limit ${limit}`;
  return rows.map((row) => ({
    strikeNo: row.strike_no,
    prefix: prefixFromSql(row.prefix),
    list: row.list,
    untilMs: row.until ?? 0,
    agents: row.agents,
    jails: Object.keys(row.summary.jails ?? {}),
    failures: row.summary.failures ?? 0,
    strikes: row.strikes,
    isFirst: row.is_first,
    isNews: row.is_news,
  }));
}

export interface OpenHold {
  readonly holdNo: number;
  readonly subject: string;
  readonly reason: string;
}

export async function selectUntoldHolds(sql: Sql): Promise<OpenHold[]> {
  const rows = await sql<{ hold_no: number; subject: string; name: string | null; reason: string }[]>`
    select hold_no, subject, h.reason, coalesce(h.prefix::text, case subject
      when 'feed' then (select name from feeds where feed_no = subject_no)
      when 'claim' then (select name from agents where agent_no = subject_no)
      when 'list' then (select name from lists where list_no = subject_no)
      else subject_no::text end) as name
    from holds h where resolved_at is null
      and not exists (select from news n where n.topic = 'holds' and n.key = h.hold_no::text)
    order by hold_no limit 200`;
  return rows.map(({ hold_no, subject, name, reason }) => ({
    holdNo: hold_no,
    subject: name === null ? subject : `${subject} ${name}`,
    reason,
  }));
}

export interface SeenAgent {
  readonly agentNo: number;
  readonly name: string;
  readonly seenMs: number;
  /** What was told of it last. */
  readonly told: "gone" | "back" | undefined;
}

/** Enrolled agents that were ever heard of, by whichever replica. */
export async function selectSeenAgents(sql: Sql): Promise<SeenAgent[]> {
  const rows = await sql<{ agent_no: number; name: string; seen: number; told: "gone" | "back" | null }[]>`
    select a.agent_no, a.name,
      greatest((a.last_hello->>'seen_at_ms')::float8, (
        select extract(epoch from max(l.written_at))::float8 * 1000 from agent_lists l where l.agent_no = a.agent_no)) as seen,
      (select n.facts->>'state' from news n where n.topic = 'agents' and n.key like a.agent_no || ' %'
        order by n.news_no desc limit 1) as told
    from agents a where a.state = 'enrolled' and a.last_hello is not null`;
  return rows.map(({ agent_no, name, seen, told }) => ({
    agentNo: agent_no,
    name,
    seenMs: seen,
    told: told ?? undefined,
  }));
}
