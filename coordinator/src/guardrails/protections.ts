/** What must not be listed, from the database: the fleet's own addresses, packs, allowlist, pardons in force. */
import { parsePrefix } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import { type CollisionKind, findCollisions, type Protection } from "./collisions.ts";
import type { Guardrails } from "./guardrails.ts";
import { type JudgedFeed, judgeFeed } from "./judge-feed.ts";

export async function selectProtections(sql: Sql): Promise<Protection[]> {
  const rows = await sql<{ prefix: string; kind: CollisionKind; name: string }[]>`
    select address::cidr::text as prefix, 'own' as kind,
      case agent_no when 0 then 'a coordinator' else 'agent ' || coalesce(name, agent_no::text) end as name
    from agent_addresses left join agents using (agent_no)
    union all
    select prefix::text, case when pack is null then 'allowed' else 'pack' end, coalesce(pack, '')
    from allowlist where ended_at is null and (until is null or until > clock_timestamp())
    union all
    select prefix::text, 'pardoned', '' from pardons
    where ended_at is null and (until is null or until > clock_timestamp())`;
  return rows.map((row) => ({ ...row, prefix: parsePrefix(row.prefix) }));
}

/** Why a feed's list must not replace the one before without an operator's word; nothing = it may. */
export type FeedJudge = (sql: Sql, list: Omit<JudgedFeed, "collisions">) => Promise<readonly string[]>;

export function createFeedJudge(guardrails: () => Guardrails): FeedJudge {
  return async (sql, list) => {
    const collisions = findCollisions(list.wanted, await selectProtections(sql));
    return judgeFeed({ ...list, collisions }, guardrails());
  };
}

/** Of each feed's list in force or observed, what it names that is protected; by number of the feed. */
export async function feedCollisions(sql: Sql): Promise<Map<number, string>> {
  const rows = await sql<{ feed_no: number; title: string; count: number; examples: string[] }[]>`
    with kept as materialized (
      select address::cidr as prefix, 'the fleet''s own' as title from agent_addresses
      union
      select prefix, coalesce(pack, 'allowed') from allowlist
      where ended_at is null and (until is null or until > clock_timestamp())
      union
      select prefix, 'pardoned' from pardons where ended_at is null and (until is null or until > clock_timestamp())
    ), met as (
      -- within it: a range of the index
      select n.feed_no, n.prefix, k.title from kept k join feed_prefixes n on n.prefix >= k.prefix
        and n.prefix <= set_masklen(broadcast(k.prefix), case family(k.prefix) when 4 then 32 else 128 end)::cidr
        and n.prefix <<= k.prefix
      union
      -- around it: one look-up a length
      select n.feed_no, n.prefix, k.title
      from kept k cross join lateral generate_series(8, masklen(k.prefix) - 1) as length
        join feed_prefixes n on n.prefix = network(set_masklen(k.prefix::inet, length))::cidr
    )
    select feed_no, title, count(*)::int as count, (array_agg(prefix::text order by prefix))[1:3] as examples
    from met group by feed_no, title order by feed_no, count(*) desc, title`;
  const texts = new Map<number, string>();
  for (const { feed_no, title, count, examples } of rows) {
    const shown = examples.map((prefix) => parsePrefix(prefix)).join(", ");
    const text = `${title} (${count}: ${shown}${count > examples.length ? ", …" : ""})`;
    const known = texts.get(feed_no);
    texts.set(feed_no, known === undefined ? text : `${known}, ${text}`);
  }
  return texts;
}
