import { existsSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckFailure, passed, type Check } from "./check.ts";
import { mustRun, pnpm, tool } from "./process.ts";
import { publicPackages, root, withScratch, type PublicPackage } from "./workspace.ts";

/** What is published, checked as users get it: the tarballs, linted, typed, installed and imported by plain Node. */
export const packageChecks: Check = {
  name: "packages",
  needs: ["build"],
  run: async () =>
    withScratch(async (scratch) => {
      const packages = publicPackages();
      const tarballs: string[] = [];
      for (const each of packages) {
        const tarball = await pack(each, scratch);
        await tool(["publint"], [tarball, "--strict"]);
        await tool(["attw", "@arethetypeswrong/cli"], [tarball, "--profile", "esm-only"]);
        tarballs.push(tarball);
      }
      await install(scratch, tarballs);
      await copyCompiled(scratch);
      for (const each of packages) await checkInstalled(each, scratch);
      return passed(await importAll(packages, scratch), packages.map((each) => each.name).join(", "));
    }),
};

/** Packs a package as publishing does, and returns the path of the tarball. */
export async function pack(each: PublicPackage, into: string): Promise<string> {
  const printed = await pnpm(["pack", "--json", "--pack-destination", into], { cwd: each.folder });
  const { filename } = JSON.parse(printed.slice(printed.indexOf("{"))) as { filename: string };
  return filename;
}

/** Installs tarballs in a folder outside the workspace, as a user would. */
export async function install(folder: string, tarballs: readonly string[]): Promise<void> {
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  await mustRun("npm", ["install", ...quiet, ...tarballs], { cwd: folder });
}

/** Their dependencies' scripts are not run: what these compile comes from the workspace. */
async function copyCompiled(scratch: string): Promise<void> {
  const compiled = join(root, "packages/zk/node_modules/zookeeper/build/Release/zookeeper.node");
  const target = join(scratch, "node_modules/zookeeper/build/Release/zookeeper.node");
  if (existsSync(compiled)) await cp(compiled, target);
}

async function checkInstalled(each: PublicPackage, scratch: string): Promise<void> {
  const folder = join(scratch, "node_modules", each.name);
  for (const file of ["README.md", "LICENSE"]) {
    await readFile(join(folder, file)).catch(() => {
      throw new CheckFailure(`The tarball of ${each.name} has no ${file}.`);
    });
  }
  const manifest = await readFile(join(folder, "package.json"), "utf8");
  if (manifest.includes("@pq/source")) throw new CheckFailure(`${each.name} would publish the source condition.`);
  if (/"(?:pre|post)?install"/.test(manifest)) throw new CheckFailure(`${each.name} would run a script at install.`);
  if (manifest.includes("workspace:")) throw new CheckFailure(`${each.name} would publish a workspace dependency.`);
}

async function importAll(packages: readonly PublicPackage[], scratch: string): Promise<string> {
  const entries = packages.flatMap((each) => each.entries);
  const lines = entries.map((entry) => `console.log(${JSON.stringify(entry)}, Object.keys(await import("${entry}")));`);
  await writeFile(join(scratch, "import.mjs"), lines.join("\n"));
  return mustRun(process.execPath, ["import.mjs"], { cwd: scratch });
}
