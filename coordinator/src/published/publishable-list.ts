/** Which lists can be published at all: those that deny, but the probe's, and not what is only on trial. */
import { LIST_TRIAL, type List } from "@fleetban/proto/model/listing";

export function isPublishable({ list, effect, documentationOnly }: List): boolean {
  return effect === "deny" && !documentationOnly && list !== LIST_TRIAL;
}
