/** One at a time: a batch, a swap and a look at the headers never meet in the kernel. */

export type Exclusive = <Result>(act: () => Promise<Result>) => Promise<Result>;

export function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const run = last.then(act);
    last = run.catch(() => undefined); // whoever asked for it is told
    return run;
  };
}
