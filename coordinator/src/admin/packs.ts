/** Never-ban packs as operators see them: those that there are, and what of them is in force. */
import type { Pack as PackMessage, ShowPackRequest, ShowPackResponse } from "@fleetban/proto/wire/admin";
import type { Pack } from "../guardrails/pack.ts";
import { type PackInForce, packPrefixes, packsInForce } from "../guardrails/pack-queries.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

export async function listPacks(parts: AdminParts): Promise<PackMessage[]> {
  const packs = await parts.packs.readPacks();
  const inForce = await packsInForce(parts.store.sql);
  const names = new Set([...packs.keys(), ...inForce.map(({ name }) => name), ...parts.packs.chosen()]);
  return [...names].sort().map((name) => messageOf(parts, name, packs.get(name), inForce));
}

export async function showPack(parts: AdminParts, { name }: ShowPackRequest): Promise<ShowPackResponse> {
  const packs = await parts.packs.readPacks();
  const pack = packs.get(name);
  const inForce = await packsInForce(parts.store.sql);
  if (pack === undefined && !inForce.some((one) => one.name === name)) {
    throw new AdminError("not-found", `pack ${name}: does not exist`, {
      hint: `there are: ${[...packs.keys()].join(", ")}`,
    });
  }
  const prefixes = pack?.prefixes ?? [...(await packPrefixes(parts.store.sql, name))];
  return { pack: messageOf(parts, name, pack, inForce), prefixes: [...prefixes] };
}

/** A pack that is chosen or in force may have no file here any more. */
function messageOf(
  { packs }: AdminParts,
  name: string,
  pack: Pack | undefined,
  inForce: readonly PackInForce[],
): PackMessage {
  const applied = inForce.find((one) => one.name === name);
  return {
    name,
    title: pack?.title ?? "(no file of that name)",
    source: pack?.source ?? "",
    date: pack?.date ?? "",
    terms: pack?.terms ?? "",
    note: pack?.note ?? "",
    prefixes: pack?.prefixes.length ?? applied?.prefixes ?? 0,
    chosen: packs.chosen().includes(name),
    dateInForce: applied?.date ?? "",
    appliedAtMs: applied?.appliedAtMs ?? 0,
  };
}
