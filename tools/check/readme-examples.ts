/**
 * The TypeScript examples of the documentation compile against the packages as built.
 *
 * Every fenced `ts` block is a module of its own, unless a comment in the lines before it says otherwise:
 *
 *   <!-- example given: declare function send(mail: Email): Promise<void>; -->   what the reader is to imagine
 *   <!-- example continues -->                                                   it goes on where the last one ended
 *   <!-- example skipped: why -->                                                it is not compiled
 *
 * Each line keeps its line number, so that the compiler's messages point into the document.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { CheckFailure, passed, type Check } from "./check.ts";
import { bin, run } from "./process.ts";
import { publicPackages, root } from "./workspace.ts";

export const examples: Check = {
  name: "examples",
  needs: ["build"],
  run: async () => {
    const documents = await findDocuments();
    const modules: { name: string; text: string }[] = [];
    for (const document of documents) {
      const texts = exampleModules(await readFile(document, "utf8"));
      const name = relative(root, document).replaceAll(/[/\\]/g, "__");
      modules.push(...texts.map((text, index) => ({ name: `${name}.${index + 1}.ts`, text })));
    }
    await compile(modules);
    return passed("", `${modules.length} in ${documents.length} documents`);
  },
};

async function findDocuments(): Promise<string[]> {
  const found = [join(root, "README.md")];
  for (const { folder } of publicPackages()) {
    found.push(join(folder, "README.md"));
    const docs = await readdir(join(folder, "docs")).catch(() => []);
    found.push(...docs.filter((name) => name.endsWith(".md")).map((name) => join(folder, "docs", name)));
  }
  return found;
}

const GIVEN = /^<!-- example given: (?<code>.*) -->$/;
const CONTINUES = /^<!-- example continues -->$/;
const SKIPPED = /^<!-- example skipped: .+ -->$/;

/** The modules that the `ts` blocks of a Markdown text make. */
export function exampleModules(markdown: string): string[] {
  const modules: string[][] = [];
  let target: string[] | undefined; // the lines of the module that the block at hand belongs to
  let comments: string[] = []; // since the last line of prose
  for (const [index, line] of markdown.split("\n").entries()) {
    if (target !== undefined) {
      if (line.trim() === "```") target = undefined;
      else target[index] = line;
    } else if (/^```(?:ts|typescript)\b/.test(line)) {
      target = comments.some((comment) => SKIPPED.test(comment)) ? [] : moduleFor(comments, modules, index);
      comments = [];
    } else if (line.startsWith("<!-- example")) {
      comments.push(checkComment(line, index));
    } else if (line.trim() !== "") {
      comments = [];
    }
  }
  return modules.map((lines) => Array.from(lines, (line) => line ?? "").join("\n"));
}

/** The module that a block goes into. Imagined code takes the place of the block's opening line. */
function moduleFor(comments: readonly string[], modules: string[][], index: number): string[] {
  const last = modules.at(-1);
  const continued = comments.some((comment) => CONTINUES.test(comment)) ? last : undefined;
  const lines = continued ?? [];
  if (continued === undefined) modules.push(lines);
  lines[index] = comments.map((comment) => GIVEN.exec(comment)?.groups?.["code"] ?? "").join(" ");
  return lines;
}

function checkComment(line: string, index: number): string {
  if ([GIVEN, CONTINUES, SKIPPED].some((form) => form.test(line))) return line;
  throw new CheckFailure(`Line ${index + 1}: no such comment: ${line}`);
}

async function compile(modules: readonly { readonly name: string; readonly text: string }[]): Promise<void> {
  // Inside tools/, since that is where all packages can be imported.
  await mkdir(join(root, "tools/.examples"), { recursive: true });
  const folder = await mkdtemp(join(root, "tools/.examples/"));
  try {
    for (const { name, text } of modules) await writeFile(join(folder, name), text);
    const compilerOptions = { noEmit: true, customConditions: [], isolatedDeclarations: false, noUnusedLocals: false };
    const config = { extends: join(root, "tsconfig.base.json"), compilerOptions, include: ["*.ts"] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { code, output } = await run(process.execPath, [bin("tsc", "typescript"), "-p", "."], { cwd: folder });
    if (code !== 0) throw new CheckFailure(output.replaceAll(/^(\S+?)\.\d+\.ts\(/gm, asDocument));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function asDocument(_: string, name: string): string {
  return `${name.replaceAll("__", "/")}(`;
}
