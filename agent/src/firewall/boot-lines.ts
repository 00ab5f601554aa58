/** What the boot script is to be told for each backend: how its sets are made, and its rules. */
import type { Family } from "@fleetban/proto/model/prefix";
import type { Backend, DenyRule, SetSpec } from "./backend.ts";
import { freshText } from "./ipset/restore-text.ts";
import type { EntryHook } from "./ipset/rule-text.ts";
import { createLine } from "./ipset/set-command.ts";
import { bundleText, rulesText } from "./nftables/rule-text.ts";

export interface BootLines {
  /** The script does as its base says. */
  readonly backend: Backend["name"];
  /** One line; its second word is the set's name. */
  create(spec: SetSpec): string;
  /** Lines for the backend's own program. */
  rules(rules: readonly DenyRule[], family: Family, hook: EntryHook): readonly string[];
}

/** Undefined: there is nothing that a shell could load for it. */
export function bootLinesOf(backend: Backend["name"]): BootLines | undefined {
  switch (backend) {
    case "ipset":
      return {
        backend,
        create: createLine,
        rules: (rules, family, hook) => freshText(rules, family, hook).trimEnd().split("\n"),
      };
    case "nftables":
      return { backend, create: (spec) => `create ${spec.name} ${bundleText(spec).join("; ")}`, rules: rulesText };
    case "blackhole": // a route needs what all sets hold together
    case "dry-run": // leaves nothing for the boot to load, of former runs neither
      return undefined;
  }
}
