/**
 * The few calls to the file system, in the shape the log needs: one hop to the thread pool each, short writes and reads
 * continued. The callback interface is used where it is hot: it costs half of the promises'.
 */
import fs from "node:fs";

/** Write all of `bytes` at `position`. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (done: number): void => {
      fs.write(fd, bytes, done, bytes.length - done, position + done, (error, written) => {
        if (error !== null) reject(error);
        else if (done + written < bytes.length) step(done + written);
        else resolve();
      });
    };
    step(0);
  });
}

/** Fill `bytes` from `position` on; less at the end of the file. Returns how many were read. */
export function readAll(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const step = (done: number): void => {
      fs.read(fd, bytes, done, bytes.length - done, position + done, (error, read) => {
        if (error !== null) reject(error);
        else if (read === 0 || done + read === bytes.length) resolve(done + read);
        else step(done + read);
      });
    };
    step(0);
  });
}

/** Flush the file's data. */
export function syncData(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** Cut the file off. */
export function truncate(fd: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.ftruncate(fd, length, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

/** Open a file; files are for their owner alone. */
export function openFile(path: string, flags: number | string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o600, (error, fd) => (error === null ? resolve(fd) : reject(error)));
  });
}

/** Close a file; errors of closing matter to nobody, since everything that matters was synced. */
export function closeFile(fd: number): Promise<void> {
  return new Promise((resolve) => {
    fs.close(fd, () => resolve());
  });
}

/** Make what was created, renamed or removed in a folder last. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await fs.promises.open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Write a whole new file and make it last, its name apart. */
export async function writeNewFile(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  const fd = await openFile(path, "w");
  try {
    let position = 0;
    for (const part of parts) {
      await writeAll(fd, part, position);
      position += part.length;
    }
    await syncData(fd);
  } finally {
    await closeFile(fd);
  }
}

/** The first `most` bytes of a file, or all. */
export async function readFile(path: string, most: number = Infinity): Promise<Buffer> {
  const fd = await openFile(path, "r");
  try {
    const { size } = await new Promise<fs.Stats>((resolve, reject) => {
      fs.fstat(fd, (error, stat) => (error === null ? resolve(stat) : reject(error)));
    });
    const bytes = Buffer.allocUnsafeSlow(Math.min(size, most));
    return bytes.subarray(0, await readAll(fd, bytes, 0));
  } finally {
    await closeFile(fd);
  }
}
