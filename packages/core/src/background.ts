import { errorText } from "./failure.ts";

/** Let a task run on that is written never to reject. Should it do so all the same, a process warning with code `PQ_BUG` says it. */
export function background(task: Promise<unknown>): void {
  task.catch(warn);
}

function warn(error: unknown): void {
  process.emitWarning(`unexpected failure, please report it: ${errorText(error)}`, {
    type: "PqWarning",
    code: "PQ_BUG",
  });
}
