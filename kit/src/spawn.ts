/** Starting programs as a part that is handed in, so that the rooms that talk to one don't know how it is started. */

export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  /** It never ran. `code` is the system's word, such as `ENOENT`. */
  | { readonly kind: "not-started"; readonly code: string };

export interface RunningProgram {
  /** Resolves when the pipe has room for more; text written to a program that has ended is dropped. */
  write(text: string): Promise<void>;
  /** Closes its standard input. */
  endInput(): void;
  /** Each is read by one reader at most; a stream that is never read is thrown away. */
  readonly stdout: AsyncIterable<string>;
  readonly stderr: AsyncIterable<string>;
  /** Never rejects. Settles when the program has ended and its output is complete. */
  readonly ended: Promise<ProgramEnd>;
  kill(): void;
}

/** `discard`: its standard output is nobody's business. */
export type Spawn = (program: string, args: readonly string[], stdout: "read" | "discard") => RunningProgram;
