/**
 * The kernel's part of a probe: a documentation address goes into a real set, is matched, and goes out again, with the
 * time that each took. No deny rule ever sees it.
 */
import type { Clock } from "@fleetban/kit/clock";
import { FleetbanError } from "@fleetban/kit/errors";
import { isSingle, type Prefix } from "@fleetban/proto/model/prefix";
import { isDocumentation } from "@fleetban/proto/model/special-purpose";
import type { Backend, Op } from "./backend.ts";

export interface ProbeOutcome {
  readonly addedUs: number;
  readonly testedUs: number;
  readonly removedUs: number;
}

/** Codes: `bad-probe` (the address is no single documentation address), `probe-failed` (the kernel did not do it). */
export class ProbeError extends FleetbanError {}

/** In case the agent dies between adding and removing. */
const TIMEOUT_SECONDS = 60;

export async function probeKernel(
  { backend, clock }: { readonly backend: Backend; readonly clock: Pick<Clock, "monotonicMs"> },
  set: string,
  prefix: Prefix,
): Promise<ProbeOutcome> {
  if (!isSingle(prefix) || !isDocumentation(prefix)) {
    const remedy = "probe with an address of 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 or 2001:db8::/32";
    throw new ProbeError("bad-probe", `probe ${prefix}: not a single documentation address`, { hint: remedy });
  }
  const apply = async (op: Op) => {
    const [refusal] = await backend.apply([op]);
    if (refusal !== undefined) throw new ProbeError("probe-failed", `probe ${prefix}: ${op.kind}: ${refusal.detail}`);
  };
  const expectMatch = async (expected: boolean) => {
    if ((await backend.testEntry(set, prefix)) === expected) return;
    throw new ProbeError(
      "probe-failed",
      `probe ${prefix}: ${expected ? "added, and not" : "removed, and still"} in ${set}`,
    );
  };
  const addedUs = await microseconds(clock, () => apply({ kind: "add", set, prefix, timeoutSeconds: TIMEOUT_SECONDS }));
  const testedUs = await microseconds(clock, () => expectMatch(true));
  const removedUs = await microseconds(clock, () => apply({ kind: "remove", set, prefix }));
  await expectMatch(false);
  return { addedUs, testedUs, removedUs };
}

async function microseconds(clock: Pick<Clock, "monotonicMs">, act: () => Promise<void>): Promise<number> {
  const begunMs = clock.monotonicMs();
  await act();
  return Math.round((clock.monotonicMs() - begunMs) * 1_000);
}
