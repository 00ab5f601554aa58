/** The ledger's epoch between its two forms: 16 bytes outside, hexadecimal text inside. */
import { FleetbanError } from "@fleetban/kit/errors";
import type { Epoch } from "./listing.ts";

const EPOCH_BYTES = 16;

export function epochFromBytes(bytes: Uint8Array): Epoch {
  if (bytes.length !== EPOCH_BYTES) {
    throw new FleetbanError("bad-epoch", `epoch of ${bytes.length} bytes: must be ${EPOCH_BYTES}`);
  }
  return Buffer.from(bytes).toString("hex") as Epoch;
}

export function epochToBytes(epoch: Epoch): Uint8Array {
  return Buffer.from(epoch, "hex");
}
