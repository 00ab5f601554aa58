/**
 * `fleetban-agent install`: puts the agent in place on this server, and says line by line what it did and what to do next.
 *
 * It may be run again at any time: what is ours (program, units, boot script, fail2ban's action) is brought up to date, what is
 * the operator's (agent.yaml, the jails' drop-in) is written once and then left alone. Nothing is started, enabled or
 * reloaded: that is the operator's act, and the last lines say how. With another root than `/` a package or an image is made.
 */
import { FleetbanError } from "@fleetban/kit/errors";
import { type Assets, findAssets } from "./install/assets.ts";
import { configTemplate } from "./install/config-template.ts";
import { installAction, isFail2banThere } from "./install/fail2ban-action.ts";
import { openPlaces, type Places } from "./install/places.ts";
import { installProgram } from "./install/program.ts";

const UNITS = ["fleetban-agent.service", "fleetban-boot.service", "fleetban-boot-sets.service"];

/** `root` is where the server's `/` is: `/` itself, or the folder of an image. */
export async function install(root: string, given?: Assets): Promise<readonly string[]> {
  if (root === "/" && process.getuid?.() !== 0) {
    throw new FleetbanError("not-root", "install: writes to /etc, /usr and /var, which only root may", {
      hint: "run it with sudo, or add --root DIR to fill a folder of your own",
    });
  }
  const assets = given ?? (await findAssets());
  const places = await openPlaces(root);
  await installProgram(places, assets);
  await places.folder("/etc/fleetban", 0o755);
  await places.folder("/var/lib/fleetban", 0o755);
  await places.folder("/var/lib/fleetban/agent", 0o700);
  await places.file("/etc/fleetban/agent.yaml", configTemplate(), { mode: 0o644, owner: "operator" });
  for (const unit of UNITS) {
    await places.file(`/etc/systemd/system/${unit}`, await assets.read(`systemd/${unit}`), { mode: 0o644 });
  }
  await places.file("/usr/lib/fleetban/fleetban-boot.sh", await assets.read("boot/fleetban-boot.sh"), { mode: 0o755 });
  const hasFail2ban = await isFail2banThere(places);
  const remarks = hasFail2ban ? await installAction(places, assets) : [];
  return [...places.done(), ...remarks, ...nextSteps(places, hasFail2ban)];
}

function nextSteps(places: Places, hasFail2ban: boolean): readonly string[] {
  const withoutFail2ban =
    "fail2ban is not installed here, so its action was not put in place: install it and run this again, " +
    "or give sightings to the agent's socket";
  return [
    ...(hasFail2ban ? [] : [withoutFail2ban]),
    ...(places.root === "/" ? ["next:"] : [`next, on the server that ${places.root} becomes:`]),
    "  on a coordinator:  fleetban enrollments create",
    "  here:              fleetban-agent enroll TOKEN",
    "                     systemctl daemon-reload && systemctl enable --now fleetban-boot fleetban-agent",
    ...(hasFail2ban ? ["                     fail2ban-client reload"] : []),
    "                     fleetban-agent check",
  ];
}
