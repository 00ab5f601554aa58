/** grpc.health.v1 over grpc-js: the whole server and each of its services are as ready as the program is. */

import type { Clock } from "@fleetban/kit/clock";
import { type HealthServer, ServingStatus } from "@fleetban/proto/wire/health";
import { status } from "@grpc/grpc-js";

export interface HealthServiceParts {
  /** Full names of the services on this port. */
  readonly services: readonly string[];
  readonly isReady: () => boolean;
  readonly clock: Clock;
}

const LOOK_EVERY_MS = 1_000;

export function createHealthService({ services, isReady, clock }: HealthServiceParts): HealthServer {
  const known = new Set(["", ...services]);
  const now = () => (isReady() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  const statusNow = (service: string) => (known.has(service) ? now() : ServingStatus.SERVICE_UNKNOWN);
  return {
    check(call, callback) {
      const { service } = call.request;
      if (known.has(service)) callback(null, { status: now() });
      else callback({ code: status.NOT_FOUND, details: `service ${service}: is not on this port` });
    },
    watch(call) {
      let last = statusNow(call.request.service);
      call.write({ status: last });
      const look = () => {
        if (call.cancelled) return;
        const next = statusNow(call.request.service);
        if (next !== last) call.write({ status: next });
        last = next;
        timer = clock.timer(LOOK_EVERY_MS, look);
      };
      let timer = clock.timer(LOOK_EVERY_MS, look);
      call.on("cancelled", () => timer.cancel());
    },
  };
}
