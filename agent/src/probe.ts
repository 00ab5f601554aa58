/** Answers the coordinator's probe: what the kernel did with a documentation address, and how long each step took. */
import { prefixFromBytes } from "@fleetban/proto/model/prefix";
import { type Probe, ProbeResult } from "@fleetban/proto/wire/fleet";
import type { Firewall } from "./firewall/firewall.ts";

export function answerProbe(
  firewall: Pick<Firewall, "probe">,
  backend: string,
): (probe: Probe) => Promise<ProbeResult> {
  return async ({ probeNo, address }) => {
    try {
      const { ruleState, ...times } = await firewall.probe(prefixFromBytes(address));
      return ProbeResult.fromPartial({ probeNo, backend, ...times, rulePresent: ruleState.kind === "present" });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return ProbeResult.fromPartial({ probeNo, backend, error: message });
    }
  };
}
