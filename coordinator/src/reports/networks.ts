/**
 * One report a network of IPv6: whoever has one address of a /64 has all of them, and would otherwise be reported, and take of
 * the quotas, as often as he likes. The address whose report is worth most stands for the others.
 */
import type { Prefix } from "@fleetban/proto/model/prefix";
import { familyOf, widen } from "@fleetban/proto/model/prefix";
import type { Sql } from "../store/sql.ts";
import type { WorthReporting } from "./candidate.ts";

type Fragment = ReturnType<Sql>;

const LENGTH = 64;

/** SQL: another address of its network was reported so recently, or is on its way. */
export function networkWasReported(sql: Sql, prefix: Fragment, againAfterSeconds: number): Fragment {
  return sql`(family(${prefix}) = 6 and exists (
    select from reports n
    where n.prefix between set_masklen(${prefix}, ${LENGTH}::int)
        and set_masklen(broadcast(set_masklen(${prefix}, ${LENGTH}::int)), 128)::cidr
      and n.prefix <> ${prefix} and n.state in ('sending', 'sent', 'unknown')
      and coalesce(n.sent_at, n.planned_at) > clock_timestamp() - make_interval(secs => ${againAfterSeconds})))`;
}

/** What is planned of a network beside the most valuable goes; what may have been sent already stays. */
export async function keepOneANetwork(sql: Sql): Promise<number> {
  const rows = await sql`
    delete from reports where report_no in (
      select report_no from (
        select report_no, state, call_no, row_number() over (
          partition by set_masklen(prefix, ${LENGTH}::int)
          order by state = 'sending' desc, call_no is not null desc, worth desc, sighted_at desc, report_no) as nth
        from reports where state in ('planned', 'sending') and family(prefix) = 6) as open
      where nth > 1 and state = 'planned' and call_no is null)
    returning report_no`;
  return rows.length;
}

export interface NetworksSeen {
  /** The address that it takes the place of; undefined = none. The address itself = it is not worth as much. */
  displaces(one: WorthReporting): Prefix | undefined;
}

/** For a preview: of each network the most valuable so far. */
export function createNetworksSeen(): NetworksSeen {
  const best = new Map<Prefix, { readonly address: Prefix; readonly worth: number }>();
  return {
    displaces({ address, worth }) {
      if (familyOf(address) === 4) return undefined; // it stands for itself
      const network = widen(address, LENGTH);
      const before = best.get(network);
      if (before !== undefined && before.worth >= worth) return address;
      best.set(network, { address, worth });
      return before?.address;
    },
  };
}
