/**
 * The rules over the bundles: compared as a whole with what is there, and what differs replaced, a family in one
 * transaction, so that there is no moment without them (invariant 4).
 */
import type { Log } from "@fleetban/kit/log";
import type { Family } from "@fleetban/proto/model/prefix";
import type { DenyRule, RuleState } from "../backend.ts";
import { BackendError, remedyFor } from "../backend-error.ts";
import type { EntryHook } from "../ipset/rule-text.ts";
import { chainDifferences, chainsRequests, missingSets } from "./bundle-requests.ts";
import { type Conversation, WHOLE } from "./conversation.ts";
import { describeExpressions, writeRule } from "./expressions.ts";
import { MessageWriter } from "./message-writer.ts";
import { ERRNO } from "./protocol.ts";
import type { Rule } from "./statement.ts";
import { tableError } from "./table-error.ts";
import { FAMILIES, readTables, type TableView } from "./table-view.ts";

export interface NftRules {
  ensure(rules: readonly DenyRule[]): Promise<void>;
  state(rules: readonly DenyRule[]): Promise<RuleState>;
}

export interface NftRulesParts {
  readonly kernel: Conversation;
  readonly log: Log;
  readonly hook: EntryHook;
  readonly onChanged: () => void;
}

export function createRules({ kernel, log, hook, onChanged }: NftRulesParts): NftRules {
  const linesOf = createWording();
  /** The kernel refuses to answer packets there (before Linux 5.9): then they are dropped. */
  let canReject = true;

  const possible = (rules: readonly DenyRule[]): readonly DenyRule[] =>
    canReject ? rules : rules.map((rule) => ({ ...rule, verdict: "drop" }));

  /** Gives the error number, 0 = done. */
  function ensureFamily(rules: readonly DenyRule[], view: TableView, family: Family): number {
    const differences = chainDifferences(possible(rules), view, family, hook, linesOf);
    if (differences.length === 0) return 0;
    const errors = kernel.transact(chainsRequests(differences, view.families[family], family, hook));
    onChanged();
    return errors.get(WHOLE) ?? [...errors.values()][0] ?? 0;
  }

  return {
    async ensure(rules) {
      const view = readTables(kernel);
      const [missing] = missingSets(rules, view);
      if (missing !== undefined) {
        throw new BackendError("set-missing", `rules: no set ${missing}`, remedyFor("set-missing"));
      }
      for (const family of FAMILIES) {
        let errno = ensureFamily(rules, view, family);
        if (errno === ERRNO.notSupported && canReject && rules.some(({ verdict }) => verdict === "reject")) {
          log.warn("firewall.reject_unsupported", { instead: "drop" });
          canReject = false;
          errno = ensureFamily(rules, view, family);
        }
        if (errno !== 0) throw tableError(`make the rules for IPv${family}`, errno);
      }
    },
    async state(rules) {
      const view = readTables(kernel);
      const [missing] = missingSets(rules, view);
      if (missing !== undefined) return { kind: "missing", what: `set ${missing}` };
      for (const family of FAMILIES) {
        const [first] = chainDifferences(possible(rules), view, family, hook, linesOf);
        if (first !== undefined) return { kind: "missing", what: `${first.what} (IPv${family})` };
      }
      return { kind: "present" };
    },
  };
}

/** A wanted rule in the words in which the kernel's are read. */
function createWording(): (rule: Rule) => readonly string[] {
  const writer = new MessageWriter();
  return (rule) => {
    writer.start();
    writer.begin(0, 0, 0);
    const from = writer.finish().length;
    writeRule(writer, rule);
    writer.end();
    const bytes = writer.finish();
    return describeExpressions(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), {
      ...{ type: 0, from, to: bytes.length },
    });
  };
}
