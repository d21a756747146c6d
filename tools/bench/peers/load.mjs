// Loads what is installed in this folder: module names resolve from the file that imports them.
import { createRequire } from "node:module";

/** A package installed here, as its ES module. */
export const load = (name) => import(name);

/** Its version. Some packages do not export their package.json, so it is read as a file. */
export const versionOf = (name) => createRequire(import.meta.url)(`./node_modules/${name}/package.json`).version;
