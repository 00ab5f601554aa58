import { parsePrefix } from "@fleetban/proto/model/prefix";
import { actOf, type Sighting } from "@fleetban/proto/model/sighting";

/** The `number`-th sighting: each differs in address and time. */
export function sightingFixture(number: number, changes: Partial<Sighting> = {}): Sighting {
  const address = parsePrefix(`203.0.${(number >> 8) & 255}.${number & 255}`);
  const bannedAtMs = 1_795_000_000_000 + number * 10_000;
  const jail = "sshd";
  const sighting: Sighting = {
    ...{ address, kind: "ban", source: "fail2ban", jail, protocol: "", ports: "", failures: 3, bannedAtMs },
    ...{ banSeconds: 600, banCount: 1, recordedAtMs: bannedAtMs + 5, act: actOf({ address, jail, bannedAtMs }) },
    ...{ evidence: new Uint8Array(), ...changes },
  };
  return sighting;
}
