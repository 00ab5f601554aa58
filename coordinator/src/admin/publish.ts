/** Tokens for published lists: made, shown, revoked by operators. */
import { MAX_RANK } from "@fleetban/proto/model/listing";
import { type Prefix, tryParsePrefix } from "@fleetban/proto/model/prefix";
import type {
  CreatePublishTokenRequest,
  CreatePublishTokenResponse,
  ListPublishTokensResponse,
  PublishToken as PublishTokenMessage,
  RevokePublishTokenRequest,
  RevokePublishTokenResponse,
} from "@fleetban/proto/wire/admin";
import { isPublishable } from "../published/publishable-list.ts";
import { newToken, type PublishToken, tokenHash, tokenState } from "../published/token.ts";
import {
  insertPublishToken,
  type NewToken,
  revokePublishToken as revokeRow,
  selectTokens,
  type TokenUse,
} from "../published/token-queries.ts";
import { checkReason, checkSeconds } from "./arguments.ts";
import { recordAct } from "./audit.ts";
import type { Caller } from "./caller.ts";
import { AdminError } from "./errors.ts";
import type { AdminParts } from "./parts.ts";

/** What a token opens unless others are named. */
const LISTS = ["fleet", "feeds"];
const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

export async function createPublishToken(
  parts: AdminParts,
  caller: Caller,
  request: CreatePublishTokenRequest,
): Promise<CreatePublishTokenResponse> {
  const token = newToken(parts.random);
  const wish: NewToken = {
    hash: tokenHash(token),
    name: checkName(request.name),
    lists: checkLists(parts, request.lists),
    maxRank: checkRank(request.maxRank ?? MAX_RANK),
    isForOwnUse: request.forOwnUse,
    ranges: request.ranges.map(checkRange),
    validSeconds: checkSeconds(request.validSeconds),
    author: caller.name,
    reason: checkReason(request.reason),
  };
  const row = await parts.store.transaction(async (sql) => {
    const created = await insertPublishToken(sql, wish);
    if (created === undefined) {
      throw new AdminError("bad-argument", `token ${wish.name}: there is one of that name`, {
        hint: `take another name, or first: fleetban publish tokens revoke ${wish.name}`,
      });
    }
    const { lists, maxRank, isForOwnUse, ranges, reason } = wish;
    const after = { lists, maxRank, isForOwnUse, ranges };
    await recordAct(sql, caller, { act: "publish tokens create", subject: wish.name, reason, after });
    return created;
  });
  parts.metrics.auditRecord();
  return { token, row: messageOf(row, undefined, parts.clock.nowMs()), urls: [...(parts.addresses.publish ?? [])] };
}

export async function listPublishTokens(parts: AdminParts): Promise<ListPublishTokensResponse> {
  const { tokens, uses } = await selectTokens(parts.store.sql);
  const useByToken = new Map(uses.map((use) => [use.tokenNo, use]));
  const nowMs = parts.clock.nowMs();
  return {
    tokens: tokens.map((token) => messageOf(token, useByToken.get(token.tokenNo), nowMs)),
    urls: [...(parts.addresses.publish ?? [])],
  };
}

export async function revokePublishToken(
  parts: AdminParts,
  caller: Caller,
  request: RevokePublishTokenRequest,
): Promise<RevokePublishTokenResponse> {
  const reason = checkReason(request.reason);
  const row = await parts.store.transaction(async (sql) => {
    const revoked = await revokeRow(sql, request.token);
    if (revoked === undefined) {
      throw new AdminError("not-found", `token ${request.token}: is not in use`, {
        hint: "`fleetban publish tokens list` shows those that are open",
      });
    }
    await recordAct(sql, caller, { act: "publish tokens revoke", subject: revoked.name, reason });
    return revoked;
  });
  parts.metrics.auditRecord();
  return { row: messageOf(row, undefined, parts.clock.nowMs()) };
}

function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new AdminError("bad-argument", `name ${JSON.stringify(name)}: must be 1 to 64 letters, digits, . _ -`, {
    hint: "begin with a letter; name it after the firewall that uses it",
  });
}

function checkLists({ ledger }: AdminParts, names: readonly string[]): readonly string[] {
  const known = ledger.lists().flatMap(({ list }) => (isPublishable(list) ? [list.name] : []));
  for (const name of names) {
    if (known.includes(name)) continue;
    throw new AdminError("bad-argument", `list ${name}: can't be published`, {
      hint: `there are: ${known.join(", ")}`,
    });
  }
  return names.length === 0 ? LISTS : [...new Set(names)];
}

function checkRank(rank: number): number {
  if (rank <= MAX_RANK) return rank;
  throw new AdminError("bad-argument", `rank ${rank}: must be 0 to ${MAX_RANK}`, {
    hint: "2 = what the fleet and operators banned",
  });
}

function checkRange(text: string): Prefix {
  const range = tryParsePrefix(text);
  if (range !== undefined) return range;
  throw new AdminError("bad-argument", `range ${text}: is no address and no network`, {
    hint: "write it like 192.0.2.7 or 192.0.2.0/24",
  });
}

function messageOf(token: PublishToken, use: TokenUse | undefined, nowMs: number): PublishTokenMessage {
  const { tokenNo, name, maxRank, isForOwnUse, createdAtMs, endsAtMs, author, reason } = token;
  return {
    ...{ tokenNo, name, maxRank, forOwnUse: isForOwnUse, createdAtMs, endsAtMs, author, reason },
    lists: [...token.lists],
    ranges: [...token.ranges],
    state: tokenState(token, nowMs),
    usedAtMs: use?.usedAtMs ?? 0,
    usedFrom: use?.address ?? "",
    program: use?.program ?? "",
    requests: use?.requests ?? 0,
  };
}
