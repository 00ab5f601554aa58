/**
 * Puts fail2ban's action in place and has every jail run it, by a drop-in that the operator's own jail.local overrides.
 *
 * A jail, or a jail.local, that sets `action` itself leaves fleetban out: that is told with file and line, for nobody but the
 * operator can say what it is to become.
 */
import type { Assets } from "./assets.ts";
import type { Places } from "./places.ts";

const CONFIG = "/etc/fail2ban";
const STATE = "/var/lib/fail2ban";
/** Read after our drop-in. */
const OPERATORS_FILES = [`${CONFIG}/jail.local`];
const SETS_ACTION = /^action\s*[=:]/;

export async function isFail2banThere(places: Places): Promise<boolean> {
  return (await places.has(`${CONFIG}/jail.conf`)) || (await places.has("/usr/bin/fail2ban-server"));
}

/** Returns what the operator should know. */
export async function installAction(places: Places, assets: Assets): Promise<readonly string[]> {
  const read = (path: string) => assets.read(`fail2ban/${path}`);
  await places.file(`${CONFIG}/action.d/fleetban.conf`, await read("action.d/fleetban.conf"), { mode: 0o644 });
  const dropIn = { mode: 0o644, owner: "operator" } as const;
  await places.file(`${CONFIG}/jail.d/fleetban.conf`, await read("jail.d/fleetban.conf"), dropIn);
  // fail2ban writes the hand-off file, under whatever account it has.
  const owner = (await places.has(STATE)) ? await places.ownerOf(STATE) : { uid: 0, gid: 0 };
  await places.folder(`${STATE}/fleetban`, 0o700, owner);
  const remarks = await Promise.all(OPERATORS_FILES.map((path) => actionsSetIn(places, path)));
  return remarks.flat();
}

async function actionsSetIn(places: Places, path: string): Promise<readonly string[]> {
  const lines = (await places.read(path)).split("\n");
  return lines.flatMap((line, index) => {
    if (!SETS_ACTION.test(line) || valueFrom(lines, index).includes("fleetban")) return [];
    return [
      `attention ${path}:${index + 1} sets its own action, so fleetban is not told of those bans: add fleetban to it`,
    ];
  });
}

/** A value goes on in the indented lines that follow. */
function valueFrom(lines: readonly string[], index: number): string {
  const end = lines.findIndex((line, at) => at > index && !/^\s+\S/.test(line));
  return lines.slice(index, end < 0 ? undefined : end).join(" ");
}
