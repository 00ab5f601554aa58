/** A text's lines, without line ends, byte order mark, blanks around them, and comments. */

export interface TextLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** No entry is longer, and nobody wants to read more of it. */
const LINE_MAX = 4_096;
const BYTE_ORDER_MARK = "\ufeff";

/** Every line that holds something; a longer one is cut. */
export function* linesOf(text: string): Generator<TextLine, void> {
  let line = 0;
  let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  while (at < text.length) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    line += 1;
    const trimmed = text.slice(at, Math.min(stop, at + LINE_MAX)).trim();
    if (trimmed !== "") yield { line, text: trimmed };
    at = stop + 1;
  }
}

/** `# …`, `; …` wherever they stand, `// …` at the beginning or after a blank: none of them is part of an address. */
export function withoutComment(text: string): string {
  return text.replace(/(?:[#;]|(?:^|\s)\/\/).*$/s, "").trimEnd();
}
