/** Takes the first backend that works on this machine, and says which, and why not another. */
import type { Log } from "@fleetban/kit/log";
import type { Backend } from "./backend.ts";
import { BackendError } from "./backend-error.ts";

export interface Candidate {
  readonly name: Backend["name"];
  /** Rejects with a BackendError where it can't work. */
  open(): Promise<Backend>;
}

/** `because` = why they are asked in this order. */
export async function chooseBackend(candidates: readonly Candidate[], because: string, log: Log): Promise<Backend> {
  const passedOver: { readonly name: string; readonly error: BackendError }[] = [];
  for (const { name, open } of candidates) {
    try {
      const backend = await open();
      const missing = Object.fromEntries(passedOver.map((one) => [one.name, one.error.message]));
      log.info("firewall.backend_chosen", { backend: name, via: backend.via, because, passedOver: missing });
      return backend;
    } catch (error) {
      const isFinal = candidates.length === 1 || !(error instanceof BackendError) || error.code === "no-permission";
      if (isFinal) throw error; // what is forbidden to one is forbidden to all
      passedOver.push({ name, error });
    }
  }
  throw noneWorks(passedOver);
}

function noneWorks(passedOver: readonly { readonly name: string; readonly error: BackendError }[]): BackendError {
  const names = passedOver.map(({ name }) => name).join(", ");
  const reasons = passedOver.map(
    ({ name, error }) => `\n  ${name}: ${error.message}${error.hint ? ` (${error.hint})` : ""}`,
  );
  return new BackendError("no-backend", `backend: none of ${names} works on this machine:${reasons.join("")}`, {
    hint: "make one of them work, or set backend: dry-run to watch without enforcing",
    cause: new AggregateError(passedOver.map(({ error }) => error)),
  });
}
