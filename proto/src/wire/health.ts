/** grpc.health.v1, for whoever serves or asks it. */
export {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthClient,
  type HealthServer,
  HealthService,
} from "./gen/grpc/health/v1/health.ts";
