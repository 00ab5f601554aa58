/**
 * A disk in memory that can be full, lose its power and go bad.
 *
 * As strict as the real one: what an append has not returned from is there in any part after a power cut, names and
 * replacements are whole or not there at all, and a file is created once.
 */
import type { AppendFile, SpoolFiles } from "./files.ts";

export interface MemoryDisk {
  readonly files: SpoolFiles;
  /** What a power cut now would leave; `torn` of an append under way. */
  afterPowerCut(torn?: number): MemoryDisk;
  /** Bytes in all files together; appends beyond fail with ENOSPC. */
  capacity: number;
  /** What a failed append has written can't be taken back. */
  isStuck: boolean;
  /** Each append waits for this before it is durable. */
  hold: (() => Promise<void>) | undefined;
  readonly appends: number;
  bytesOf(name: string): Buffer;
  write(name: string, bytes: Buffer): void;
  names(): readonly string[];
}

export function memoryDisk(stored: ReadonlyMap<string, Buffer> = new Map()): MemoryDisk {
  const contents = new Map(stored);
  const underWay = new Map<string, Buffer>();
  const used = () => [...contents.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const disk = {
    capacity: Number.POSITIVE_INFINITY,
    isStuck: false,
    hold: undefined as (() => Promise<void>) | undefined,
    appends: 0,
    bytesOf: (name: string) => contents.get(name) ?? Buffer.alloc(0),
    write: (name: string, bytes: Buffer) => void contents.set(name, bytes),
    names: () => [...contents.keys()].sort(),
    afterPowerCut(torn = 0): MemoryDisk {
      const left = new Map([...contents].map(([name, bytes]) => [name, Buffer.from(bytes)]));
      for (const [name, bytes] of underWay) {
        left.set(name, Buffer.concat([left.get(name) ?? Buffer.alloc(0), bytes.subarray(0, torn)]));
      }
      return memoryDisk(left);
    },
    files: {
      list: async () => [...contents.keys()],
      async read(name: string, offset = 0, length = Number.POSITIVE_INFINITY) {
        const bytes = contents.get(name);
        if (bytes === undefined) throw systemError("ENOENT");
        return Buffer.from(bytes.subarray(offset, offset + length));
      },
      async create(name: string) {
        if (contents.has(name)) throw systemError("EEXIST");
        contents.set(name, Buffer.alloc(0));
        return appendFile(name);
      },
      async replace(name: string, bytes: Uint8Array) {
        if (used() + bytes.length > disk.capacity) throw systemError("ENOSPC");
        contents.set(name, Buffer.from(bytes));
      },
      remove: async (name: string) => void contents.delete(name),
    } satisfies SpoolFiles,
  };

  function appendFile(name: string): AppendFile {
    return {
      async append(offset, bytes) {
        disk.appends += 1;
        const before = contents.get(name) ?? Buffer.alloc(0);
        if (offset !== before.length) throw new Error(`append at ${offset} to a file of ${before.length} bytes`);
        underWay.set(name, Buffer.from(bytes));
        await (disk.hold?.() ?? Promise.resolve());
        underWay.delete(name);
        const room = Math.max(0, disk.capacity - used());
        contents.set(name, Buffer.concat([before, bytes.subarray(0, room)]));
        if (room < bytes.length) throw systemError("ENOSPC");
      },
      async truncate(size) {
        if (disk.isStuck) throw systemError("EIO");
        contents.set(name, (contents.get(name) ?? Buffer.alloc(0)).subarray(0, size));
      },
      close: async () => undefined,
    };
  }
  return disk;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the system says it`), { code });
}
