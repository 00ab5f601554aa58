/** Durations as people write them in config and on the command line: `90s`, `10m`, `1h30m`, `7d`. */
import { FleetbanError } from "./errors.ts";

const UNITS = [
  { name: "w", seconds: 604_800 },
  { name: "d", seconds: 86_400 },
  { name: "h", seconds: 3_600 },
  { name: "m", seconds: 60 },
  { name: "s", seconds: 1 },
] as const;

const FORM = /^(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/;

export class DurationError extends FleetbanError {
  constructor(text: string) {
    const remedy = "write numbers with units w d h m s, the larger first, like 10m or 1h30m";
    super("bad-duration", `duration ${JSON.stringify(text)}: has another form; ${remedy}`, { hint: remedy });
  }
}

export function parseDurationSeconds(text: string): number {
  const parts = FORM.exec(text);
  if (parts === null || text === "") throw new DurationError(text);
  return UNITS.reduce((sum, { seconds }, index) => sum + seconds * Number(parts[index + 1] ?? 0), 0);
}

/** Exact, and read back by `parseDurationSeconds`; parts of a second are dropped. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  let text = "";
  for (const unit of UNITS) {
    const times = Math.floor(rest / unit.seconds);
    if (times === 0 || unit.name === "w") continue; // weeks are read, but 30d says more than 4w2d
    text += `${times}${unit.name}`;
    rest -= times * unit.seconds;
  }
  return text === "" ? "0s" : text;
}
