/**
 * One process owns a folder. The lock is the kernel's, on the open lock file: it goes when the process goes, however it goes,
 * and is never stale.
 *
 * - Linux: Node has no flock(2), but the lock belongs to the open file and not to who asked for it. So the helper `flock`
 *   (util-linux, busybox) inherits the descriptor, takes the lock and exits; we keep it. Children that the
 *   owner starts do not inherit the descriptor.
 * - macOS, BSD: opening with O_EXLOCK takes the same lock.
 * - Windows: opening without sharing.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import { PqError } from "@pq/core/backend";
import { systemCode, unavailable } from "./errors.ts";
import { closeFile, openFile, writeAll } from "./files.ts";
import type { Layout } from "./layout.ts";

const { O_CREAT, O_RDWR, O_NONBLOCK } = fs.constants;
/** BSD's open flag for an exclusive flock. */
const O_EXLOCK = 0x20;
/** libuv's open flag for opening without sharing. */
const UV_FS_O_EXLOCK = 0x10000000;

/** A folder that is owned. */
export class FolderLock {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Take the lock. Rejects with `LOCKED`, naming the owner, when somebody has it. */
  static async acquire(layout: Layout): Promise<FolderLock> {
    const fd = await openLocked(layout);
    try {
      if (!(await lockInherited(fd))) throw await lockedError(layout);
      fs.ftruncateSync(fd, 0);
      await writeAll(fd, Buffer.from(`${process.pid}\n`), 0);
      return new FolderLock(fd);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
  }

  /** Give the folder free. */
  async release(): Promise<void> {
    await closeFile(this.#fd);
  }
}

async function openLocked(layout: Layout): Promise<number> {
  const flags = O_RDWR | O_CREAT;
  try {
    if (process.platform === "win32") return await openFile(layout.lock, flags | UV_FS_O_EXLOCK);
    if (process.platform === "linux") return await openFile(layout.lock, flags);
    return await openFile(layout.lock, flags | O_EXLOCK | O_NONBLOCK);
  } catch (error) {
    if (["EAGAIN", "EWOULDBLOCK", "EBUSY"].includes(systemCode(error) ?? "")) throw await lockedError(layout);
    throw error;
  }
}

/** Lock what is open already; elsewhere than on Linux opening has done it. `false`: somebody else has the lock. */
function lockInherited(fd: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    const helper = spawn("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] });
    helper.once("error", (error) =>
      reject(unavailable("locking the folder needs the command `flock` of util-linux or busybox", error)),
    );
    helper.once("exit", (code) => {
      if (code === 0 || code === 1) resolve(code === 0);
      else reject(unavailable(`locking the folder failed: flock ended with ${code ?? "a signal"}`));
    });
  });
}

async function lockedError(layout: Layout): Promise<PqError> {
  const pid = await fs.promises.readFile(layout.lock, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
  const owner =
    pid === ""
      ? "another process"
      : pid === String(process.pid)
        ? `this process (pid ${pid})`
        : `the process with pid ${pid}`;
  return new PqError("LOCKED", `${layout.folder} is in use by ${owner}`);
}
