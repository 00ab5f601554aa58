import { encodeCheckpoint } from "./checkpoint.ts";
import type { Held } from "./held.ts";
import { CHECKPOINT_NAME } from "./recover.ts";

export async function saveCheckpoint(held: Held): Promise<void> {
  const [newest] = [...held.segments].at(-1) ?? [0];
  const bytes = encodeCheckpoint({
    acknowledged: held.index.acknowledgements(),
    positions: [...held.positions.values()],
    through: { segment: newest, bytes: held.segments.get(newest)?.bytes ?? 0 },
    lost: held.lost,
    forgottenBeforeMs: held.forgottenBeforeMs,
  });
  held.noted.clear();
  try {
    await held.parts.files.replace(CHECKPOINT_NAME, bytes);
  } catch (error) {
    for (const source of held.positions.keys()) held.noted.add(source);
    throw error;
  }
}
