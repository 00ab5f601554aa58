/** What an agent is told first: the ledger's epoch, clock and digest key, its settings, its lists, what is acknowledged. */
import { digestKeyToBytes } from "@fleetban/proto/model/digest";
import { epochToBytes } from "@fleetban/proto/model/epoch";
import { LIST_FLEET, type List } from "@fleetban/proto/model/listing";
import { PROTOCOL_VERSION } from "@fleetban/proto/wire/channel";
import { type CoordinatorMessage, DigestKind, type Hello, listToWire } from "@fleetban/proto/wire/fleet";
import type { AckedSpool, Ledger } from "../ledger/ledger.ts";
import { type Agent, settingsOf } from "./agent.ts";

export interface WelcomeFacts {
  readonly agent: Agent;
  readonly hello: Hello;
  readonly lists: readonly List[];
  readonly acked: readonly AckedSpool[];
  readonly replica: string;
}

export function welcomeMessage(
  ledger: Pick<Ledger, "epoch" | "digestKey" | "ledgerTimeMs">,
  { agent, hello, lists, acked, replica }: WelcomeFacts,
): CoordinatorMessage {
  const value = {
    protocol: PROTOCOL_VERSION,
    epoch: Buffer.from(epochToBytes(ledger.epoch)),
    agentId: agent.agentId,
    ledgerTimeMs: Math.round(ledger.ledgerTimeMs()),
    digestKind: DigestKind.DIGEST_KIND_SIPHASH_SUM,
    digestKey: Buffer.from(digestKeyToBytes(ledger.digestKey)),
    settings: settingsOf(agent.group),
    lists: lists.map(listToWire),
    acked: acked.map(({ incarnation, seq, act }) => {
      return { incarnation: Buffer.from(incarnation), seq, act: Buffer.from(act, "hex") };
    }),
    replica,
    helloSentAtMs: hello.sentAtMs,
  };
  return { kind: { $case: "welcome", value } };
}

/**
 * Those of the agent's group whose features it honors, in the order in which they are brought up to date: exempt before
 * deny (PROTOCOL rule 3), then what operators and agents list, before what feeds list.
 */
export function listsFor(agent: Agent, features: readonly number[], lists: readonly List[]): readonly List[] {
  const isFor = (list: List) =>
    agent.group.lists.has(list.list) && list.requires.every((feature) => features.includes(feature));
  const orderOf = (list: List) => (list.effect === "exempt" ? 0 : list.list === LIST_FLEET ? 1 : 1 + list.list);
  return lists.filter(isFor).sort((a, b) => orderOf(a) - orderOf(b));
}
