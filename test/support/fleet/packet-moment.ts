/** When a packet was sent, by the one clock that every process of the machine reads alike and nobody sets: microseconds. */
export function packetMoment(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
