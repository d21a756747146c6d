/** Let everything else that is ready run first: long work is done in slices. It is no timer: no time passes. */
export function giveWay(): Promise<void> {
  return new Promise((resolve) => {
    // oxlint-disable-next-line no-restricted-globals -- giving way has nothing to do with time, and must not wait for a manual clock
    setImmediate(resolve);
  });
}
