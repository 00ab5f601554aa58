import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { readAgentConfig } from "../config.ts";
import { type Assets, findAssets } from "./install/assets.ts";
import { install } from "./install.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "fleetban install-"));
});
afterEach(async () => await rm(root, { recursive: true }));

test("a server gets units, boot load, folders of the right modes and a configuration of nothing but defaults", async () => {
  const lines = await installed();
  for (const path of ["fleetban-agent", "fleetban-boot", "fleetban-boot-sets"].map(
    (unit) => `etc/systemd/system/${unit}.service`,
  )) {
    assert.match(await textOf(path), /ExecStart=/);
  }
  assert.equal(await modeOf("usr/lib/fleetban/fleetban-boot.sh"), "755");
  assert.equal(await modeOf("var/lib/fleetban/agent"), "700");
  assert.equal(await modeOf("etc/fleetban"), "755");
  const template = readAgentConfig(await textOf("etc/fleetban/agent.yaml"), "agent.yaml");
  assert.deepEqual(template, readAgentConfig("", "agent.yaml"));
  assert.ok(lines.includes(`written   ${root}/etc/fleetban/agent.yaml`), lines.join("\n"));
  assert.match(lines.join("\n"), /fleetban-agent enroll TOKEN/);
});

test("every key of the written configuration is accepted as it stands there", async () => {
  await installed();
  const uncommented = (await textOf("etc/fleetban/agent.yaml")).replaceAll(/^#(?=\S+:)/gm, "");
  assert.deepEqual(readAgentConfig(uncommented, "agent.yaml"), readAgentConfig("", "agent.yaml"));
});

test("without fail2ban its action is left out, and that is said", async () => {
  const lines = await installed();
  assert.match(lines.join("\n"), /fail2ban is not installed here/);
  await assert.rejects(stat(join(root, "etc/fail2ban")));
});

test("with fail2ban every jail is told to run the action, and the hand-off folder is there", async () => {
  await put("etc/fail2ban/jail.conf", "[DEFAULT]\n");
  const lines = await installed();
  assert.match(await textOf("etc/fail2ban/action.d/fleetban.conf"), /actionban/);
  assert.match(await textOf("etc/fail2ban/jail.d/fleetban.conf"), /fleetban/);
  assert.equal(await modeOf("var/lib/fail2ban/fleetban"), "700");
  assert.match(lines.join("\n"), /fail2ban-client reload/);
});

test("a jail.local that leaves the action out is named with its line; one that has it is not", async () => {
  await put("etc/fail2ban/jail.conf", "");
  const own = "[DEFAULT]\nbantime = 1h\naction = %(action_mw)s\n";
  await put("etc/fail2ban/jail.local", own);
  assert.match((await installed()).join("\n"), /jail\.local:3 sets its own action/);
  await put("etc/fail2ban/jail.local", `${own}         fleetban\n[sshd]\nenabled = true\n`);
  assert.doesNotMatch((await installed()).join("\n"), /sets its own action/);
});

test("a second time changes nothing, and says so", async () => {
  await put("etc/fail2ban/jail.conf", "");
  await installed();
  const before = await inventory();
  const lines = await installed();
  const told = lines.filter((line) => line.includes(root) && !line.startsWith("next"));
  assert.deepEqual(
    told.filter((line) => !line.startsWith("unchanged")),
    [],
  );
  assert.deepEqual(await inventory(), before);
});

test("what the operator edited is kept, what is ours is brought up to date", async () => {
  await put("etc/fail2ban/jail.conf", "");
  await installed();
  await put("etc/fleetban/agent.yaml", "name: mine\n");
  await put("etc/fail2ban/jail.d/fleetban.conf", "# not here\n");
  await put("etc/systemd/system/fleetban-agent.service", "of an older version");
  await chmod(join(root, "usr/lib/fleetban/fleetban-boot.sh"), 0o600);
  const lines = await installed();
  assert.equal(await textOf("etc/fleetban/agent.yaml"), "name: mine\n");
  assert.equal(await textOf("etc/fail2ban/jail.d/fleetban.conf"), "# not here\n");
  assert.match(await textOf("etc/systemd/system/fleetban-agent.service"), /ExecStart=/);
  assert.equal(await modeOf("usr/lib/fleetban/fleetban-boot.sh"), "755");
  assert.ok(lines.includes(`kept      ${root}/etc/fleetban/agent.yaml`), lines.join("\n"));
  assert.ok(lines.includes(`replaced  ${root}/etc/systemd/system/fleetban-agent.service`), lines.join("\n"));
});

test("a bundle brings itself and its Node along, and is not copied again", async () => {
  const bundle = join(root, "dist");
  await put("dist/fleetban-agent.cjs", "// the agent");
  await put("dist/bin/fleetban-agent", "#!/bin/sh");
  await put("dist/node_modules/koffi/index.js", "// koffi");
  const server = join(root, "server");
  await mkdir(server);
  const assets = { ...(await assetsOf()), bundle };
  const first = await install(server, assets);
  assert.equal(await textOf("server/usr/lib/fleetban/node_modules/koffi/index.js"), "// koffi");
  assert.equal(await readlink(join(server, "usr/bin/fleetban-agent")), "../lib/fleetban/bin/fleetban-agent");
  const node = await stat(join(server, "usr/lib/fleetban/node/bin/node"));
  assert.equal(node.size, (await stat(process.execPath)).size);
  assert.ok(first.includes(`written   ${server}/usr/lib/fleetban/fleetban-agent.cjs`), first.join("\n"));
  await put("dist/fleetban-agent.cjs", "// the agent, newer");
  const second = await install(server, assets);
  assert.ok(second.includes(`replaced  ${server}/usr/lib/fleetban/fleetban-agent.cjs`), second.join("\n"));
  assert.ok(second.includes(`unchanged ${server}/usr/lib/fleetban/node/bin/node`), second.join("\n"));
});

test("a root that is not there is a mistake with a remedy", async () => {
  await assert.rejects(install(join(root, "nowhere")), { code: "no-such-root", hint: /--root/ });
});

async function installed(): Promise<readonly string[]> {
  return await install(root, await assetsOf());
}

async function assetsOf(): Promise<Assets> {
  return await findAssets();
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

async function textOf(path: string): Promise<string> {
  return await readFile(join(root, path), "utf8");
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(join(root, path))).mode & 0o777).toString(8);
}

/** Every file with its time of writing. */
async function inventory(): Promise<readonly string[]> {
  const names = (await readdir(root, { recursive: true })).sort();
  return await Promise.all(names.map(async (name) => `${name} ${(await stat(join(root, name))).mtimeMs}`));
}
