/** The ledger, where the process may die before and after a commit of sightings. */
import { type OpenLedger, openLedger as openReal } from "@fleetban/coordinator/ledger/open-ledger";
import { mayDie } from "./point.ts";

export async function openLedger(...parts: Parameters<typeof openReal>): Promise<OpenLedger> {
  const ledger = await openReal(...parts);
  const mortal: Pick<OpenLedger, "commitSightings"> = {
    async commitSightings(batch) {
      mayDie("sightings-arrived");
      const committed = await ledger.commitSightings(batch);
      mayDie("committed");
      return committed;
    },
  };
  return Object.assign(Object.create(ledger) as OpenLedger, mortal); // its getters stay getters
}
