/**
 * Copies the program itself, with the Node that runs it now, so that the server needs neither the checkout nor a Node.
 *
 * A package puts these files there by its own means, and then this finds that it runs from the very place.
 */
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Assets, exists } from "./assets.ts";
import type { Places } from "./places.ts";

const HOME = "/usr/lib/fleetban";
/** Of the bundle's folder: what the agent needs, not the coordinator's files beside it. */
const PARTS = [
  "fleetban-agent.cjs",
  "bin/fleetban-agent",
  "deploy",
  "node_modules/koffi",
  `node_modules/@koromix/koffi-linux-${process.arch}`,
];

export async function installProgram(places: Places, { bundle }: Assets): Promise<void> {
  if (bundle === undefined) return; // run from the sources: units and configuration only
  const home = join(places.root, HOME);
  if ((await realpath(bundle)) !== (await realpath(home).catch(() => home))) {
    for (const part of PARTS) {
      if (await exists(join(bundle, part))) await places.copy(`${HOME}/${part}`, join(bundle, part));
    }
    await places.copy(`${HOME}/node/bin/node`, await realpath(process.execPath));
  }
  await places.link("/usr/bin/fleetban-agent", "../lib/fleetban/bin/fleetban-agent");
}
