// Deletes what the compiler wrote for sources that are gone. It keeps such files for ever, and they would be published.
// Runs in the folder of a package, after its build.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const output = /(?:\.d\.ts|\.js)(?:\.map)?$/;
for (const file of readdirSync("dist", { recursive: true })) {
  if (output.test(file) && !existsSync(join("src", file.replace(output, ".ts")))) rmSync(join("dist", file));
}
