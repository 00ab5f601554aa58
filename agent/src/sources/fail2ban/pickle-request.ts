/** A request to fail2ban: a pickled list of texts, by hand in protocol 2, which every fail2ban reads. */

const OPEN = Buffer.from([0x80, 0x02, 0x5d, 0x28]); // PROTO 2, EMPTY_LIST, MARK
const CLOSE = Buffer.from([0x65, 0x2e]); // APPENDS, STOP
const BINUNICODE = 0x58;

export function pickleRequest(words: readonly string[]): Buffer {
  const parts = words.map((word) => {
    const text = Buffer.from(word);
    const head = Buffer.alloc(5);
    head[0] = BINUNICODE;
    head.writeUInt32LE(text.length, 1);
    return Buffer.concat([head, text]);
  });
  return Buffer.concat([OPEN, ...parts, CLOSE]);
}
