/** A column of small numbers as runs: pairs of varint (value, times). Equal columns have equal bytes. */
import { type Cursor, createSink, readUint32, sinkBytes, writeUint32 } from "./varint.ts";
import { WireError } from "./wire-error.ts";

export type NumberColumn = Uint8Array | Uint32Array;

/** The runs of several columns, one after the other as if they were one. */
export function encodeRuns(columns: readonly NumberColumn[]): Buffer {
  const sink = createSink(0);
  let value: number | undefined;
  let times = 0;
  for (const column of columns) {
    for (let row = 0; row < column.length; row += 1) {
      if (column[row] === value) {
        times += 1;
        continue;
      }
      if (value !== undefined) writeRun(value, times);
      value = column[row];
      times = 1;
    }
  }
  if (value !== undefined) writeRun(value, times);
  return sinkBytes(sink);

  function writeRun(runValue: number, runTimes: number): void {
    writeUint32(sink, runValue);
    writeUint32(sink, runTimes);
  }
}

/** Fills the columns exactly: more, fewer or split runs are damage. Allocates nothing. */
export function decodeRuns(part: string, bytes: Uint8Array, columns: readonly NumberColumn[], max: number): void {
  const cursor: Cursor = { part, bytes, at: 0 };
  let previous = -1;
  let value = -1;
  let times = 0;
  for (const column of columns) {
    for (let row = 0; row < column.length; ) {
      if (times === 0) nextRun();
      const end = Math.min(column.length, row + times);
      column.fill(value, row, end);
      times -= end - row;
      row = end;
    }
  }
  if (times > 0 || cursor.at !== bytes.length) throw new WireError(part, "has more values than there are rows");

  function nextRun(): void {
    value = readUint32(cursor);
    times = readUint32(cursor);
    if (value > max) throw new WireError(part, `value ${value} is above ${max}`);
    if (times === 0 || value === previous)
      throw new WireError(part, `run of ${value}, ${times} times, is no whole run`);
    previous = value;
  }
}
