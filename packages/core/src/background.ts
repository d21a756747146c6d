/** Let a task run on that is written never to reject. Should it do so all the same, a process warning with code `PQ_BUG` says it. */
export function background(task: Promise<unknown>): void {
  task.catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.emitWarning(`unexpected failure, please report it: ${text}`, { type: "PqWarning", code: "PQ_BUG" });
  });
}
