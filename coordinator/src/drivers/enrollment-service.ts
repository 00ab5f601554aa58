/** The Enrollment service over grpc-js. */
import type { Log } from "@fleetban/kit/log";
import type { EnrollmentServer } from "@fleetban/proto/wire/enrollment";
import { type EnrollmentParts, redeemToken } from "../enrollment/redeem.ts";
import { statusOf } from "./grpc-status.ts";
import { peerAddressOf } from "./peer.ts";

export function createEnrollmentService(parts: EnrollmentParts, log: Log): EnrollmentServer {
  return {
    enroll(call, callback) {
      redeemToken(parts, call.request, peerAddressOf(call)).then(
        (response) => callback(null, response),
        (error: unknown) => callback(statusOf(error, log)),
      );
    },
  };
}
