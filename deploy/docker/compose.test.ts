import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { loadConfig } from "../../coordinator/src/config.ts";

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, null>>;
}
interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
}

const HERE = import.meta.dirname;
const compose = parse(await textOf("compose.yaml")) as Compose;
const dockerfile = await textOf("Dockerfile");

test("the coordinator accepts the configuration that the container is given", async () => {
  const config = await loadConfig(await textOf("coordinator.yaml"), "coordinator.yaml", readSecret);
  assert.equal(config.database_url, "postgres://fleetban:secret@postgres/fleetban");
  assert.equal(config.redis_url, "redis://redis:6379");
  const published = compose.services.coordinator?.ports?.map((port) => Number(port.split(":")[1]));
  assert.deepEqual(published, [config["listen.fleet_port"], config["listen.enrollment_port"]]);
  assert.match(dockerfile, new RegExp(`127\\.0\\.0\\.1:${config["web.port"]}/readyz`));
  assert.match(dockerfile, new RegExp(`${config.data_dir}\\b`));
});

test("every secret, volume and service that is named is there", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const secret of service.secrets ?? []) assert.ok(secret in compose.secrets, `${name}: secret ${secret}`);
    for (const volume of service.volumes ?? []) {
      const source = volume.split(":")[0] ?? "";
      const isThere = source.startsWith(".") ? existsSync(join(HERE, source)) : source in compose.volumes;
      assert.ok(isThere, `${name}: volume ${source}`);
    }
    for (const other of Object.keys(service.depends_on ?? {})) {
      assert.ok(compose.services[other]?.healthcheck !== undefined, `${name}: ${other} says when it is healthy`);
    }
  }
});

test("the build starts where the sources are, and runs what is built", () => {
  const root = join(HERE, compose.services.coordinator?.build?.context ?? "");
  assert.equal(join(root, compose.services.coordinator?.build?.dockerfile ?? ""), join(HERE, "Dockerfile"));
  assert.ok(existsSync(join(root, "tools/bootstrap.mjs")));
  const links = [...dockerfile.matchAll(/ln -s \/usr\/lib\/fleetban\/bin\/(\S+) \/usr\/bin\/(\S+)/g)];
  assert.deepEqual(
    links.map(([, from, to]) => `${from} ${to}`),
    ["fleetban-coordinator fleetban-coordinator", "fleetban fleetban"],
  );
});

async function readSecret(path: string): Promise<string> {
  const secret = compose.secrets[path.replace("/run/secrets/", "")];
  if (secret === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
  return "postgres://fleetban:secret@postgres/fleetban\n";
}

async function textOf(name: string): Promise<string> {
  return await readFile(join(HERE, name), "utf8");
}
