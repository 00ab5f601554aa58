/** The policy's lines by which a sighting is weighed: what `weightOf` multiplies, each with its key in the file. */
import type { Policy, Told } from "./policy.ts";
import { isForgeable } from "./policy.ts";

export interface PolicyLine {
  readonly key: string;
  readonly value: number;
}

export function weightLines({ jail, source, protocol }: Told, policy: Policy): PolicyLine[] {
  const factors = [jailLine(jail, policy), { key: `weights.${source}`, value: policy.sourceWeights[source] }];
  const isUdp = protocol.toLowerCase() === "udp";
  return isUdp ? [...factors, { key: "weights.udp", value: policy.udpWeight }] : factors;
}

/** Factors that change nothing are left out. */
export function weightText(told: Told, policy: Policy): string {
  const [jail, ...factors] = weightLines(told, policy);
  const shown = [jail, ...factors.filter(({ value }) => value !== 1)].filter((line) => line !== undefined);
  return shown.map(({ key, value }) => `${key} ${value}`).join(" × ");
}

function jailLine(jail: string, policy: Policy): PolicyLine {
  const own = Object.hasOwn(policy.jailWeights, jail) ? policy.jailWeights[jail] : undefined;
  if (own !== undefined) return { key: `jails.${jail}.weight`, value: own };
  if (isForgeable(jail, policy)) return { key: "weights.forgeable", value: policy.forgeableWeight };
  return { key: "weights.jail", value: policy.defaultWeight };
}
