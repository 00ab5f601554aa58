/** The files that are put in place as they are: beside the bundle in `deploy/`, in a checkout in its folder of that name. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FleetbanError } from "@fleetban/kit/errors";

export interface Assets {
  /** The folder of the bundle (`fleetban-agent.cjs`, `bin/`, `node_modules/`); undefined when run from its sources. */
  readonly bundle: string | undefined;
  /** A file of `deploy/`. */
  read(path: string): Promise<string>;
}

const BUNDLE_FILE = "fleetban-agent.cjs";

export async function findAssets(): Promise<Assets> {
  const here = import.meta.dirname;
  const isBundle = await exists(join(here, BUNDLE_FILE));
  const deploy = isBundle ? join(here, "deploy") : join(here, "../../../../deploy");
  return {
    bundle: isBundle ? here : undefined,
    async read(path) {
      try {
        return await readFile(join(deploy, path), "utf8");
      } catch (cause) {
        throw new FleetbanError("incomplete-program", `${join(deploy, path)}: ${(cause as Error).message}`, {
          cause,
          hint: "this copy of fleetban-agent is not whole: build or install it anew",
        });
      }
    },
  };
}

export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
