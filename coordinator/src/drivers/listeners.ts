/** Everything that the coordinator listens on: Fleet and Admin, Enrollment, the admin socket. */

import type { Clock } from "@fleetban/kit/clock";
import type { Log } from "@fleetban/kit/log";
import { AdminService } from "@fleetban/proto/wire/admin";
import { EnrollmentService } from "@fleetban/proto/wire/enrollment";
import { FleetService } from "@fleetban/proto/wire/fleet";
import { HealthService } from "@fleetban/proto/wire/health";
import type { Server } from "@grpc/grpc-js";
import type { Admin } from "../admin/admin.ts";
import type { EnrollmentParts } from "../enrollment/redeem.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Sql } from "../store/sql.ts";
import { createAdminService, identifyByCertificate, identifyBySocket } from "./admin-service.ts";
import { createEnrollmentService } from "./enrollment-service.ts";
import { createFleetService } from "./fleet-service.ts";
import { type Listener, listenOnPort, listenOnSocket, type PortWish } from "./grpc-server.ts";
import { createHealthService } from "./health-service.ts";
import type { ServerCertificates } from "./server-certificate.ts";

export interface ListenerParts {
  readonly fleet: Fleet;
  readonly admin: Admin;
  readonly enrollment: EnrollmentParts;
  readonly certificates: ServerCertificates;
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Log;
  readonly isReady: () => boolean;
}

export interface ListenerPlaces {
  readonly fleet: PortWish;
  readonly enrollment: PortWish;
  readonly adminSocket: string;
}

export interface Listeners {
  readonly fleetPort: number;
  readonly enrollmentPort: number;
  close(): Promise<void>;
}

const FLEET = "fleetban.v1.Fleet";
const ADMIN = "fleetban.v1.Admin";
const ENROLLMENT = "fleetban.v1.Enrollment";

export async function openListeners(parts: ListenerParts, places: ListenerPlaces): Promise<Listeners> {
  const { fleet, admin, enrollment, certificates, sql, clock, log } = parts;
  const open: Listener[] = [];
  const close = async () => {
    await Promise.all(open.map((listener) => listener.close()));
  };
  const addHealth = (server: Server, services: readonly string[]) =>
    server.addService(HealthService, createHealthService({ services, isReady: parts.isReady, clock }));

  function addMutual(server: Server): void {
    server.addService(FleetService, createFleetService({ fleet, enrollment, sql, clock, log }));
    server.addService(AdminService, createAdminService(admin, identifyByCertificate(sql, clock), log));
    addHealth(server, [FLEET, ADMIN]);
  }

  function addEnrollment(server: Server): void {
    server.addService(EnrollmentService, createEnrollmentService(enrollment, log));
    addHealth(server, [ENROLLMENT]);
  }

  function addLocalAdmin(server: Server): void {
    server.addService(AdminService, createAdminService(admin, identifyBySocket, log));
    addHealth(server, [ADMIN]);
  }

  try {
    const mutual = await listenOnPort(places.fleet, certificates.mutual, addMutual, clock);
    open.push(mutual);
    const enroll = await listenOnPort(places.enrollment, certificates.serverOnly, addEnrollment, clock);
    open.push(enroll);
    open.push(await listenOnSocket(places.adminSocket, addLocalAdmin, clock));
    return { fleetPort: mutual.port, enrollmentPort: enroll.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
